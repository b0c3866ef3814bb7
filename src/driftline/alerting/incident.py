"""One incident: the firing alerts of one model that have one cause, told as one thing.

Refuses to be told twice: a change is an opening, an alert that is new to the incident, more or
lastingly less severity, the end, a return, or what a person did to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from driftline.alerting.describe import LONGEST, fact_of, telling, title
from driftline.alerting.fact import digest, message_id
from driftline.alerting.lifespans import FLAPS, Life
from driftline.alerting.observe import severest
from driftline.extensions.phrasebook import Phrasebook, installed_phrasebook
from driftline.types.alert import Alert
from driftline.types.incident import Hold, Incident, Reason, Upstream
from driftline.types.model import Decision, Severity
from driftline.types.notification import Event, Notification
from driftline.types.phrasing import IN_ALL, WHY, clean

MOST = 50
"""Alerts in one message; `facts` tells how many there are in all."""
Span = tuple[datetime, datetime]


WORDS = {
    Reason.MORE_ALERTS: "worsened",
    Reason.MORE_SEVERE: "worsened",
    Reason.LESS_SEVERE: "improved",
    Reason.DECIDED: "decided",
    Reason.RELEASED: "told",
}
"""What a history calls the changes between opening and end that have no event of their own."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an incident, and why."""

    incident: Incident
    event: Event
    reason: Reason
    at: datetime
    """End of the window that brought it about; the tick's time for trouble of the agent, the
    clock's for what people did.
    """
    notification: Notification
    author: str = ""
    """Who did it; empty for what the agent found."""
    said: str = ""
    """The reason that the author gave."""
    held: Hold | None = None
    """Why nobody is told; None when people are."""

    @property
    def word(self) -> str:
        """What the history calls it."""
        return (
            WORDS.get(self.reason, self.event.value)
            if self.event is Event.UPDATED
            else self.event.value
        )


def incident_id(model: str, cause: str, since: datetime, ordinal: int) -> str:
    """The name of the `ordinal`-th incident of a model and cause; the same wherever and whenever it
    is computed.
    """
    return "inc_" + digest(model, cause, since.isoformat(), ordinal, length=16)


def open_incident(
    alerts: Sequence[Alert],
    cause: str,
    lane: str,
    ordinal: int,
    upstream: frozenset[Upstream],
    window: Span,
    rows: int,
    phrasebook: Phrasebook | None = None,
) -> Change:
    """The incident that firing `alerts` open together."""
    since = min(alert.phase.since for alert in alerts if alert.phase.since is not None)
    first = alerts[0]
    fresh = Incident(
        id=incident_id(first.model, cause, since, ordinal),
        model=first.model,
        cause=cause,
        since=since,
        lane=lane,
        opened=window[1],
        upstream=upstream,
    )
    return told(
        fresh,
        Event.OPENED,
        Reason.FIRST_ALERT,
        alerts,
        window,
        rows,
        severity=severest(alerts),
        phrasebook=phrasebook,
    )


def come_back(
    incident: Incident,
    members: Sequence[Alert],
    window: Span,
    rows: int,
    life: Life,
    phrasebook: Phrasebook | None = None,
) -> Change:
    """The incident once more, with its alerts of before; the third time within the span it is
    flapping, and says so.
    """
    span = life.flap_span(window[1] - window[0])
    turns = (*(turn for turn in incident.turns if window[1] - turn <= span), window[1])
    flapping = len(turns) >= FLAPS
    firing = [alert for alert in members if alert.fires]
    severity = severest(firing)
    since = min(alert.phase.since for alert in firing if alert.phase.since is not None)
    incident = replace(
        incident, opened=window[1], resolved=None, reopens=None, turns=turns, flapping=flapping, calm=None, better=None,
        acknowledged="", severity=severity, since=since, owed="", untold=False,
    )  # fmt: skip
    return told(
        incident,
        Event.REOPENED,
        Reason.FLAPPING if flapping else Reason.CAME_BACK,
        members,
        window,
        rows,
        phrasebook=phrasebook,
    )


def carry_on(
    incident: Incident,
    was: Sequence[Alert],
    members: Sequence[Alert],
    joined: Sequence[Alert],
    window: Span,
    rows: int,
    life: Life,
    why_over: Reason = Reason.ALL_RESOLVED,
    phrasebook: Phrasebook | None = None,
) -> tuple[Incident, Change | None]:
    """What becomes of an open incident in a window, and what there is to tell.

    `members` are all its alerts, firing or not, and `was` is what they were before; `joined` are
    new to it.
    """
    firing = [alert for alert in members if alert.fires]
    length = window[1] - window[0]
    if list(was) == list(members) and (firing or incident.flapping):
        return (
            incident,
            None,
        )  # a window that was seen before, or that says nothing: no time goes by
    if not firing:
        calm = incident.calm or window[0]
        if (
            incident.flapping
            and why_over is Reason.ALL_RESOLVED
            and window[1] - calm < life.calm_span(length)
        ):
            return replace(incident, calm=calm), None
        why = Reason.CALM if incident.flapping and why_over is Reason.ALL_RESOLVED else why_over
        change = end(
            incident, why, members, window, rows, life.reopen_span(length), phrasebook=phrasebook
        )
        return change.incident, change
    severity = severest(firing)
    incident = replace(incident, keys=incident.keys | {alert.key for alert in joined}, calm=None)
    if severity.rank > incident.severity.rank:
        change = told(
            replace(incident, better=None),
            Event.UPDATED,
            Reason.MORE_SEVERE,
            members,
            window,
            rows,
            severity=severity,
            phrasebook=phrasebook,
        )
        return change.incident, change
    better = (incident.better or window[0]) if severity.rank < incident.severity.rank else None
    incident = replace(incident, better=better)
    if better is not None and window[1] - better >= life.calm_span(length):
        less = replace(incident, better=None)
        change = told(
            less,
            Event.UPDATED,
            Reason.LESS_SEVERE,
            members,
            window,
            rows,
            severity=severity,
            phrasebook=phrasebook,
        )
        return change.incident, change
    if _decisions(firing) - _decisions(was):
        change = told(
            incident, Event.UPDATED, Reason.DECIDED, members, window, rows, phrasebook=phrasebook
        )
        return change.incident, change
    if joined and not incident.flapping:
        change = told(
            incident,
            Event.UPDATED,
            Reason.MORE_ALERTS,
            members,
            window,
            rows,
            phrasebook=phrasebook,
        )
        return change.incident, change
    return incident, None


def end(
    incident: Incident,
    why: Reason,
    members: Sequence[Alert],
    window: Span,
    rows: int,
    reopen_span: timedelta | None,
    author: str = "",
    said: str = "",
    phrasebook: Phrasebook | None = None,
) -> Change:
    """The end of an incident; without `reopen_span` it is for good."""
    calm = why is Reason.CALM
    over = replace(
        incident, resolved=window[1], reopens=None if reopen_span is None else window[1] + reopen_span, better=None, calm=None,
        flapping=incident.flapping and not calm, turns=() if calm else incident.turns, snoozed=None, silence=None, owed="",
    )  # fmt: skip
    return told(
        over,
        Event.RESOLVED,
        why,
        members,
        window,
        rows,
        author=author,
        said=said,
        phrasebook=phrasebook,
    )


def _decisions(alerts: Sequence[Alert]) -> set[Decision]:
    """What the checks of the alerts that fire say is to be done."""
    changed = (alert.newest_change for alert in alerts if alert.fires)
    return {
        entry.measurement.decision
        for entry in changed
        if entry is not None and entry.measurement.decision
    }


def told(
    incident: Incident,
    event: Event,
    reason: Reason,
    members: Sequence[Alert],
    window: Span,
    rows: int = 0,
    *,
    severity: Severity | None = None,
    author: str = "",
    said: str = "",
    phrasebook: Phrasebook | None = None,
) -> Change:
    """A change with its message, one revision further."""
    incident = replace(
        incident,
        revision=incident.revision + 1,
        severity=severity or incident.severity,
        keys=incident.keys | {alert.key for alert in members},
    )
    why = f"{reason.value} by {clean(author, 60)}" if author else reason.value
    why += f": {clean(said, LONGEST)}" if said else ""
    versions = sorted({alert.version for alert in members})
    facts = [(fact_of(alert, named=len(versions) > 1), alert) for alert in members]
    ordered = sorted(facts, key=lambda both: (telling(both[0]), both[1].key))
    shown = tuple(fact for fact, _ in ordered)
    ends = [alert.phase.until for alert in members if alert.phase.until is not None]
    resolved_at = max(ends, default=window[1]) if event is Event.RESOLVED else None
    newest = [alert.newest_change or alert.newest for _, alert in ordered]
    line = title(
        incident.model,
        event,
        reason,
        shown,
        incident.since,
        resolved_at,
        phrasebook or installed_phrasebook(),
    )
    incident = replace(incident, title=line)
    extra = {IN_ALL: str(len(shown))} if len(shown) > MOST else {}
    if incident.upstream:
        extra["upstream"] = clean(
            ", ".join(sorted(change.text for change in incident.upstream)), LONGEST
        )
    notification = Notification(
        id=message_id(incident.id, incident.revision),
        incident=incident.id,
        revision=incident.revision,
        event=event,
        model=clean(incident.model, LONGEST),
        model_version=clean(versions[0], LONGEST) if len(versions) == 1 else "",
        cause=incident.cause,
        severity=incident.severity,
        title=line,
        since=incident.since,
        window=window,
        rows=rows,
        reference=next(
            (
                clean(entry.reference, LONGEST)
                for entry in newest
                if entry is not None and entry.reference
            ),
            "",
        ),
        alerts=shown[:MOST],
        resolved_at=resolved_at,
        facts={WHY: why, **extra},
        reason=reason,
        upstream=tuple(sorted(incident.upstream)),
        sent_before=event is not Event.OPENED,
    )
    return Change(incident, event, reason, window[1], notification, author, said)
