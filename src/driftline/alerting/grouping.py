"""Which incident a firing alert belongs to: one incident for each model and cause, whatever
families its alerts are of.

Refuses to look at numbers: only when the changes began, what they are about, and what is known to
lie upstream counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from driftline.alerting.lifespans import TOGETHER, Life
from driftline.types.alert import Alert
from driftline.types.incident import Incident, Upstream

WHOLE = frozenset({"service", "monitoring"})
"""Families that are about the feed or the agent as a whole: what fires at one time is one thing."""


@dataclass(slots=True)
class Split:
    """The firing alerts of one lane, by the incident that they belong to."""

    open: dict[str, list[Alert]] = field(default_factory=dict)
    """By id of an open incident; empty where all of its alerts are quiet."""
    joined: dict[str, list[Alert]] = field(default_factory=dict)
    """Those among them that did not belong to it before."""
    back: dict[str, list[Alert]] = field(default_factory=dict)
    """By id of an incident that had ended and comes back."""
    fresh: list[Alert] = field(default_factory=list)
    """They open an incident together."""
    moved: dict[str, frozenset[str]] = field(default_factory=dict)
    """Keys that an open incident no longer holds: they came back too late, and belong to
    another.
    """


def split(
    incidents: Sequence[Incident],
    before: Iterable[Alert],
    after: Sequence[Alert],
    upstream: Mapping[str, Upstream],
    alike: Mapping[str, frozenset[str]],
    window: tuple[datetime, datetime],
    life: Life,
) -> Split:
    """Give each firing alert of `after` to one of `incidents`, which are of its lane.

    An alert stays where it belonged, or comes back there. A new one joins the first open incident
    that began with it, is still young, is about the same column, shares what lies upstream, or
    always moved together with what fires in it (`alike`). What is left opens one incident.
    """
    found = Split()
    length = window[1] - window[0]
    span = life.reopen_span(length)
    was = {alert.key: alert for alert in before}
    firing = [alert for alert in after if alert.fires]
    alive = [incident for incident in incidents if incident.resolved is None]
    ended = [
        incident
        for incident in incidents
        if incident.resolved is not None and window[0] - incident.resolved <= span
    ]
    found.open = {incident.id: [] for incident in alive}
    free: list[Alert] = []
    for alert in firing:
        home = next((incident for incident in alive if alert.key in incident.keys), None)
        if home is not None and (
            home.cause in WHOLE or _stayed(was.get(alert.key), window[0], span)
        ):
            found.open[home.id].append(alert)
            continue
        if home is not None:
            found.moved[home.id] = found.moved.get(home.id, frozenset()) | {alert.key}
        last = max(
            (one for one in ended if alert.key in one.keys),
            key=lambda one: (one.resolved, one.id),
            default=None,
        )
        if last is not None:
            found.back.setdefault(last.id, []).append(alert)
        else:
            free.append(alert)
    for alert in sorted(free, key=lambda one: (one.phase.since or window[0], one.key)):
        place = next(
            (
                one
                for one in alive
                if _joins(alert, one, found.open[one.id], upstream, alike, window)
            ),
            None,
        )
        if place is not None:
            found.open[place.id].append(alert)
            found.joined.setdefault(place.id, []).append(alert)
        elif found.back:
            found.back[min(found.back)].append(alert)
        else:
            found.fresh.append(alert)
    return found


def _stayed(before: Alert | None, start: datetime, span: timedelta) -> bool:
    """Whether an alert was never gone for longer than an incident may be."""
    if before is None or before.fires or before.phase.until is None:
        return True
    return start - before.phase.until <= span


def _joins(
    alert: Alert,
    incident: Incident,
    firing: Sequence[Alert],
    upstream: Mapping[str, Upstream],
    alike: Mapping[str, frozenset[str]],
    window: tuple[datetime, datetime],
) -> bool:
    if incident.cause in WHOLE:
        return True
    near = TOGETHER * (window[1] - window[0])
    began = alert.phase.since or window[0]
    if abs(began - incident.since) <= near or window[0] - incident.opened <= near:
        return True
    column = dict(alert.labels).get("column")
    if column is not None and any(dict(one.labels).get("column") == column for one in firing):
        return True
    if any(one.key in alike.get(alert.key, ()) for one in firing):
        return True
    return upstream.get(alert.key) in incident.upstream
