"""What may stand in a configuration: every setting with its type, its default and a sentence.

Refuses settings of plugins: those are declared in the plugins, and stand under `options`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PrivateAttr,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from driftline.config.columns import SchemaConfig
from driftline.config.sections import InhibitConfig, MuteTimeConfig, RouteConfig
from driftline.contracts.action import Action
from driftline.contracts.check import Check
from driftline.contracts.executor import ExecutorFactory
from driftline.contracts.rule import Rule
from driftline.contracts.sink import Sink
from driftline.contracts.source import Source
from driftline.extensions.registry import Registry
from driftline.types.message import Piece
from driftline.types.model import Decision, Severity
from driftline.types.scalars import Bytes, Duration, Length, Size, Span
from driftline.types.secret import Secret

INTERNAL = frozenset({"plugin", "raw", "origin"})
"""Fields that no file sets: what was made from the others."""


class SettingsGroup(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class KeepConfig(SettingsGroup):
    """How long summaries are kept. The record of what was read, and incidents, stay for good."""

    profiles_hourly: Length = timedelta(days=30)
    """Summaries of single windows; older ones are merged into days."""
    profiles_daily: Length = timedelta(days=400)
    """Summaries of days."""
    measurements: Length = timedelta(days=800)
    """What the checks measured, and the verdicts."""


class ExecutorConfig(SettingsGroup):
    """Where log objects are read and summarised."""

    type: str = "threads"
    """`threads` of the agent itself, or an executor plugin."""
    options: dict[str, Any] = {}
    """The settings of the executor plugin."""
    plugin: SkipJsonSchema[InstanceOf[ExecutorFactory] | None] = Field(default=None, repr=False)
    """The plugin itself; None for threads."""


class OtlpConfig(SettingsGroup):
    """Where metrics are pushed to, for collectors that don't scrape."""

    endpoint: str = Field(pattern=r"^https?://")
    """The address of the collector's metrics, such as `http://localhost:4318/v1/metrics`."""
    headers: dict[str, Secret] = {}
    """Headers of each push, such as an API key."""
    every: Length = timedelta(seconds=60)
    """The pause between two pushes."""


class AgentConfig(SettingsGroup):
    """The agent itself."""

    state: str = Field(default="sqlite:///driftline.db", repr=False)
    """Where the agent keeps its state: a database URL. A relative SQLite path starts at the folder
    of this file.

    Several agents may share `postgresql://user@host/database` (PostgreSQL 14 or newer): one works,
    the others stand by.
    """
    http: str | None = "127.0.0.1:8080"
    """Address and port of health pages and metrics; `null` opens none."""
    http_token: Secret | None = None
    """The token that readers of the pages must show; needed where `http` can be reached from other
    machines.
    """
    otlp: OtlpConfig | None = None
    """Where metrics are pushed to; they can be scraped from `http` in any case. Needs the extra
    `otlp`.
    """
    token: Secret | None = None
    """The token that programs must show to act on incidents by HTTP; links in messages are signed
    with it. Without it nobody can act by HTTP.
    """
    public_url: str | None = None
    """Where people reach the pages of this agent, such as https://driftline.example: messages get
    links to see their incident, and to act on it. Needs `token`.
    """
    every: Length = timedelta(seconds=60)
    """The pause between two looks at a source."""
    executor: ExecutorConfig = ExecutorConfig()
    """Where log objects are read and summarised."""
    workers: int | None = Field(default=None, ge=1)
    """How many log objects are read at a time; as many as the machine has processors, up to 8, when
    absent.
    """
    keep: KeepConfig = KeepConfig()
    """How long summaries are kept."""

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
            raise ValueError("should be an address such as https://driftline.example")
        return value

    @field_validator("http")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            host, _, port = value.rpartition(":")
            if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
                raise ValueError("should be an address and a port, such as 127.0.0.1:8080")
        return value


class PluginsConfig(SettingsGroup):
    """Plugins of your own."""

    paths: tuple[str, ...] = ()
    """Files, or folders of files, with your own plugins; a relative path starts at the folder of
    this file.
    """


class WindowsConfig(SettingsGroup):
    """How event time is cut."""

    length: Length = timedelta(hours=1)
    """How long a window is. Windows start at multiples of it since 1970-01-01 UTC. Once a model has
    state, it stays.
    """
    lateness: Duration = timedelta(minutes=15)
    """How long after its end a window waits for records that come late before it is judged."""
    reopen_for: Duration = timedelta(hours=24)
    """How long a window is judged again when late records come, by the newest event time; later
    ones are only counted.
    """
    backfill: Length | None = timedelta(days=90)
    """How far back logs are read that lie in folders named by time; older ones are left alone.
    `null` reads them all.
    """
    notify_within: Length | None = timedelta(days=1)
    """A window that ended longer ago than this when it is first judged is judged in silence: what
    happened while nobody watched is kept and shown, and nobody is called for it. `null` tells of
    all windows, however old.
    """


class ReferenceConfig(SettingsGroup):
    """What windows are compared with: exactly one of a plugin (`type`, `options`), `window` and
    `trailing`.
    """

    type: str | None = None
    """The source that holds the reference, such as the training data."""
    options: dict[str, Any] = {}
    """The settings of that source."""
    window: Span | None = None
    """A fixed span of the model's own records: START/END, UTC."""
    trailing: Length | None = None
    """The newest records of the model itself, this far back, taken once there are enough of
    them.
    """
    plugin: SkipJsonSchema[InstanceOf[Source] | None] = Field(default=None, repr=False)
    """The source itself."""

    @model_validator(mode="after")
    def _exactly_one(self) -> ReferenceConfig:
        if sum(part is not None for part in (self.type, self.window, self.trailing)) != 1:
            raise ValueError("give exactly one of type (with options), window and trailing")
        return self


class LabelsConfig(SettingsGroup):
    """Labels that come later and on their own, from any source: joined by id with the
    predictions.
    """

    type: str
    """The source that holds the labels."""
    options: dict[str, Any] = {}
    """The settings of that source."""
    id: str | None = Field(default=None, min_length=1)
    """Where the id stands in a label's record: a column, or a path; the predictions' own
    (`schema.id`) when absent.
    """
    label: str | None = Field(default=None, min_length=1)
    """Where the true class or number stands in it; `schema.label`, else `label`, when absent."""
    time: str | None = Field(default=None, min_length=1)
    """Where it says when the label was given: the newest counts. The last change of its object when
    absent.
    """
    joins: str | None = Field(default=None, min_length=1)
    """The column of the predictions that a label's id refers to; `schema.id` when absent."""
    wait_for: Length = timedelta(days=30)
    """How long predictions wait for their labels, by the newest event time; labels that come later
    are too late.
    """
    max_disk: Size = Field(default_factory=lambda: Bytes(2_000_000_000))
    """How much of the state may wait: beyond it the oldest predictions stop waiting, and people are
    told.
    """
    plugin: SkipJsonSchema[InstanceOf[Source]] = Field(repr=False)
    """The source itself."""


class CheckConfig(SettingsGroup):
    """One check of a model, and what judges its measurements."""

    type: str
    """The check plugin."""
    options: dict[str, Any] = {}
    """The settings of the plugin."""
    rule: Rule | list[Rule] | None = None
    """What judges the measurements: one rule, or a list of them; the check's own rules when
    absent.
    """
    for_: int = Field(default=1, ge=1, alias="for")
    """How many windows in a row must be changed before people are told."""
    keep_firing: int = Field(default=0, ge=0)
    """How many windows in a row must be fine again before the alert is resolved, beyond the
    first.
    """
    min_rows: int | None = Field(default=None, ge=1)
    """Fewer rows than this behind a measurement are too few to judge; the check's own number when
    absent.
    """
    plugin: SkipJsonSchema[InstanceOf[Check]] = Field(repr=False)
    """The check itself."""


class ModelConfig(SettingsGroup):
    """One monitored model."""

    source: Annotated[InstanceOf[Source], WithJsonSchema({"type": "object"})]
    """Where the prediction logs are."""
    schema_: SchemaConfig | None = Field(default=None, alias="schema")
    """What the columns of the logs mean. Inferred from the reference, or the first records, and
    shown, when absent.
    """
    labels: LabelsConfig | None = None
    """Where labels come from that are not in the prediction logs."""
    reference: ReferenceConfig | None = None
    """What windows are compared with; the newest 28 days when absent."""
    windows: WindowsConfig = WindowsConfig()
    """How event time is cut."""
    checks: dict[str, CheckConfig] | None = None
    """The checks by names of your own. When absent: schema, drift, missing, range, units, volume,
    freshness, with a label performance, with an id uniqueness, labels where these come later, text
    and embedding where the schema has such features.
    """
    false_pages_per_year: float = Field(default=1.0, gt=0)
    """How often a year people may be told, over all columns and checks that are judged by what is
    usual, while nothing really changes: what the rule `unusual` is designed for.
    """
    warn_only: tuple[str, ...] = ()
    """Columns in which what is judged by the usual is at most a `warning`: those that `driftline
    backtest` found to alarm of themselves.
    """
    reopen_within: Length = timedelta(hours=24)
    """An alert that comes back this soon after the end of its incident reopens it, in the same
    thread; at least three windows.
    """
    max_pages_per_day: int = Field(default=5, ge=0)
    """At most so many critical incidents are told one by one within 24 hours; the others are told
    together, as one digest.
    """
    notify: tuple[str, ...] | None = None
    """Sinks that are told of every incident of this model, beside those that `routes` lead to;
    without a list, and where no route says otherwise, all sinks are told.
    """
    tags: dict[str, str] = {}
    """What routes may go by, such as `team: growth`."""
    every: Length | None = None
    """The pause between two looks at this model's source; the agent's when absent."""
    raw: SkipJsonSchema[dict[str, Any]] = Field(default={}, repr=False)
    """What the file says of this model, references unresolved."""


class TemplateFile(SettingsGroup):
    """A template in a file of its own."""

    file: Path
    """Relative to the configuration."""

    def text(self, base: Path) -> str:
        """What stands in it. Raises OSError or ValueError."""
        return (base / self.file).read_text(encoding="utf-8")


class SinkConfig(SettingsGroup):
    """One way to tell people."""

    type: str
    """The sink plugin."""
    options: dict[str, Any] = {}
    """The settings of the plugin."""
    min_severity: Severity = Severity.INFO
    """Incidents that matter less are not sent here."""
    allow_private: bool = False
    """Whether it may send to addresses of private networks and of this machine."""
    templates: dict[Piece, str | TemplateFile] = {}
    """Texts of your own in place of those that ship, by piece: `lead: "..."`, or `lead: {file:
    lead.j2}`.
    """
    plugin: SkipJsonSchema[InstanceOf[Sink]] = Field(repr=False)
    """The sink itself."""


class WhenConfig(SettingsGroup):
    """When an action is called for: when an alert fires that all of these are true of."""

    models: tuple[str, ...] = ()
    """Of these models; of all when empty."""
    causes: tuple[str, ...] = ()
    """Of these families, such as `performance`; of all when empty."""
    checks: tuple[str, ...] = ()
    """Of the checks of these names; of all when empty."""
    severity: Severity = Severity.CRITICAL
    """At least this severe."""
    decision: Decision | None = None
    """Only when the check itself says that this is to be done."""


class ActionConfig(SettingsGroup):
    """One way to change the world when an incident calls for it: once for each incident."""

    type: str
    """The action plugin."""
    options: dict[str, Any] = {}
    """The settings of the plugin."""
    enabled: bool = False
    """Nothing is called for until this is true."""
    dry_run: bool = True
    """Only record and log what would be sent. Nothing is sent until this is false."""
    when: WhenConfig = WhenConfig()
    """When it is called for."""
    approval: bool = False
    """Whether a person must approve each run: `driftline actions approve`."""
    approve_within: Length = timedelta(days=1)
    """How long a run waits for approval before it expires."""
    approve_by_link: bool = False
    """Whether the page of the incident lets whoever has a link to it approve a run, or reject it.
    Needs `agent.public_url`.
    """
    max_per_day: int = Field(default=1, ge=1)
    """How many runs there may be in 24 hours; others are held back, and can be ordered by hand."""
    allow_private: bool = False
    """Whether it may send to addresses of private networks and of this machine."""
    trusted: Path | None = None
    """A file of the certificates of authorities to trust in place of the public ones."""
    plugin: SkipJsonSchema[InstanceOf[Action]] = Field(repr=False)
    """The action itself."""


def _version(value: Any) -> Any:
    if value != 1 or isinstance(value, bool):
        raise ValueError("should be 1, the only version of the configuration there is")
    return value


class Config(SettingsGroup):
    """The whole configuration of an agent."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    """The version of this format; always 1."""
    agent: AgentConfig = AgentConfig()
    """The agent itself."""
    plugins: PluginsConfig = PluginsConfig()
    """Plugins of your own."""
    models: dict[str, ModelConfig] = Field(min_length=1)
    """The monitored models by names of your own."""
    sinks: dict[str, SinkConfig] = {}
    """The ways to tell people by names of your own."""
    mute_times: dict[str, MuteTimeConfig] = {}
    """Times in which messages wait, by names of your own. The end of an incident is told at any
    time.
    """
    inhibit: list[InhibitConfig] | None = None
    """Incidents that hold others back. When absent, missing or late rows, and a source that can't
    be read, hold drift and quality.
    """
    routes: RouteConfig = RouteConfig()
    """Who is told of which incident."""
    actions: dict[str, ActionConfig] = {}
    """What is to be done when an incident calls for it, by names of your own."""
    origin: SkipJsonSchema[Path] = Field(repr=False)
    """The file."""

    _registry: Registry = PrivateAttr()

    @property
    def registry(self) -> Registry:
        """The plugins that the configuration was read with."""
        return self._registry
