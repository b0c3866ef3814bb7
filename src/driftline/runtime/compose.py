"""From the configuration of one model to what watching it needs.

Refuses to open anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from driftline.alerting.store import SinkPlan
from driftline.config import Config, ModelConfig, digest
from driftline.errors import DriftlineError
from driftline.evaluate.judging import CheckPlan
from driftline.plugin import Check, Format, FormatRef, Source
from driftline.runtime.grounding import Origin
from driftline.runtime.watch import Settings

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

DEFAULT_CHECKS = ("drift", "missing", "range", "volume", "freshness", "performance")
"""What runs when the configuration names no check."""
DEFAULT_TRAILING_DAYS = 28


def settings_of(config: Config, name: str, registry: Registry, *, patience_ticks: int) -> Settings:
    """Everything about one model."""
    model = config.models[name]
    windows = model.windows
    return Settings(
        source=model.source,
        formats=formats_of(model.source, registry),
        origin=_origin(model, registry),
        schema=None if model.schema_ is None else model.schema_.to_schema(),
        length=windows.length,
        lateness=windows.lateness,
        reopen_for=windows.reopen_for,
        plans=_plans(model, registry),
        sinks=[
            SinkPlan(sink, config.sinks[sink].min_severity, config.sinks[sink].plugin.updates)
            for sink in _notified(config, model)
        ],
        config_digest=digest(model),
        patience_ticks=patience_ticks,
    )


def formats_of(source: Source, registry: Registry) -> Mapping[str, Format]:
    """The format a source names, under ""; else every format that can be told by a suffix."""
    asked = source.format
    if asked is not None:
        ref = asked if isinstance(asked, FormatRef) else FormatRef(type=asked)
        made = registry.get("format", ref.type).model_validate(ref.options)
        assert isinstance(made, Format)
        return {"": made}
    found: dict[str, Format] = {}
    for name in registry.names("format"):
        kind = registry.get("format", name)
        if not issubclass(kind, Format) or not kind.suffixes:
            continue
        made = kind()
        found |= dict.fromkeys(kind.suffixes, made)
    return found


def _origin(model: ModelConfig, registry: Registry) -> Origin:
    from datetime import timedelta

    told = model.reference
    if told is None:
        return Origin(trailing=timedelta(days=DEFAULT_TRAILING_DAYS))
    if told.plugin is not None:
        return Origin(source=told.plugin, formats=formats_of(told.plugin, registry))
    return Origin(span=told.window, trailing=told.trailing)


def _plans(model: ModelConfig, registry: Registry) -> list[CheckPlan]:
    if model.checks is None:
        offered = set(registry.names("check"))
        return [CheckPlan(name, _default(name, registry)) for name in DEFAULT_CHECKS if name in offered]
    plans = []
    for name, told in model.checks.items():
        rules = () if told.rule is None else tuple(told.rule) if isinstance(told.rule, list) else (told.rule,)
        plans.append(CheckPlan(name, told.plugin, rules, told.for_, told.keep_firing, told.min_rows))
    return plans


def _default(name: str, registry: Registry) -> Check:
    made = registry.get("check", name)()
    assert isinstance(made, Check)
    return made


def _notified(config: Config, model: ModelConfig) -> list[str]:
    names = list(config.sinks) if model.notify is None else list(model.notify)
    unknown = [name for name in names if name not in config.sinks]
    if unknown:
        raise DriftlineError(f"notify names no sink: {', '.join(unknown)}")
    return names
