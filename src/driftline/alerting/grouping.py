"""Assigns firing alerts to incidents: one incident for each model and cause.

It compares when the changes began, what they are about, and what is known to have changed before
them. The sizes of the changes play no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from driftline.alerting.lifespans import TOGETHER, Lifespans
from driftline.types.alert import Alert
from driftline.types.family import Family
from driftline.types.incident import Incident, Upstream

WHOLE = frozenset({Family.SERVICE, Family.MONITORING})
"""Families about the feed or the agent as a whole: their alerts always share one incident."""


@dataclass(slots=True, kw_only=True)
class Assignment:
    """The firing alerts of one lane, by the incident that they belong to."""

    open: dict[str, list[Alert]] = field(default_factory=dict)
    """By id of an open incident; empty where none of its alerts fires."""
    additions: dict[str, list[Alert]] = field(default_factory=dict)
    """The alerts in `open` that did not belong to the incident before."""
    returning: dict[str, list[Alert]] = field(default_factory=dict)
    """By id of a resolved incident that opens again."""
    unassigned: list[Alert] = field(default_factory=list)
    """They open an incident together."""
    removed_keys: dict[str, frozenset[str]] = field(default_factory=dict)
    """Keys that leave an open incident: they came back too late, and belong to another."""


def assign_alerts(
    incidents: Sequence[Incident],
    alerts: Sequence[Alert],
    *,
    previous: Iterable[Alert],
    upstream: Mapping[str, Upstream],
    alike: Mapping[str, frozenset[str]],
    window: tuple[datetime, datetime],
    lifespans: Lifespans,
) -> Assignment:
    """Assign each firing alert of a lane to one of its incidents.

    An alert stays where it belonged, or comes back there. A new one joins the first open incident
    that began with it, is still young, is about the same column, shares what changed before, or
    always moved together with an alert that fires in it (`alike`). The others open one incident.
    `previous` are the alerts before the window.
    """
    assignment = Assignment()
    span = lifespans.reopen_span(window[1] - window[0])
    previous_alerts = {alert.key: alert for alert in previous}
    open_incidents = [incident for incident in incidents if incident.resolved_at is None]
    recent_incidents = [
        incident
        for incident in incidents
        if incident.resolved_at is not None and window[0] - incident.resolved_at <= span
    ]
    assignment.open = {incident.id: [] for incident in open_incidents}
    candidates: list[Alert] = []
    for alert in (alert for alert in alerts if alert.is_firing):
        home = next((incident for incident in open_incidents if alert.key in incident.keys), None)
        if home is not None:
            before = previous_alerts.get(alert.key)
            if home.cause in WHOLE or _is_continuous(before, window[0], span):
                assignment.open[home.id].append(alert)
                continue
            removed = assignment.removed_keys.get(home.id, frozenset())
            assignment.removed_keys[home.id] = removed | {alert.key}
        last = max(
            (incident for incident in recent_incidents if alert.key in incident.keys),
            key=lambda incident: (incident.resolved_at, incident.id),
            default=None,
        )
        if last is not None:
            assignment.returning.setdefault(last.id, []).append(alert)
        else:
            candidates.append(alert)
    for alert in sorted(candidates, key=lambda alert: (alert.phase.since or window[0], alert.key)):
        for incident in open_incidents:
            firing = assignment.open[incident.id]
            if _joins(alert, incident, firing, upstream=upstream, alike=alike, window=window):
                firing.append(alert)
                assignment.additions.setdefault(incident.id, []).append(alert)
                break
        else:
            if assignment.returning:
                assignment.returning[min(assignment.returning)].append(alert)
            else:
                assignment.unassigned.append(alert)
    return assignment


def _is_continuous(previous: Alert | None, start: datetime, span: timedelta) -> bool:
    """Whether an alert was never quiet for longer than an incident may be."""
    if previous is None or previous.is_firing or previous.phase.until is None:
        return True
    return start - previous.phase.until <= span


def _joins(
    alert: Alert,
    incident: Incident,
    firing: Sequence[Alert],
    *,
    upstream: Mapping[str, Upstream],
    alike: Mapping[str, frozenset[str]],
    window: tuple[datetime, datetime],
) -> bool:
    """Whether a new alert joins an open incident; `firing` are the alerts that fire in it."""
    if incident.cause in WHOLE:
        return True
    near = TOGETHER * (window[1] - window[0])
    began = alert.phase.since or window[0]
    if abs(began - incident.since) <= near or window[0] - incident.opened_at <= near:
        return True
    column = dict(alert.labels).get("column")
    if column is not None and any(dict(member.labels).get("column") == column for member in firing):
        return True
    if any(member.key in alike.get(alert.key, ()) for member in firing):
        return True
    return upstream.get(alert.key) in incident.upstream
