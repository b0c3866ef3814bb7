"""The settings of the core: every setting with its type, its default and a description.

Does not hold the settings of plugins: the plugins declare those, and they stand under `options`.
The docstrings of the fields are the reference page of the configuration.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    PositiveInt,
    PrivateAttr,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from driftline.config.columns import SchemaConfig, TimeColumnRef
from driftline.config.sections import InhibitConfig, MuteTimeConfig, RecordConfig, RouteConfig
from driftline.contracts.action import Action
from driftline.contracts.check import Check
from driftline.contracts.executor import ExecutorFactory
from driftline.contracts.rule import Rule
from driftline.contracts.sink import Sink
from driftline.contracts.source import Source
from driftline.extensions.registry import Registry
from driftline.types.message import Piece
from driftline.types.model import Decision, Severity
from driftline.types.network_address import NetworkAddress
from driftline.types.scalars import (
    Bytes,
    ChangedWindows,
    Duration,
    Length,
    Persistence,
    Size,
    Span,
)
from driftline.types.secret import Secret
from driftline.types.settings import Settings

INTERNAL = frozenset({"plugin", "raw", "origin"})
"""Fields that no file may set: they are built from the others."""


class KeepConfig(Settings):
    """How long summaries are kept. Incidents, and the list of objects read, are kept for ever."""

    profiles_hourly: Length = timedelta(days=30)
    """How long summaries of single windows are kept. After that they are merged into days."""
    profiles_daily: Length = timedelta(days=400)
    """How long summaries of days are kept."""
    measurements: Length = timedelta(days=800)
    """How long measurements and verdicts are kept."""


class ExecutorConfig(Settings):
    """Where log objects are read and summarised."""

    type: str = "threads"
    """`threads` (inside the agent), or the name of an executor plugin."""
    options: dict[str, Any] = {}
    """The settings of the executor plugin."""
    plugin: SkipJsonSchema[InstanceOf[ExecutorFactory] | None] = Field(default=None, repr=False)
    """The plugin itself; None for threads."""


class OtlpConfig(Settings):
    """Where metrics are pushed, for OpenTelemetry collectors that don't scrape."""

    endpoint: str = Field(pattern=r"^https?://")
    """The URL that takes metrics, such as `http://localhost:4318/v1/metrics`."""
    headers: dict[str, Secret] = {}
    """HTTP headers of each push, such as an API key."""
    every: Length = timedelta(seconds=60)
    """The time between two pushes."""


class HeartbeatConfig(Settings):
    """A dead man's switch: requests that stop when the agent does not do its work."""

    type: Literal["ping", "alertmanager"] = "ping"
    """`ping` posts to `url`, for services such as Healthchecks.

    `alertmanager` keeps an alert called `Watchdog` firing in the Alertmanager at `url`.
    """
    url: Annotated[Secret | str, Field(union_mode="left_to_right")]
    """The URL of the check, or the address of an Alertmanager such as `http://localhost:9093`."""
    every: Length = timedelta(seconds=60)
    """The time between two requests."""
    allow_private: bool = False
    """Whether `url` may be on this machine or in a private network."""


class AgentConfig(Settings):
    """The agent itself."""

    state: str = Field(default="sqlite:///driftline.db", repr=False)
    """The URL of the database that holds the agent's state.

    A relative SQLite path starts at the folder of this file.

    Several agents can share `postgresql://user@host/database` (PostgreSQL 14 or newer). One of them
    works, the others stand by.
    """
    http: str | None = "127.0.0.1:8080"
    """The address and port of the web pages and of the metrics. `null` opens no port."""
    http_token: Secret | None = None
    """The token for reading the pages. Required if other machines can reach `http`."""
    http_user_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    """The header in which a proxy names the person who reads, such as `X-Forwarded-User`.

    The pages are then open to requests of `http_proxies` that have this header. The proxy has to
    remove the header from what browsers send. To change anything still needs `token`.
    """
    http_proxies: tuple[NetworkAddress, ...] = ("127.0.0.1", "::1")
    """The addresses or networks from which that proxy asks, such as `10.0.0.0/24`."""
    http_hosts: tuple[str, ...] = ()
    """The names by which people reach the pages, besides those of this machine and `public_url`.

    Without `http_token`, requests for other names are turned away: they come from pages of other
    sites. IP addresses need no entry.
    """
    http_certificate: Path | None = None
    """The certificate, in PEM with its chain, with which `http` speaks TLS. Needs `http_key`.

    A relative path starts at the folder of this file.
    """
    http_key: Path | None = None
    """The key of `http_certificate`, in PEM."""
    otlp: OtlpConfig | None = None
    """Where metrics are pushed. They can be scraped from `http`, too. Needs the extra `otlp`."""
    heartbeat: HeartbeatConfig | None = None
    """A dead man's switch: requests that a service expects, so that a dead agent is noticed."""
    token: Secret | None = None
    """The token for acting on incidents over HTTP.

    It also signs the links in messages. Without it nobody can act over HTTP.
    """
    inbox: str | None = None
    """The folder for points that programs bring with `POST /api/measurements`.

    Each model has a folder of its name in it, which a source reads. A relative path starts at the
    folder of this file. Needs `token`.
    """
    public_url: str | None = None
    """The URL at which people reach this agent, such as https://driftline.example.

    Messages then link to the page of their incident. Needs `token`.
    """
    every: Length = timedelta(seconds=60)
    """The time between two looks at a source for new objects."""
    executor: ExecutorConfig = ExecutorConfig()
    """Where log objects are read and summarised."""
    workers: int | None = Field(default=None, ge=1)
    """The number of log objects that are read at the same time.

    Default: the number of processors, at most 8.
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


class PluginsConfig(Settings):
    """Plugins of your own."""

    paths: tuple[str, ...] = ()
    """Files and folders with your own plugins.

    A relative path starts at the folder of this file.
    """


class WindowsConfig(Settings):
    """How event time is divided into windows."""

    length: Length = timedelta(hours=1)
    """The length of a window.

    Windows start at multiples of it since 1970-01-01 UTC, whatever the zone of the times: a window
    of a day is a day in UTC. It can't change once a model has state.
    """
    rows: PositiveInt | None = None
    """The rows that a window must hold to be judged, for uneven traffic.

    Consecutive windows of `length` are joined until they hold that many, 24 of them at most. Late
    rows are judged with the window that they belong to. `null` judges each by itself.
    """
    lateness: Duration = timedelta(minutes=15)
    """How long a window waits for late records after its end. Then it is judged."""
    reopen_for: Duration = timedelta(hours=24)
    """How long a window is judged again when late records arrive, measured in event time.

    Records that arrive later are only counted.
    """
    backfill: Length | None = timedelta(days=90)
    """How far back logs in folders named by time are read. `null` reads them all."""
    notify_within: Length | None = timedelta(days=1)
    """The oldest windows that lead to messages.

    A window that ended longer ago when it is first judged is stored and shown, but no message is
    sent. `null` sends messages about all windows.
    """


class ReferenceConfig(Settings):
    """What windows are compared with.

    Give exactly one of `type` (with `options`), `window` and `trailing`.
    """

    type: str | None = None
    """The source that holds the reference, such as the training data."""
    options: dict[str, Any] = {}
    """The settings of that source."""
    window: Span | None = None
    """A fixed span of the model's own records: START/END, UTC."""
    trailing: Length | None = None
    """The newest records of the model itself, this far back.

    They are taken once there are enough of them.
    """
    plugin: SkipJsonSchema[InstanceOf[Source] | None] = Field(default=None, repr=False)
    """The source itself."""

    @model_validator(mode="after")
    def _exactly_one(self) -> ReferenceConfig:
        if sum(part is not None for part in (self.type, self.window, self.trailing)) != 1:
            raise ValueError("give exactly one of type (with options), window and trailing")
        return self


class LabelsConfig(Settings):
    """Labels that arrive later, from a source of their own.

    They are joined with the predictions by id.
    """

    type: str
    """The source that holds the labels."""
    options: dict[str, Any] = {}
    """The settings of that source."""
    id: str | None = Field(default=None, min_length=1)
    """The column or path of the id in a label's record.

    Default: that of the predictions, `schema.id`.
    """
    label: str | None = Field(default=None, min_length=1)
    """The column or path of the true class or number in it.

    Default: `schema.label`, else `label`.
    """
    time: TimeColumnRef | None = None
    """The column or path of the time of the label; the newest label counts.

    Default: the last change of its object.
    """
    joins: str | None = Field(default=None, min_length=1)
    """The column of the predictions that a label's id refers to. Default: `schema.id`."""
    wait_for: Length = timedelta(days=30)
    """How long predictions wait for their labels, measured in event time.

    Labels that arrive later are ignored.
    """
    max_disk: Size = Field(default_factory=lambda: Bytes(2_000_000_000))
    """The most disk space for predictions that wait.

    Beyond it the oldest ones stop waiting, and a message is sent.
    """
    plugin: SkipJsonSchema[InstanceOf[Source]] = Field(repr=False)
    """The source itself."""


class CheckConfig(Settings):
    """One check of a model, with the rules for its measurements."""

    type: str
    """The name of the check plugin."""
    options: dict[str, Any] = {}
    """The settings of the plugin."""
    rule: Rule | list[Rule] | None = None
    """The rule that judges the measurements, or a list of rules.

    Default: the rules of the check.
    """
    for_: ChangedWindows = Field(default=Persistence(), alias="for")
    """How many windows in a row must be changed before a message is sent.

    `3 of 5`: three of the newest five. The alert then ends after three fine windows in a row.
    """
    keep_firing: int = Field(default=0, ge=0)
    """How many more windows must be fine, after the first one, before the alert is resolved."""
    min_rows: int | None = Field(default=None, ge=1)
    """The fewest rows that a measurement needs; with fewer rows the verdict is `unsure`.

    Default: that of the check.
    """
    runbook: str | None = None
    """What to do about its incidents, such as the address of a page. Default: that of the model."""
    owner: str | None = None
    """Who looks after its incidents. Default: that of the model."""
    dashboard: str | None = None
    """The address of a page about its incidents. Default: that of the model."""
    tags: dict[str, str] = {}
    """Further tags of its incidents; a tag of the same name replaces that of the model."""
    plugin: SkipJsonSchema[InstanceOf[Check]] = Field(repr=False)
    """The check itself."""


class ModelConfig(Settings):
    """One monitored model."""

    source: Annotated[InstanceOf[Source], WithJsonSchema({"type": "object"})]
    """Where the prediction logs are."""
    schema_: SchemaConfig | None = Field(default=None, alias="schema")
    """The columns of the logs.

    Default: inferred from the reference or the first records, and shown.
    """
    labels: LabelsConfig | None = None
    """The source of labels that are not in the prediction logs."""
    reference: ReferenceConfig | None = None
    """What windows are compared with. Default: the newest 28 days."""
    windows: WindowsConfig = WindowsConfig()
    """How event time is divided into windows."""
    checks: dict[str, CheckConfig] | None = None
    """The checks by names of your own.

    Default: schema, drift, missing, range, units, volume and freshness. Further, if they apply:
    correlation (with numeric features), performance and label_classes (with labels), labels (with
    labels that arrive later), uniqueness (with an id), text and embedding (with such features).
    """
    false_pages_per_year: float = Field(default=1.0, gt=0)
    """How many false alarms a year the rule `unusual` may raise for this model.

    They count over all its columns and checks.
    """
    warn_only: tuple[str, ...] = ()
    """Columns for which the rule `unusual` gives at most `warning`.

    Use it for columns that raise false alarms in `driftline backtest`.
    """
    reopen_within: Length = timedelta(hours=24)
    """An alert that comes back within this time reopens its incident, in the same thread.

    The time runs from the end of the incident. It is at least three windows.
    """
    max_pages_per_day: int = Field(default=5, ge=0)
    """The most critical incidents that get a message each within 24 hours.

    Further ones share one digest.
    """
    first_report: bool = True
    """Whether a message of severity `info` reports what the first windows were like.

    It comes once for each version of the model, after its first day or at the end of a backlog, at
    most once a week. It opens no incident.
    """
    notify: tuple[str, ...] | None = None
    """Sinks that get every incident of this model, beside the sinks of `routes`.

    Without this list and without a matching route, all sinks do.
    """
    runbook: str | None = None
    """What to do about its incidents, such as the address of a page; shown in every message."""
    owner: str | None = None
    """Who looks after it; shown in every message. Routes match it as the tag `owner`."""
    dashboard: str | None = None
    """The address of a page about it; shown in every message."""
    tags: dict[str, str] = {}
    """Tags that routes can match, such as `team: growth`; shown in every message."""
    record: RecordConfig = RecordConfig()
    """Its versions, aliases, datasets and events, as far as they stand in this file."""
    every: Length | None = None
    """The time between two looks at this model's source. Default: `agent.every`."""
    raw: SkipJsonSchema[dict[str, Any]] = Field(default={}, repr=False)
    """The settings of this model as in the file, references unresolved."""

    @property
    def has_record(self) -> bool:
        """Whether the file says anything of the model that its records hold."""
        return bool(self.owner or self.tags or self.runbook or self.dashboard) or (
            self.record != RecordConfig()
        )

    @property
    def route_tags(self) -> dict[str, str]:
        """The tags that routes match: those of the model, and its owner."""
        return {**({"owner": self.owner} if self.owner else {}), **self.tags}

    @property
    def check_route_tags(self) -> dict[str, dict[str, str]]:
        """The tags that routes match for the alerts of each check, by the name of the check."""
        return {
            name: {
                **self.route_tags,
                **({"owner": check.owner} if check.owner else {}),
                **check.tags,
            }
            for name, check in (self.checks or {}).items()
        }


class TemplateFile(Settings):
    """A template in a file of its own."""

    file: Path
    """The path of the file. A relative path starts at the folder of the configuration."""

    def text(self, base: Path) -> str:
        """Return the text of the file. Raises OSError or ValueError."""
        return (base / self.file).read_text(encoding="utf-8")


class SinkConfig(Settings):
    """One receiver of messages."""

    type: str
    """The name of the sink plugin."""
    options: dict[str, Any] = {}
    """The settings of the plugin."""
    min_severity: Severity = Severity.INFO
    """The lowest severity that is sent here."""
    open_incidents: bool = True
    """Whether a sink that is added gets the incidents that are open then."""
    allow_private: bool = False
    """Whether the sink may send to addresses of private networks and of this machine."""
    templates: dict[Piece, str | TemplateFile] = {}
    """Your own templates in place of those that ship, by piece.

    Write `lead: "..."`, or `lead: {file: lead.j2}`.
    """
    plugin: SkipJsonSchema[InstanceOf[Sink]] = Field(repr=False)
    """The sink itself."""


class WhenConfig(Settings):
    """When an action runs: when an alert fires that meets all of these conditions."""

    models: tuple[str, ...] = ()
    """The models. Empty: all of them."""
    causes: tuple[str, ...] = ()
    """The families, such as `performance`. Empty: all of them."""
    checks: tuple[str, ...] = ()
    """The checks, by their names in the configuration. Empty: all of them."""
    severity: Severity = Severity.CRITICAL
    """The lowest severity."""
    decision: Decision | None = None
    """The decision that the check must recommend. Default: none is needed."""


class ActionConfig(Settings):
    """One action, such as a retraining. It runs once for each incident that calls for it."""

    type: str
    """The name of the action plugin."""
    options: dict[str, Any] = {}
    """The settings of the plugin."""
    enabled: bool = False
    """Whether incidents can call for the action."""
    dry_run: bool = True
    """If true, record and log what would be sent, and send nothing."""
    when: WhenConfig = WhenConfig()
    """Which alerts call for the action."""
    approval: bool = False
    """Whether a person must approve each run: `driftline actions approve`."""
    approve_within: Length = timedelta(days=1)
    """How long a run waits for approval before it expires."""
    approve_by_link: bool = False
    """Whether anyone with a link to the page of the incident can approve or reject a run there.

    Needs `agent.public_url`.
    """
    max_per_day: int = Field(default=1, ge=1)
    """The most runs within 24 hours. Further ones are held back, and can be started by hand."""
    allow_private: bool = False
    """Whether the action may send to addresses of private networks and of this machine."""
    trusted: Path | None = None
    """A file with the certificates of the authorities to trust. They replace the public ones."""
    plugin: SkipJsonSchema[InstanceOf[Action]] = Field(repr=False)
    """The action itself."""


def _version(value: Any) -> Any:
    if value != 1 or isinstance(value, bool):
        raise ValueError("should be 1, the only version of the configuration there is")
    return value


class Config(Settings):
    """The whole configuration of an agent."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    """The version of this format; always 1."""
    agent: AgentConfig = AgentConfig()
    """The agent itself."""
    plugins: PluginsConfig = PluginsConfig()
    """Plugins of your own."""
    models: dict[str, ModelConfig] = Field(min_length=1)
    """The monitored models by names of your own.

    A name with a placeholder, such as `prod-{endpoint}`, is a pattern: each folder that stands in
    its place in an option of the source becomes a model.
    """
    sinks: dict[str, SinkConfig] = {}
    """The receivers of messages, by names of your own."""
    mute_times: dict[str, MuteTimeConfig] = {}
    """Times in which messages wait, by names of your own.

    The end of an incident is sent at any time.
    """
    inhibit: list[InhibitConfig] | None = None
    """Incidents that hold back others.

    Default: missing or late rows, and a source that can't be read, hold back drift and quality.
    """
    routes: RouteConfig = RouteConfig()
    """Which sinks get which incident."""
    actions: dict[str, ActionConfig] = {}
    """What to do when an incident calls for it, by names of your own."""
    origin: SkipJsonSchema[Path] = Field(repr=False)
    """The path of the file."""

    _registry: Registry = PrivateAttr()
    _patterns: dict[str, ModelConfig] = PrivateAttr(default_factory=dict)

    @property
    def registry(self) -> Registry:
        """Return the plugins that the configuration was read with."""
        return self._registry

    @property
    def patterns(self) -> dict[str, ModelConfig]:
        """Return the settings of each pattern of model names, with its placeholder as in the file.

        They are no models: `models` has those that are known.
        """
        return self._patterns
