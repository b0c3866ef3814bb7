"""From the configuration of one model to what watching it needs.

Refuses to open anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from driftline import __version__
from driftline.alerting.store import SinkPlan
from driftline.config import Config, ModelConfig, digest
from driftline.evaluate.judging import CheckPlan
from driftline.plugin import Format, FormatRef, PluginKind, Source
from driftline.runtime.grounding import Origin
from driftline.runtime.watch import Settings

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

DEFAULT_TRAILING_DAYS = 28


def settings_of(config: Config, name: str, registry: Registry, *, patience_ticks: int) -> Settings:
    """Everything about one model."""
    model = config.models[name]
    windows = model.windows
    plugins = json.dumps(_versions(model, registry), ensure_ascii=False, sort_keys=True)
    return Settings(
        source=model.source,
        formats=formats_of(model.source, registry),
        origin=_origin(model, registry),
        schema=None if model.schema_ is None else model.schema_.to_schema(),
        length=windows.length,
        lateness=windows.lateness,
        reopen_for=windows.reopen_for,
        backfill=windows.backfill,
        notify_within=windows.notify_within,
        plans=_plans(model),
        sinks=[_heard(config, sink) for sink in model.notify or ()],
        config_digest=sha256(f"{digest(model)} {plugins}".encode()).hexdigest()[:16],
        config=json.dumps(model.raw, ensure_ascii=False, default=str, sort_keys=True),
        plugins=plugins,
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
    told = model.reference
    if told is None:
        return Origin(trailing=timedelta(days=DEFAULT_TRAILING_DAYS))
    if told.plugin is not None:
        return Origin(source=told.plugin, formats=formats_of(told.plugin, registry))
    return Origin(span=told.window, trailing=told.trailing)


def _versions(model: ModelConfig, registry: Registry) -> dict[str, str]:
    """Version and origin of every plugin that has a say in a model's numbers."""
    used: dict[PluginKind, set[str]] = {
        "source": {model.source.type},
        "format": {form.type for form in formats_of(model.source, registry).values()},
        "check": {told.type for told in (model.checks or {}).values()},
    }
    if model.reference is not None and model.reference.plugin is not None:
        used["source"].add(model.reference.plugin.type)
    infos = {f"{kind} {name}": registry.info(kind, name) for kind, names in used.items() for name in sorted(names)}
    return {"driftline": __version__} | {key: f"{info.version} {info.origin}" for key, info in infos.items()}


def _plans(model: ModelConfig) -> list[CheckPlan]:
    plans = []
    for name, told in (model.checks or {}).items():
        rules = () if told.rule is None else tuple(told.rule) if isinstance(told.rule, list) else (told.rule,)
        plans.append(CheckPlan(name, told.plugin, rules, told.for_, told.keep_firing, told.min_rows))
    return plans


def _heard(config: Config, name: str) -> SinkPlan:
    sink = config.sinks[name]
    return SinkPlan(name, sink.min_severity, sink.plugin.updates)
