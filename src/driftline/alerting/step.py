"""The one step of alerting: facts in, state and changes out.

It reads no clock and does no input or output: the same facts on the same state give the same
bytes, in one call or in several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from driftline.alerting.describe import main_cause
from driftline.alerting.fact import Fact, lane_of
from driftline.alerting.grouping import assign_alerts
from driftline.alerting.incident import Occasion, open_incident, reopen, resolve, update_incident
from driftline.alerting.lifespans import Lifespans
from driftline.alerting.observe import observe
from driftline.alerting.work import AlertingState, Note, Step, Work, by_age
from driftline.types.alert import Alert, AlertState
from driftline.types.incident import Incident, Reason

__all__ = ["AlertingState", "Note", "Step", "firing_alerts", "retire", "step"]

Lane = tuple[str, str]
"""A model and a part of it, see `lane_of`: facts of two lanes never share an incident."""


def step(
    state: AlertingState,
    facts: Sequence[Fact],
    now: datetime,
    lifespans: Lifespans | None = None,
) -> Step:
    """Move every alert that `facts` are about, then the incidents of their lanes.

    Facts of one window belong in one call: they open one incident together. Windows are taken by
    their start, so several in one call give the same as one call each. The order of facts within
    a window doesn't matter.
    """
    work = Work.from_state(state)
    notes: list[Note] = []
    for lane, group in _windows(facts):
        previous = _members(work.alerts.values(), lane)
        for fact in group:
            alert, ignore_reason = observe(work.alerts.get(fact.key), fact)
            if ignore_reason is not None:
                notes.append(Note(fact, ignore_reason))
            if alert is not None:
                work.put_alert(alert)
        occasion = Occasion(
            window=(group[0].start, max(fact.end for fact in group)),
            rows=max(fact.judged.rows for fact in group),
            columns=frozenset(dict(fact.labels).get("column", "") for fact in group) - {""},
            lifespans=lifespans or Lifespans(),
            phrasebook=work.phrasebook,
        )
        _move_incidents(work, lane, group, previous, occasion)
    return work.step(tuple(notes), now)


def retire(
    state: AlertingState,
    is_gone: Callable[[Alert], bool],
    at: datetime,
    reason: Reason = Reason.RETIRED,
) -> Step:
    """Forget the alerts whose check, column, version or model is no longer watched.

    An incident that only they kept open is resolved with `reason`; `at` is the end of its time.
    """
    work = Work.from_state(state)
    retired = {key: alert for key, alert in sorted(state.alerts.items()) if is_gone(alert)}
    occasion = Occasion(window=(at, at), phrasebook=work.phrasebook)
    for incident in by_age(state.incidents.values()):
        members = [alert for key, alert in sorted(state.alerts.items()) if key in incident.keys]
        remaining = [alert for alert in members if alert.key not in retired]
        still_fires = any(alert.is_firing for alert in remaining)
        if incident.resolved_at is None and len(remaining) < len(members) and not still_fires:
            work.record(resolve(incident, reason, members, occasion))
    work.drop_alerts(retired)
    return work.step((), at)


def _move_incidents(
    work: Work, lane: Lane, facts: Sequence[Fact], previous: Sequence[Alert], occasion: Occasion
) -> None:
    """Move the incidents of one lane through one window; `previous` are its alerts before it."""
    alerts = _members(work.alerts.values(), lane)
    incidents = [
        incident
        for incident in by_age(work.incidents.values())
        if (incident.model, incident.lane) == lane
    ]
    if not alerts and not incidents:
        return
    upstream = {fact.key: fact.upstream for fact in facts if fact.upstream is not None}
    assignment = assign_alerts(
        incidents,
        alerts,
        previous=previous,
        upstream=upstream,
        alike={fact.key: fact.alike for fact in facts if fact.alike},
        window=occasion.window,
        lifespans=occasion.lifespans,
    )
    for incident in incidents:
        end = incident.reopens_until
        is_final = end is not None and end < occasion.window[0]
        if is_final and incident.id not in assignment.returning:
            work.put(replace(incident, reopens_until=None))
    for name, returning in sorted(assignment.returning.items()):
        incident = work.incidents[name]
        work.record(reopen(incident, _incident_alerts(alerts, incident, returning), occasion))
    for name, firing in assignment.open.items():
        incident = work.incidents[name]
        removed_keys = assignment.removed_keys.get(name, frozenset())
        incident = replace(incident, keys=incident.keys - removed_keys)
        before = [alert for alert in previous if alert.key in incident.keys]
        is_withdrawn = not firing and _is_withdrawn(before, alerts)
        incident, change = update_incident(
            incident,
            _incident_alerts(alerts, incident, firing),
            occasion,
            previous=before,
            additions=assignment.additions.get(name, ()),
            end_reason=Reason.LATE_DATA if is_withdrawn else Reason.ALL_RESOLVED,
        )
        work.put(incident) if change is None else work.record(change)
    if assignment.unassigned:
        opening = sorted(assignment.unassigned, key=lambda alert: alert.key)
        cause = main_cause(opening)
        ordinal = work.counts.get((lane[0], cause), 0) + 1
        work.counts[lane[0], cause] = ordinal
        keys = [alert.key for alert in opening]
        work.record(
            open_incident(
                opening,
                occasion,
                cause=cause,
                lane=lane[1],
                ordinal=ordinal,
                upstream=frozenset(upstream[key] for key in keys if key in upstream),
            )
        )


def _incident_alerts(
    alerts: Sequence[Alert], incident: Incident, additions: Sequence[Alert]
) -> list[Alert]:
    """The alerts of an incident, with those that are new to it."""
    keys = incident.keys | {alert.key for alert in additions}
    return [alert for alert in alerts if alert.key in keys]


def _is_withdrawn(previous: Sequence[Alert], alerts: Sequence[Alert]) -> bool:
    """Whether late data showed that no alert that fired before should have."""
    keys = {alert.key for alert in previous if alert.is_firing}
    states = {alert.key: alert.phase.state for alert in alerts if alert.key in keys}
    return bool(states) and all(
        state in (AlertState.QUIET, AlertState.PENDING) for state in states.values()
    )


def firing_alerts(state: AlertingState) -> list[Alert]:
    """The firing alerts, by key."""
    return [alert for _, alert in sorted(state.alerts.items()) if alert.is_firing]


def _windows(facts: Sequence[Fact]) -> Iterable[tuple[Lane, list[Fact]]]:
    """Facts by window and lane, in the order in which they are folded."""

    def place(fact: Fact) -> tuple[datetime, Lane]:
        return fact.start, (fact.model, lane_of(fact.cause, fact.check, fact.measurement))

    sorted_facts = sorted(facts, key=lambda fact: (place(fact), _order(fact)))
    for (_, lane), group in groupby(sorted_facts, key=place):
        yield lane, list(group)


def _order(fact: Fact) -> tuple[object, ...]:
    return (
        fact.end,
        fact.revision,
        fact.cause,
        fact.check,
        fact.measurement,
        fact.version,
        fact.segment,
        fact.labels,
    )


def _members(alerts: Iterable[Alert], lane: Lane) -> list[Alert]:
    """The alerts of a lane, by key."""
    members = [
        alert
        for alert in alerts
        if (alert.model, lane_of(alert.cause, alert.check, alert.measurement)) == lane
    ]
    return sorted(members, key=lambda alert: alert.key)
