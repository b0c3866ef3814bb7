"""The settings of one watched model: its configuration, and what is derived from it.

Does not open a source or the state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from driftline import __version__
from driftline.agent.incident_cost import CostBasis
from driftline.agent.model_alerts import AlertSettings
from driftline.agent.page_links import PageLinks
from driftline.agent.receivers import receivers_of
from driftline.alerting.lifespans import Lifespans
from driftline.alerting.silencing import UNREAD, Inhibition, MuteTime, Silencing
from driftline.config import Config, ModelConfig, model_digest
from driftline.config.cross_checks import find_named_columns
from driftline.config.models import LabelsConfig
from driftline.contracts.check import Check
from driftline.contracts.format import Format, FormatRef
from driftline.contracts.plugin import PluginKind
from driftline.contracts.source import Source
from driftline.evaluate.check_plan import CheckPlan, collector_requests
from driftline.extensions.phrasebook import Phrasebook
from driftline.extensions.registry import SourceFormats
from driftline.ingest.columns.column_names import PREDICTIONS, SCORES
from driftline.ingest.read.job import Job, Transform
from driftline.ingest.read.profile_rows import latest_event_time
from driftline.profiles.profile import Collectors
from driftline.profiles.spec import ALWAYS_COLLECTED, ProfileSpec
from driftline.types.matchers import Matchers
from driftline.types.model import NUMERIC_TASKS, Field, Kind, Schema, ServiceColumns, TaskColumns
from driftline.types.notification import Notification
from driftline.types.time_form import TimeForm

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

DEFAULT_TRAILING_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What the reference is made of: exactly one of source, span and trailing."""

    source: Source | None = None
    formats: Mapping[str, Format] = field(default_factory=dict)
    """Of the source, by suffix."""
    span: tuple[datetime, datetime] | None = None
    """A span of the model's own records."""
    trailing: timedelta | None = None
    """How long before a window its reference begins."""


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """Labels that come later, from a source of their own."""

    config: LabelsConfig
    formats: Mapping[str, Format]
    """Of the source, by suffix."""
    schema: Schema
    """Of a label's record: its id (`joins`), label and timestamp."""

    def make_job(self, job: Job) -> Job:
        """Return how labels are read; `job` is how the predictions are."""
        schema = self.schema
        assert schema.label is not None
        assert schema.joins is not None
        timestamp = schema.timestamp.path if schema.timestamp else ""
        form = schema.time_form
        spelling = "" if form == TimeForm() else f" {form.format} {form.zone}"
        # Its digest changes with all that decides what is kept of a label, as that of predictions
        # does.
        spec = ProfileSpec(
            columns={},
            task=schema.task,
            label=f"{schema.label.path} {timestamp}{spelling}",
            joins=schema.joins.path,
            collectors=(),
        )
        return replace(
            job,
            source=self.config.plugin,
            formats=self.formats,
            schema=schema,
            spec=spec,
            transform=None,
            labels=True,
        )


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The settings of one watched model."""

    name: str
    config: ModelConfig
    formats: Mapping[str, Format]
    """Of the source, by suffix."""
    origin: Origin
    schema: Schema | None
    """The declared schema; None where it is to be inferred."""
    plans: Sequence[CheckPlan]
    alerts: AlertSettings
    plugins: str
    """Versions and origins of the plugins it uses, as JSON."""
    labels: LabelSettings | None = None
    receivers: frozenset[str] = frozenset()
    """Names of the configured sinks and actions."""
    patience_ticks: int = 1
    """Failing ticks in a row before a source that can't be read is an alert."""

    @property
    def window_length(self) -> int:
        """Length of a window in microseconds."""
        return microseconds(self.config.windows.length)

    @cached_property
    def config_json(self) -> str:
        """The model's part of the file as JSON; references to secrets are not resolved."""
        return json.dumps(self.config.raw, ensure_ascii=False, default=str, sort_keys=True)

    @cached_property
    def config_digest(self) -> str:
        """Identifies the configuration and the plugins; it is stored with every window."""
        return sha256(f"{model_digest(self.config)} {self.plugins}".encode()).hexdigest()[:16]

    @cached_property
    def collectors(self) -> tuple[str, ...]:
        """Names of the collectors that the checks of this model need."""
        names = {name for plan in self.plans for name in plan.check.collectors}
        return (*ALWAYS_COLLECTED, *sorted(names - set(ALWAYS_COLLECTED)))

    @cached_property
    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """What the checks ask of their collectors, by collector."""
        return collector_requests(self.plans)

    @cached_property
    def named_columns(self) -> frozenset[str]:
        """The columns that options of its checks name."""
        return frozenset(name for plan in self.plans for name in plan.named_columns)

    @property
    def reference_digest(self) -> str:
        """Identifies the settings that a reference depends on."""
        return reference_digest(self.origin, self.schema, self.collectors, self.collector_options)

    def make_job(
        self,
        schema: Schema,
        spec: ProfileSpec,
        now: datetime,
        *,
        collectors: Collectors,
        base: Path,
        transform: Transform | None = None,
        input_columns: tuple[str, ...] = (),
    ) -> Job:
        """Return how the objects of this model are read.

        `collectors` are all that are registered, `base` is the folder of the configuration, and
        `input_columns` are names for formats whose records have none.
        """
        return Job(
            source=self.config.source,
            formats=with_input_columns(self.formats, input_columns),
            schema=schema,
            spec=spec,
            length=self.window_length,
            latest=latest_event_time(now),
            collectors=collectors,
            transform=transform,
            base=base,
        )


def microseconds(span: timedelta) -> int:
    """Return a span in microseconds."""
    return span // timedelta(microseconds=1)


def with_input_columns(
    formats: Mapping[str, Format], columns: tuple[str, ...]
) -> Mapping[str, Format]:
    """Return the formats of a log, told the names of the model's inputs in their order."""
    if not columns:
        return formats
    return {suffix: form.with_columns(columns) for suffix, form in formats.items()}


LATER_FIELDS: Mapping[str, object] = {
    "segment_rules": {},
    "time_form": TimeForm(),
    "task_columns": TaskColumns(),
    "service": ServiceColumns(),
}
"""Fields of a schema that earlier versions did not have, with the values that stand for them."""


def _text_of_earlier_fields(schema: Schema) -> str:
    """Return a schema as JSON; later fields are left out where they have their first values."""
    document = msgspec.to_builtins(schema, order="deterministic")
    for name, plain in LATER_FIELDS.items():
        if document[name] == msgspec.to_builtins(plain):
            del document[name]
    return msgspec.json.encode(document).decode()


def reference_digest(
    origin: Origin,
    schema: Schema | None,
    collectors: tuple[str, ...],
    collector_options: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """Return 16 hex digits that identify the settings that a reference depends on."""
    source = origin.source
    if schema is not None:
        # The default was "1" before classes were found in the values: a state of that time keeps
        # its reference, and the predictions that wait for labels.
        schema = replace(schema, positive=schema.positive or "1")
    text = None if schema is None else _text_of_earlier_fields(schema)
    facts: tuple[object, ...] = (
        None if source is None else (source.type, source.model_dump(mode="json")),
        None if origin.span is None else [at.isoformat() for at in origin.span],
        None if origin.trailing is None else origin.trailing.total_seconds(),
        text,
        sorted(collectors),
    )
    if collector_options:
        facts += (sorted(collector_options.items()),)
    return sha256(msgspec.json.encode(facts)).hexdigest()[:16]


def make_settings(
    config: Config, name: str, registry: Registry, *, patience_ticks: int
) -> ModelSettings:
    """Return the settings of the model `name`."""
    model = config.models[name]
    schema = _schema(model)
    return ModelSettings(
        name=name,
        config=model,
        formats=SourceFormats(model.source, registry),
        origin=_origin(model, registry),
        schema=schema,
        plans=_check_plans(model),
        alerts=AlertSettings(
            receivers=receivers_of(config, name),
            lifespans=Lifespans(model.reopen_within),
            silencing=_silencing(config, model),
            phrasebook=phrasebook_for(config),
            links=PageLinks(config).links,
            facts=partial(declared_facts, model),
            cost_basis=_cost_basis(model),
        ),
        plugins=json.dumps(_plugin_versions(model, registry), ensure_ascii=False, sort_keys=True),
        labels=_labels(model, schema, registry),
        receivers=frozenset((*config.sinks, *config.actions)),
        patience_ticks=patience_ticks,
    )


def declared_facts(model: ModelConfig, notification: Notification) -> Mapping[str, str]:
    """What the configuration says for people: runbook, owner, dashboard and tags.

    The check of the strongest alert comes first; what it leaves out is that of the model.
    """
    first = notification.alerts[0].check if notification.alerts else ""
    check = (model.checks or {}).get(first)
    facts = {
        "runbook": (check and check.runbook) or model.runbook,
        "owner": (check and check.owner) or model.owner,
        "dashboard": (check and check.dashboard) or model.dashboard,
        **model.tags,
        **(check.tags if check else {}),
    }
    return {name: text for name, text in facts.items() if text}


def _cost_basis(model: ModelConfig) -> CostBasis | None:
    """Return where the worth of a row is measured: by the first check that measures it."""
    for name, check in (model.checks or {}).items():
        worth = check.plugin.worth()
        if worth is not None:
            return CostBasis(name, worth)
    return None


def declared_inhibitions(registry: Registry) -> list[Inhibition]:
    """Return the inhibitions that checks declare, for a configuration without any `while`."""
    pairs = [pair for type_ in registry.checks() for pair in type_.inhibits]
    return [
        *(Inhibition(Matchers.parse(source), Matchers.parse(target)) for source, target in pairs),
        UNREAD,
    ]


def phrasebook_for(config: Config) -> Phrasebook:
    """Return the phrasebook of the configuration's checks, by their names in it.

    A name that stands for checks of different types in two models has no words of its own.
    """
    types: dict[str, set[type[Check]]] = {}
    for model in config.models.values():
        for name, check in (model.checks or {}).items():
            types.setdefault(name, set()).add(type(check.plugin))
    return Phrasebook(
        config.registry.checks(),
        {name: next(iter(classes)) for name, classes in types.items() if len(classes) == 1},
        {name: _output_columns(model) for name, model in config.models.items()},
    )


def _output_columns(model: ModelConfig) -> frozenset[str]:
    """The columns of predictions and scores; the usual names where the schema is inferred."""
    schema = _schema(model)
    if schema is None:
        return frozenset((*PREDICTIONS, *SCORES))
    return frozenset(field.name for field in (schema.prediction, schema.score) if field is not None)


def _silencing(config: Config, model: ModelConfig) -> Silencing:
    mute_times = [
        MuteTime(
            name=name,
            cron=mute.cron,
            length=mute.for_,
            zone=ZoneInfo(mute.zone),
            matchers=Matchers.parse(mute.match),
        )
        for name, mute in config.mute_times.items()
    ]
    rules = config.inhibit
    is_declared = rules is None or (bool(rules) and all(rule.unless is not None for rule in rules))
    inhibitions = declared_inhibitions(config.registry) if is_declared else []
    for rule in rules or ():
        condition = Matchers.parse(rule.while_ or rule.unless or "")
        inhibitions.append(
            Inhibition(condition, Matchers.parse(rule.hold), unless=rule.unless is not None)
        )
    return Silencing(
        mute_times=mute_times, inhibitions=inhibitions, max_pages=model.max_pages_per_day
    )


def _schema(model: ModelConfig) -> Schema | None:
    """Return the declared schema; where labels come later, with the column that they refer to."""
    if model.schema_ is None:
        return None
    schema = model.schema_.to_schema()
    if model.labels is None:
        return schema
    path = model.labels.joins or (schema.id.path if schema.id else "")
    # A column that is read anyway is not read twice; no other can have a name with # in it.
    joins = next((part for part in schema.fields if part.path == path), Field(f"#{path}", path))
    label = schema.label or Field("label", "label", _label_kind(schema))
    return replace(schema, label=label, joins=joins)


def _labels(model: ModelConfig, schema: Schema | None, registry: Registry) -> LabelSettings | None:
    config = model.labels
    if config is None or schema is None or schema.label is None:
        return None
    id_path = config.id or (schema.id.path if schema.id else config.joins or "")
    records = Schema(
        label=Field("label", config.label or schema.label.path, _label_kind(schema)),
        joins=Field("id", id_path),
        timestamp=None if config.time is None else Field("time", config.time.path),
        time_form=TimeForm() if config.time is None else config.time.form(),
        task=schema.task,
    )
    formats = SourceFormats(config.plugin, registry)
    return LabelSettings(config=config, formats=formats, schema=records)


def _label_kind(schema: Schema) -> Kind:
    return Kind.NUMERIC if schema.task in NUMERIC_TASKS else Kind.CATEGORICAL


def _origin(model: ModelConfig, registry: Registry) -> Origin:
    reference = model.reference
    if reference is None:
        return Origin(trailing=timedelta(days=DEFAULT_TRAILING_DAYS))
    if reference.plugin is not None:
        formats = SourceFormats(reference.plugin, registry)
        return Origin(source=reference.plugin, formats=formats)
    return Origin(span=reference.window, trailing=reference.trailing)


def _plugin_versions(model: ModelConfig, registry: Registry) -> dict[str, str]:
    """Return version and origin of every plugin that a model's numbers depend on."""
    sources = [model.source]
    if model.reference is not None and model.reference.plugin is not None:
        sources.append(model.reference.plugin)
    if model.labels is not None:
        sources.append(model.labels.plugin)
    formats = [source.format for source in sources]
    names: dict[PluginKind, set[str]] = {
        "source": {source.type for source in sources},
        "format": set(registry.releases("format"))
        if None in formats
        else {form.type if isinstance(form, FormatRef) else str(form) for form in formats},
        "check": {check.type for check in (model.checks or {}).values()},
    }
    return {"driftline": __version__} | {
        f"{kind} {name}": releases[name]
        for kind, chosen in names.items()
        for releases in [registry.releases(kind)]
        for name in sorted(chosen & releases.keys())
    }


def _check_plans(model: ModelConfig) -> list[CheckPlan]:
    return [
        CheckPlan(
            name=name,
            check=config.plugin,
            rules=()
            if config.rule is None
            else tuple(config.rule if isinstance(config.rule, list) else [config.rule]),
            persistence=config.for_,
            keep=config.keep_firing,
            min_rows=config.min_rows,
            warn_only=frozenset(model.warn_only),
            false_pages_per_year=model.false_pages_per_year,
            named_columns=frozenset(
                column
                for _, column in find_named_columns(
                    type(config.plugin),
                    config.plugin.model_dump(mode="json", exclude_unset=True),
                    (),
                )
            ),
        )
        for name, config in (model.checks or {}).items()
    ]
