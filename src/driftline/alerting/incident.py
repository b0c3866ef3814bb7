"""One incident: the firing alerts of one model with one cause, told as one thing.

Refuses to be told twice: a change is an opening, an alert that is new to the incident, more severity than before, or the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from driftline.alerting.alert import Alert, AlertState, Entry
from driftline.alerting.fact import digest
from driftline.alerting.title import title
from driftline.model import Decision, Severity, Verdict
from driftline.notification import AlertFact, Event, Notification
from driftline.wording import IN_ALL, WHY, bound, clean

MOST = 50
"""Alerts in one message; `facts` tells how many there are in all."""
LONGEST = 200
"""Characters of a name in a message."""


class Reason(StrEnum):
    """Why people are told, or why an incident ended."""

    FIRST_ALERT = "first alert"
    MORE_ALERTS = "more alerts"
    MORE_SEVERE = "more severe"
    DECIDED = "a check says what to do"
    ALL_RESOLVED = "all alerts resolved"
    LATE_DATA = "late data showed no change"
    RETIRED = "no longer watched"


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts that belong together, from opening to resolution."""

    id: str
    model: str
    cause: str
    since: datetime
    """Start of the first window that was different, as known when it opened."""
    revision: int = 0
    """Messages so far."""
    severity: Severity = Severity.INFO
    """The highest so far: it doesn't fall before the incident ends."""
    keys: frozenset[str] = frozenset()
    """Every alert that ever belonged to it."""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell: what happened to an incident and why."""

    incident: Incident
    event: Event
    reason: Reason
    at: datetime
    """End of the window that brought it about; the tick's time for trouble of the agent."""
    notification: Notification


def incident_id(model: str, cause: str, since: datetime, ordinal: int) -> str:
    """The name of the `ordinal`-th incident of a model and cause; the same wherever and whenever it is computed."""
    return "inc_" + digest(model, cause, since.isoformat(), ordinal, length=16)


def transition(
    incident: Incident | None,
    before: Sequence[Alert],
    after: Sequence[Alert],
    *,
    ordinal: int,
    window: tuple[datetime, datetime],
    rows: int,
    why_over: Reason | None = None,
) -> Change | None:
    """What becomes of the open incident (None without one) when its alerts move from `before` to `after`.

    `after` may lack alerts that are no longer watched. Returns None when there is nothing to tell.
    """
    firing = [alert for alert in after if alert.phase.state is AlertState.FIRING]
    if incident is None:
        if not firing:
            return None
        since = min(alert.phase.since for alert in firing if alert.phase.since is not None)
        first = firing[0]
        fresh = Incident(incident_id(first.model, first.cause, since, ordinal), first.model, first.cause, since)
        return _change(fresh, Event.OPENED, Reason.FIRST_ALERT, firing, firing, window, rows)
    if not firing:
        why = why_over or (Reason.LATE_DATA if _withdrawn(before, after) else Reason.ALL_RESOLVED)
        known = {alert.key: alert for alert in (*before, *after)}
        members = [alert for key, alert in sorted(known.items()) if key in incident.keys]
        return _change(incident, Event.RESOLVED, why, members, [], window, rows)
    severity = max((_severity(alert) for alert in firing), key=lambda severity: severity.rank)
    joined = {alert.key for alert in firing} - incident.keys
    if severity.rank > incident.severity.rank:
        why = Reason.MORE_SEVERE
    elif _decisions(firing) - _decisions(before):
        why = Reason.DECIDED
    elif joined:
        why = Reason.MORE_ALERTS
    else:
        return None
    members = [alert for alert in after if alert.key in incident.keys | joined]
    return _change(incident, Event.UPDATED, why, members, firing, window, rows)


def _withdrawn(before: Sequence[Alert], after: Sequence[Alert]) -> bool:
    left = {alert.key for alert in before if alert.phase.state is AlertState.FIRING}
    now = {alert.key: alert.phase.state for alert in after if alert.key in left}
    return bool(now) and all(state in (AlertState.QUIET, AlertState.PENDING) for state in now.values())


def _decisions(alerts: Sequence[Alert]) -> set[str]:
    """What the checks of the alerts that fire say is to be done."""
    changed = (alert.changed for alert in alerts if alert.phase.state is AlertState.FIRING)
    return {entry.decision for entry in changed if entry is not None and entry.decision}


def _severity(alert: Alert) -> Severity:
    return alert.phase.severity or Severity.WARNING


def _change(
    incident: Incident,
    event: Event,
    reason: Reason,
    members: Sequence[Alert],
    firing: Sequence[Alert],
    window: tuple[datetime, datetime],
    rows: int,
) -> Change:
    ranks = [incident.severity, *(_severity(alert) for alert in firing)]
    incident = replace(
        incident,
        revision=incident.revision + 1,
        severity=max(ranks, key=lambda severity: severity.rank),
        keys=incident.keys | {alert.key for alert in members},
    )
    versions = sorted({alert.version for alert in members})
    facts = [(fact_of(alert, named=len(versions) > 1), alert) for alert in members]
    ordered = sorted(facts, key=lambda both: (telling(both[0]), both[1].key))
    told = tuple(fact for fact, _ in ordered)
    ends = [alert.phase.until for alert in members if alert.phase.until is not None]
    resolved_at = max(ends, default=window[1]) if event is Event.RESOLVED else None
    newest = [alert.changed or alert.newest for _, alert in ordered]
    line = title(incident.model, incident.cause, event, reason.value, told, incident.since, resolved_at)
    incident = replace(incident, title=line)
    extra = {IN_ALL: str(len(told))} if len(told) > MOST else {}
    notification = Notification(
        id="ntf_" + digest(incident.id, incident.revision, length=32),
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
        reference=next((clean(entry.reference, LONGEST) for entry in newest if entry is not None and entry.reference), ""),
        alerts=told[:MOST],
        resolved_at=resolved_at,
        facts={WHY: reason.value, **extra},
        sent_before=event is not Event.OPENED,
    )
    at = window[1]
    return Change(incident, event, reason, at, notification)


def fact_of(alert: Alert, *, named: bool = False) -> AlertFact:
    """An alert in words and numbers; `named` adds the model version to its labels."""
    firing = alert.phase.state is AlertState.FIRING
    shown = (alert.changed if firing else alert.newest) or alert.changed or _nothing(alert)
    said = alert.changed or shown
    within = {"segment": alert.segment, "version": alert.version if named else ""}
    labels = {**dict(alert.labels), **{name: value for name, value in within.items() if value}}
    return AlertFact(
        check=clean(alert.check, LONGEST),
        measurement=clean(alert.measurement, LONGEST),
        labels={clean(name, LONGEST): clean(value, LONGEST) for name, value in labels.items()},
        state=AlertState.FIRING.value if firing else AlertState.RESOLVED.value,
        severity=_severity(alert),
        value=shown.value,
        was=shown.was,
        interval=shown.interval,
        unit=clean(shown.unit, 40),
        reason=clean(said.reason, LONGEST),
        since=alert.phase.since or shown.start,
        rows=shown.rows,
        detail={
            clean(name, 60): clean(value, LONGEST) if isinstance(value, str) else value
            for name, value in list(shown.detail.items())[:20]
        },
        decision=Decision(said.decision) if said.decision else None,
    )


def _nothing(alert: Alert) -> Entry:
    moment = alert.phase.last_start or alert.phase.since
    assert moment is not None
    return Entry(moment, alert.phase.last_end or moment, Verdict.OK)


def telling(fact: AlertFact) -> tuple[int, int, float]:
    """A sort key, most telling first: firing, then most severe, then largest against its bound."""
    limit, value = bound(fact), fact.value
    if value is None or limit is None:
        ratio = 0.0 if value is None else min(abs(value), 1.0)
    elif "below" in fact.reason:
        ratio = abs(limit / value) if value else 1e9
    else:
        ratio = abs(value / limit) if limit else 1e9 * abs(value)
    return (fact.state != "firing", -fact.severity.rank, -ratio)
