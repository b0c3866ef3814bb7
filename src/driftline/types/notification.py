"""Notifications: one message about one incident, or one report, the same for every sink.

The JSON Schema of their public form is published. How a message looks is each sink's business.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qs

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from driftline.types.incident import Reason, Upstream, UpstreamKind
from driftline.types.model import Bound, Decision, Severity
from driftline.types.settings import Settings

WHY, IN_ALL = "why", "alerts in all"
"""The facts that repeat `Notification.reason_text` and `alert_count` in the public JSON."""
COST = "cost so far"
"""The fact that says what the incident has cost; it stands below what to do."""
LIKELY_CAUSE, LIKELY_CAUSE_DETAIL = "likely cause", "likely_cause"
"""The fact that says why something changed, and the detail of an alert that it is taken from."""
OPEN = "open"
"""Label of the link to the page of an incident."""
SIGNATURE = "sig"
"""The parameter of a signed link that holds its signature."""


class Event(StrEnum):
    """What happened to the incident."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    REPORT = "report"
    """No incident: what the first windows of a model version were like. Nothing follows it."""
    TEST = "test"


class PublicModel(Settings):
    """A part of a message with a public JSON form.

    Fields with `exclude` are for driftline itself: they are not in that form, and two objects are
    equal without them.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        public = [name for name, info in type(self).model_fields.items() if not info.exclude]
        return all(getattr(self, name) == getattr(other, name) for name in public)


class AlertFact(PublicModel):
    """One alert of an incident, in words and numbers."""

    check: str
    """The name of the check in the configuration."""
    measurement: str
    """What was measured."""
    labels: dict[str, str] = {}
    """What the number is about, such as the column."""
    cause: str = ""
    """Its family, see `Notification.cause`."""
    state: str
    """`firing` or `resolved`; `unsure` while too little data to tell is what fires.

    In a report, `reported`: a difference that is no alert.
    """
    severity: Severity
    """How much it matters."""
    value: float | None = None
    """The number in the newest window judged."""
    was: float | None = None
    """The same number of the reference."""
    interval: tuple[float, float] | None = None
    """Where the true value lies with 95% confidence."""
    unit: str = ""
    """What to read after the number."""
    reason: str = ""
    """The bound that was crossed."""
    since: datetime
    """Start of the first window of this change."""
    rows: int = 0
    """The rows behind the number."""
    detail: dict[str, str | float | int | None] = {}
    """A few facts that explain the number."""
    decision: Decision | None = None
    """What the check says is to be done."""
    bound: SkipJsonSchema[Bound | None] = Field(default=None, exclude=True)
    """The bound that was crossed. Not part of the public JSON, where `reason` names it."""


class Notification(PublicModel):
    """One message of an incident for one sink."""

    id: str
    """The same for every attempt, another for every message: a receiver's key against repeats."""
    incident: str
    """The incident, the same from opening to resolution; of a report, its own id."""
    revision: int
    """Counts the messages of the incident, from 1."""
    event: Event
    """What happened."""
    model: str
    """The model as the configuration names it."""
    model_version: str = ""
    """The version of the model, when the incident is about one."""
    cause: str
    """The family of the first alert on opening, `digest`, or `report`.

    Alerts may be of other families, too.

    The families are `drift`, `quality`, `service`, `performance` and `monitoring`.
    """
    severity: Severity
    """The severity of the most severe alert."""
    title: str
    """One line for a lock screen: model, what changed, how big, since when."""
    since: datetime
    """Start of the first window that was different."""
    window: tuple[datetime, datetime] | None = None
    """The newest window judged."""
    rows: int = 0
    """The rows of that window."""
    reference: str = ""
    """What the window was compared with."""
    alerts: tuple[AlertFact, ...] = ()
    """The alerts, the most important first."""
    resolved_at: datetime | None = None
    """End of the last window of the change, once resolved."""
    links: dict[str, str] = {}
    """Where to read on: label and URL."""
    facts: dict[str, str] = {}
    """What plugins added: owners, runbooks, deploys."""
    sent_before: bool = True
    """False when this is the first message of the incident for this sink."""
    written_at: datetime | None = None
    """When the message was written, which can be long before it is sent."""
    is_late: SkipJsonSchema[bool] = Field(default=False, exclude=True)
    """Whether it is sent long after it was written. Not public: a repeat has the same JSON."""
    is_acknowledged: SkipJsonSchema[bool] = Field(default=False, exclude=True)
    """Whether a person has acknowledged the incident."""
    reason: SkipJsonSchema[Reason | None] = Field(default=None, exclude=True)
    """Why the message is sent; None in messages that an older version stored.

    Not part of the public JSON: the fact `why` is its sentence there.
    """
    reason_text: SkipJsonSchema[str] = Field(default="", exclude=True)
    """The sentence that says why the message is sent, with author and comment.

    Not part of the public JSON: it is the fact `why` there.
    """
    alert_count: SkipJsonSchema[int] = Field(default=0, exclude=True)
    """The number of alerts of the incident where `alerts` has not all of them; else 0.

    Not part of the public JSON: it is the fact `alerts in all` there.
    """
    own_facts: SkipJsonSchema[frozenset[str]] = Field(default=frozenset(), exclude=True)
    """The names in `facts` that only repeat `reason_text` and `alert_count`. Not public."""
    upstream: SkipJsonSchema[tuple[Upstream, ...]] = Field(default=(), exclude=True)
    """What is known to have changed before.

    Not part of the public JSON: the fact `upstream` is its sentence there.
    """

    def without_signatures(self) -> Notification:
        """Return it for a place that many read: no link lets people act, none is signed."""
        links = {}
        for label, url in self.links.items():
            address, _, query = url.partition("?")
            if SIGNATURE not in parse_qs(query):
                links[label] = url
            elif label == OPEN:
                links[label] = address
        return self.model_copy(update={"links": links})

    @property
    def new_versions(self) -> tuple[str, ...]:
        """Versions of the model that were new when the incident opened."""
        versions = (change for change in self.upstream if change.kind is UpstreamKind.NEW_VERSION)
        return tuple(change.name for change in versions)

    @property
    def upstream_text(self) -> str:
        """What is known to have changed before, for people; empty where nothing is."""
        return ", ".join(sorted(change.text for change in self.upstream))
