"""From the configuration of one model to what watching it needs.

Refuses to open anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from driftline import __version__
from driftline.agent.closing import Links
from driftline.agent.labelling import LateLabels
from driftline.agent.model_settings import Settings
from driftline.agent.reference_state import Origin
from driftline.alerting.actions_due import ActionPlan
from driftline.alerting.lifespans import Life
from driftline.alerting.links import chart_link, links
from driftline.alerting.silencing import UNREAD, Inhibition, MuteTime, Quiet
from driftline.config import ActionConfig, Config, ModelConfig, model_digest
from driftline.contracts.action import Action
from driftline.contracts.check import Check
from driftline.contracts.plugin import PluginKind
from driftline.delivery.routing import Routing
from driftline.evaluate.check_plan import CheckPlan
from driftline.extensions.phrasebook import Phrasebook
from driftline.state.incident_store import SinkPlan
from driftline.types.matchers import Matchers
from driftline.types.model import Field, Kind, Schema, Task
from driftline.types.notification import Notification

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry
from driftline.extensions.registry import source_formats

DEFAULT_TRAILING_DAYS = 28


def settings_of(config: Config, name: str, registry: Registry, *, patience_ticks: int) -> Settings:
    """Everything about one model."""
    model = config.models[name]
    windows = model.windows
    plugins = json.dumps(_versions(model, registry), ensure_ascii=False, sort_keys=True)
    return Settings(
        source=model.source,
        formats=source_formats(model.source, registry),
        origin=_origin(model, registry),
        schema=_schema(model),
        length=windows.length,
        lateness=windows.lateness,
        reopen_for=windows.reopen_for,
        backfill=windows.backfill,
        notify_within=windows.notify_within,
        plans=_plans(model),
        told=heard(config, name),
        config_digest=sha256(f"{model_digest(model)} {plugins}".encode()).hexdigest()[:16],
        config=json.dumps(model.raw, ensure_ascii=False, default=str, sort_keys=True),
        plugins=plugins,
        patience_ticks=patience_ticks,
        false_pages_per_year=model.false_pages_per_year,
        labels=_labels(model, registry),
        life=Life(model.reopen_within),
        phrasebook=phrasebook_for(config),
        quiet=_quiet(config, model),
        links=_links(config),
    )


def declared_inhibitions(registry: Registry) -> list[Inhibition]:
    """What holds incidents back where the configuration has no `inhibit`: as checks declare it."""
    pairs = [pair for type_ in registry.checks() for pair in type_.inhibits]
    return [*((Matchers.parse(by), Matchers.parse(held)) for by, held in pairs), UNREAD]


def phrasebook_for(config: Config) -> Phrasebook:
    """The phrasebook of the configuration's checks, by their names in it.

    A name that stands for checks of different types in two models has no words of its own.
    """
    types: dict[str, set[type[Check]]] = {}
    for model in config.models.values():
        for name, check in (model.checks or {}).items():
            types.setdefault(name, set()).add(type(check.plugin))
    return Phrasebook(
        config.registry.checks(),
        {name: next(iter(found)) for name, found in types.items() if len(found) == 1},
    )


def _quiet(config: Config, model: ModelConfig) -> Quiet:
    mutes = [
        MuteTime(name, told.cron, told.for_, ZoneInfo(told.zone), Matchers.parse(told.match))
        for name, told in config.mute_times.items()
    ]
    inhibitions = (
        declared_inhibitions(config.registry)
        if config.inhibit is None
        else [(Matchers.parse(rule.while_), Matchers.parse(rule.hold)) for rule in config.inhibit]
    )
    return Quiet(mute_times=mutes, inhibitions=inhibitions, max_pages=model.max_pages_per_day)


def _links(config: Config) -> Links:
    """The links of a message; none without a place that they could lead to."""
    base, token = config.agent.public_url, config.agent.token
    if base is None or token is None:
        return lambda notification, now: {}
    return lambda notification, now: links(notification, base, token.reveal(), now)


def chart_links(config: Config) -> Callable[[Notification, datetime], str | None]:
    """Where services can fetch the chart of an incident; None where they can't."""
    base, token = config.agent.public_url, config.agent.token
    if base is None or token is None:
        return lambda notification, now: None
    return lambda notification, now: chart_link(notification, base, token.reveal(), now)


def _schema(model: ModelConfig) -> Schema | None:
    """What the file declares; where labels come later, with the column that they refer to."""
    if model.schema_ is None:
        return None
    schema = model.schema_.to_schema()
    if model.labels is None:
        return schema
    path = model.labels.joins or (schema.id.path if schema.id else "")
    # A column that is read anyway is not read twice; no other can have a name with # in it.
    joins = next((part for part in schema.fields if part.path == path), Field(f"#{path}", path))
    return replace(
        schema, label=schema.label or Field("label", "label", _kind(schema)), joins=joins
    )


def _labels(model: ModelConfig, registry: Registry) -> LateLabels | None:
    told, schema = model.labels, _schema(model)
    if told is None or schema is None or schema.label is None:
        return None
    id_path = told.id or (schema.id.path if schema.id else told.joins or "")
    label = Field("label", told.label or schema.label.path, _kind(schema))
    stamp = None if told.time is None else Field("time", told.time)
    records = Schema(label=label, joins=Field("id", id_path), timestamp=stamp, task=schema.task)
    return LateLabels(
        told.plugin, source_formats(told.plugin, registry), records, told.wait_for, told.max_disk
    )


def _kind(schema: Schema) -> Kind:
    return Kind.NUMERIC if schema.task is Task.REGRESSION else Kind.CATEGORICAL


def _origin(model: ModelConfig, registry: Registry) -> Origin:
    told = model.reference
    if told is None:
        return Origin(trailing=timedelta(days=DEFAULT_TRAILING_DAYS))
    if told.plugin is not None:
        return Origin(source=told.plugin, formats=source_formats(told.plugin, registry))
    return Origin(span=told.window, trailing=told.trailing)


def _versions(model: ModelConfig, registry: Registry) -> dict[str, str]:
    """Version and origin of every plugin that has a say in a model's numbers."""
    used: dict[PluginKind, set[str]] = {
        "source": {model.source.type},
        "format": {form.type for form in source_formats(model.source, registry).values()},
        "check": {told.type for told in (model.checks or {}).values()},
    }
    if model.reference is not None and model.reference.plugin is not None:
        used["source"].add(model.reference.plugin.type)
        used["format"] |= {
            form.type for form in source_formats(model.reference.plugin, registry).values()
        }
    if model.labels is not None:
        used["source"].add(model.labels.plugin.type)
        used["format"] |= {
            form.type for form in source_formats(model.labels.plugin, registry).values()
        }
    infos = {
        f"{kind} {name}": registry.info(kind, name)
        for kind, names in used.items()
        for name in sorted(names)
    }
    return {"driftline": __version__} | {
        key: f"{info.version} {info.origin}" for key, info in infos.items()
    }


def _plans(model: ModelConfig) -> list[CheckPlan]:
    plans = []
    for name, told in (model.checks or {}).items():
        rules = (
            ()
            if told.rule is None
            else tuple(told.rule)
            if isinstance(told.rule, list)
            else (told.rule,)
        )
        plans.append(
            CheckPlan(
                name,
                told.plugin,
                rules,
                told.for_,
                told.keep_firing,
                told.min_rows,
                frozenset(model.warn_only),
            )
        )
    return plans


def routing_of(config: Config, name: str) -> Routing:
    """The routes of one model."""
    model = config.models[name]
    return Routing(config.routes, name, model.tags, model.notify, tuple(config.sinks))


Heard = Callable[[Notification], Sequence[SinkPlan]]


def heard(config: Config, name: str) -> Heard:
    """Who is to hear of a notification of one model, and how much."""
    routing, plans = routing_of(config, name), _sink_plans(config)
    return lambda told: [plans[name] for name in routing.way(routing.subject(told)).sinks]


def instead(config: Config, name: str) -> Heard:
    """Who is to hear of it when one of these takes nothing."""
    routing, plans = routing_of(config, name), _sink_plans(config)
    return lambda told: [plans[name] for name in routing.way(routing.subject(told)).fallback]


def _sink_plans(config: Config) -> dict[str, SinkPlan]:
    return {
        name: SinkPlan(name, sink.min_severity, sink.plugin.updates)
        for name, sink in config.sinks.items()
    }


def action_plans(config: Config) -> list[tuple[ActionPlan, Action]]:
    """The actions that are enabled, each with when it is called for."""
    return [
        (_plan(name, told), told.plugin) for name, told in config.actions.items() if told.enabled
    ]


def _plan(name: str, told: ActionConfig) -> ActionPlan:
    when = told.when
    names = frozenset(when.models), frozenset(when.causes), frozenset(when.checks)
    decision = when.decision or ""
    return ActionPlan(
        name,
        *names,
        when.severity,
        decision,
        told.dry_run,
        told.approval,
        told.approve_within,
        told.max_per_day,
    )
