"""The one step of alerting: facts in, state and changes out.

Refuses the clock, IO and randomness: the same facts on the same state give the same bytes, in one
call or in several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from driftline.alerting.describe import foremost
from driftline.alerting.fact import Fact, lane
from driftline.alerting.grouping import split
from driftline.alerting.incident import carry_on, come_back, end, open_incident
from driftline.alerting.lifespans import Life
from driftline.alerting.observe import observe
from driftline.alerting.work import AlertingState, Note, Step, Work, by_age
from driftline.types.alert import Alert, AlertState
from driftline.types.incident import Incident, Reason, Upstream

__all__ = ["AlertingState", "Note", "Step", "firing", "retire", "step"]

Lane = tuple[str, str]
"""A model, and what of it (see `fact.lane`): facts of two lanes never share an incident."""


def step(
    state: AlertingState, facts: Sequence[Fact], now: datetime, life: Life | None = None
) -> Step:
    """Move every alert that `facts` are about, then the incidents of their lanes.

    Facts of one window belong in one call: they open one incident together. Windows are taken by
    their start, so several in one call give what one call each would give. The order of facts
    within a window doesn't matter.
    """
    work = Work.of(state)
    notes: list[Note] = []
    for about, group in _windows(facts):
        before = _members(work.alerts.values(), about)
        for fact in group:
            alert, ignored = observe(work.alerts.get(fact.key), fact)
            if ignored is not None:
                notes.append(Note(fact, ignored))
            if alert is not None:
                work.put_alert(alert)
        window = (group[0].start, max(fact.end for fact in group))
        rows = max(fact.judged.rows for fact in group)
        upstream = {fact.key: fact.upstream for fact in group if fact.upstream is not None}
        alike = {fact.key: fact.alike for fact in group if fact.alike}
        _move(work, about, before, window, rows, upstream, alike, life or Life())
    return work.step(tuple(notes), now)


def retire(state: AlertingState, gone: Callable[[Alert], bool], at: datetime) -> Step:
    """Forget the alerts that `gone` names: their check, column, version or model is no longer
    watched.

    An incident that only they kept open is resolved with the reason `no longer watched`; `at` is
    the end of its time.
    """
    work = Work.of(state)
    leaving = {key: alert for key, alert in sorted(state.alerts.items()) if gone(alert)}
    for incident in by_age(state.incidents.values()):
        members = [alert for key, alert in sorted(state.alerts.items()) if key in incident.keys]
        staying = [alert for alert in members if alert.key not in leaving]
        fires = any(alert.fires for alert in staying)
        if incident.resolved is None and len(staying) < len(members) and not fires:
            work.tell(
                end(
                    incident, Reason.RETIRED, members, (at, at), 0, None, phrasebook=work.phrasebook
                )
            )
    work.drop_alerts(leaving)
    return work.step((), at)


def _move(
    work: Work,
    about: Lane,
    before: Sequence[Alert],
    window: tuple[datetime, datetime],
    rows: int,
    upstream: Mapping[str, Upstream],
    alike: Mapping[str, frozenset[str]],
    life: Life,
) -> None:
    """Move the incidents of one lane through one window."""
    after = _members(work.alerts.values(), about)
    mine = [one for one in by_age(work.incidents.values()) if (one.model, one.lane) == about]
    if not after and not mine:
        return
    found = split(mine, before, after, upstream, alike, window, life)
    for incident in mine:
        if (
            incident.reopens is not None
            and incident.reopens < window[0]
            and incident.id not in found.back
        ):
            work.put(replace(incident, reopens=None))
    for name, alerts in sorted(found.back.items()):
        members = _with(after, work.incidents[name], alerts)
        work.tell(come_back(work.incidents[name], members, window, rows, life, work.phrasebook))
    for name, alerts in found.open.items():
        incident = work.incidents[name]
        incident = replace(incident, keys=incident.keys - found.moved.get(name, frozenset()))
        was = [one for one in before if one.key in incident.keys]
        withdrawn = not alerts and _withdrawn(was, after)
        why = Reason.LATE_DATA if withdrawn else Reason.ALL_RESOLVED
        moved, change = carry_on(
            incident,
            was,
            _with(after, incident, alerts),
            found.joined.get(name, ()),
            window,
            rows,
            life,
            why,
            work.phrasebook,
        )
        work.put(moved) if change is None else work.tell(change)
    if found.fresh:
        shared = frozenset(upstream[alert.key] for alert in found.fresh if alert.key in upstream)
        fresh = sorted(found.fresh, key=lambda alert: alert.key)
        of = about[0], foremost(fresh)
        work.counts[of] = work.counts.get(of, 0) + 1
        work.tell(
            open_incident(
                fresh, of[1], about[1], work.counts[of], shared, window, rows, work.phrasebook
            )
        )


def _with(after: Sequence[Alert], incident: Incident, alerts: Sequence[Alert]) -> list[Alert]:
    """The alerts of an incident, those among them that are new to it included."""
    keys = incident.keys | {alert.key for alert in alerts}
    return [alert for alert in after if alert.key in keys]


def _withdrawn(before: Sequence[Alert], after: Sequence[Alert]) -> bool:
    left = {alert.key for alert in before if alert.fires}
    now = {alert.key: alert.phase.state for alert in after if alert.key in left}
    return bool(now) and all(
        state in (AlertState.QUIET, AlertState.PENDING) for state in now.values()
    )


def firing(state: AlertingState) -> list[Alert]:
    """The alerts that fire, by key."""
    return [alert for _, alert in sorted(state.alerts.items()) if alert.fires]


def _windows(facts: Sequence[Fact]) -> Iterable[tuple[Lane, list[Fact]]]:
    def place(fact: Fact) -> tuple[datetime, Lane]:
        return fact.start, (fact.model, lane(fact.cause, fact.check, fact.measurement))

    for (_, about), group in groupby(
        sorted(facts, key=lambda fact: (place(fact), _order(fact))), key=place
    ):
        yield about, list(group)


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


def _members(alerts: Iterable[Alert], about: Lane) -> list[Alert]:
    """The alerts of a lane, by key."""
    found = [
        alert
        for alert in alerts
        if (alert.model, lane(alert.cause, alert.check, alert.measurement)) == about
    ]
    return sorted(found, key=lambda alert: alert.key)
