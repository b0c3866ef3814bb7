"""An incident: the alerts of one model that have one cause, as the state stores it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from driftline.types.model import Severity
from driftline.types.times import EPOCH


class Reason(StrEnum):
    """Why a notification is sent, or why an incident ended."""

    FIRST_ALERT = "first_alert"
    MORE_ALERTS = "more_alerts"
    MORE_SEVERE = "more_severe"
    LESS_SEVERE = "less_severe"
    DOUBLED = "doubled"
    CAME_BACK = "came_back"
    FLAPPING = "flapping"
    DECIDED = "decided"
    ALL_RESOLVED = "all_resolved"
    CALM = "calm"
    LATE_DATA = "late_data"
    RETIRED = "retired"
    CLOCK = "clock"
    ACCEPTED = "accepted"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SILENCED = "silenced"
    RELEASED = "released"
    DIGEST = "digest"
    DIGEST_OVER = "digest_over"
    FIRST_REPORT = "first_report"

    @property
    def text(self) -> str:
        """For people: `calm after it came and went`."""
        return _REASON_TEXTS[self]


_REASON_TEXTS = {
    Reason.FIRST_ALERT: "first alert",
    Reason.MORE_ALERTS: "more alerts",
    Reason.MORE_SEVERE: "more severe",
    Reason.LESS_SEVERE: "less severe",
    Reason.DOUBLED: "twice as large",
    Reason.CAME_BACK: "came back",
    Reason.FLAPPING: "comes and goes, held until it is calm",
    Reason.DECIDED: "a check says what to do",
    Reason.ALL_RESOLVED: "this incident is over",
    Reason.CALM: "calm after it came and went",
    Reason.LATE_DATA: "late data showed no change",
    Reason.RETIRED: "no longer watched",
    Reason.CLOCK: "the clock was ahead and has been set back",
    Reason.ACCEPTED: "accepted as the new normal",
    Reason.ACKNOWLEDGED: "acknowledged",
    Reason.SNOOZED: "snoozed",
    Reason.SILENCED: "silenced",
    Reason.RELEASED: "no longer held back",
    Reason.DIGEST: "more pages than may be sent in a day",
    Reason.DIGEST_OVER: "all of them resolved",
    Reason.FIRST_REPORT: "first report",
}


class UpstreamKind(StrEnum):
    """What may have changed before an alert."""

    NEW_VERSION = "new_version"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True, order=True)
class Upstream:
    """What is known to have changed before an alert."""

    kind: UpstreamKind
    name: str
    """The version of the model, or the column."""

    @property
    def text(self) -> str:
        """For people: `version v4 is new`."""
        if self.kind is UpstreamKind.NEW_VERSION:
            return f"version {self.name} is new"
        return f"the schema of {self.name} changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts that belong together, from opening to resolution."""

    id: str
    model: str
    cause: str
    """The family of its strongest alert when it opened; others may join it."""
    since: datetime
    """Start of the first window that was different, as known when it opened or came back."""
    revision: int = 0
    """Messages so far."""
    severity: Severity = Severity.INFO
    """The severity last sent; it falls only once the alerts were less severe for a while."""
    keys: frozenset[str] = frozenset()
    """Every alert that ever belonged to it; of a digest, the incidents in it."""
    title: str = ""
    headline: str = ""
    """The title without the name of the model; empty if an earlier version wrote the title."""
    lane: str = ""
    """Which alerts may join it, see `fact.lane_of`."""
    opened_at: datetime = EPOCH
    """End of the window that opened it, the last time."""
    resolved_at: datetime | None = None
    """End of the window that ended it; None while it is open."""
    reopens_until: datetime | None = None
    """Until when it may reopen, once it has ended."""
    upstream: frozenset[Upstream] = frozenset()
    """What is known to have changed before it."""
    reopen_times: tuple[datetime, ...] = ()
    """When it reopened, as far as that counts for flapping."""
    flapping: bool = False
    calm_since: datetime | None = None
    """While it flaps: start of the window since which nothing fires."""
    improving_since: datetime | None = None
    """Start of the window since which it is less severe than the severity last sent."""
    acknowledged_by: str = ""
    """Who acknowledged it; empty if nobody did."""
    snoozed_until: datetime | None = None
    """No notification is sent before."""
    silence_id: int | None = None
    """The silence that is in its history already."""
    hold_reason: str = ""
    """The reason of the newest notification that is held back; empty if none is."""
    unannounced: bool = False
    """Whether its opening was not sent: then its end is not sent, either."""


class HoldKind(StrEnum):
    """What holds a notification back."""

    SNOOZE = "snooze"
    SILENCE = "silence"
    MUTE_TIME = "mute_time"
    INHIBITION = "inhibition"
    ACKNOWLEDGED = "acknowledged"
    CAP = "cap"
    DIGEST = "digest"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Hold:
    """One change that is held back."""

    kind: HoldKind
    text: str
    """The reason, as the history shows it."""
