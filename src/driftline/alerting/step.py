"""The one step of alerting: facts in, state and changes out.

Refuses the clock, IO and randomness: the same facts on the same state give the same bytes, in one call or in several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from driftline.alerting.alert import Alert, AlertState, Ignored, observe
from driftline.alerting.fact import Fact
from driftline.alerting.incident import Change, Incident, Reason, transition
from driftline.notification import Event

Pair = tuple[str, str]
"""A model and a cause: at most one open incident each."""


@dataclass(frozen=True, slots=True)
class AlertingState:
    """All alerts that were ever other than quiet, and the open incidents."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """By key."""
    incidents: Mapping[Pair, Incident] = field(default_factory=dict)
    """The open ones."""
    counts: Mapping[Pair, int] = field(default_factory=dict)
    """Incidents so far, open or not."""
    unreadable: tuple[str, ...] = field(default=(), compare=False)
    """What could not be loaded and why, one sentence each."""


@dataclass(frozen=True, slots=True)
class Note:
    """A fact that moved nothing, and why."""

    fact: Fact
    reason: Ignored


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did."""

    state: AlertingState
    changes: tuple[Change, ...] = ()
    """What to tell, in order."""
    alerts: Mapping[str, Alert | None] = field(default_factory=dict)
    """The alerts that differ from before; None for those that are gone."""
    notes: tuple[Note, ...] = ()
    now: datetime | None = None
    """The time the step was given."""


def step(state: AlertingState, facts: Sequence[Fact], now: datetime) -> Step:
    """Move every alert that `facts` are about, then the incidents of their models and causes.

    Facts of one window belong in one call: they open one incident together. Windows are taken by their start, so several
    in one call give what one call each would give. The order of facts within a window doesn't matter.
    """
    alerts, incidents, counts = dict(state.alerts), dict(state.incidents), dict(state.counts)
    touched: dict[str, Alert | None] = {}
    changes: list[Change] = []
    notes: list[Note] = []
    for (model, cause), group in _windows(facts):
        before = _members(alerts.values(), model, cause)
        for fact in group:
            key = fact.key
            old = alerts.get(key)
            alert, ignored = observe(old, fact)
            if ignored is not None:
                notes.append(Note(fact, ignored))
            if alert is not None and alert is not old and alert != old:
                alerts[key] = touched[key] = alert
        window = (group[0].start, max(fact.end for fact in group))
        rows = max(fact.rows for fact in group)
        after = _members(alerts.values(), model, cause)
        ordinal = counts.get((model, cause), 0) + 1
        change = transition(incidents.get((model, cause)), before, after, ordinal=ordinal, window=window, rows=rows)
        _apply(change, (model, cause), incidents, counts, changes)
    return Step(AlertingState(alerts, incidents, counts), tuple(changes), touched, tuple(notes), now)


def retire(state: AlertingState, gone: Callable[[Alert], bool], at: datetime) -> Step:
    """Forget the alerts that `gone` names: their check, column, version or model is no longer watched.

    An incident that only they kept open is resolved with the reason `no longer watched`; `at` is the end of its time.
    """
    leaving = {key: alert for key, alert in sorted(state.alerts.items()) if gone(alert)}
    incidents, counts = dict(state.incidents), dict(state.counts)
    changes: list[Change] = []
    for model, cause in sorted({(alert.model, alert.cause) for alert in leaving.values()}):
        before = _members(state.alerts.values(), model, cause)
        after = [alert for alert in before if alert.key not in leaving]
        incident = incidents.get((model, cause))
        if incident is None:
            continue
        change = transition(incident, before, after, ordinal=0, window=(at, at), rows=0, why_over=Reason.RETIRED)
        _apply(change, (model, cause), incidents, counts, changes)
    alerts = {key: alert for key, alert in state.alerts.items() if key not in leaving}
    return Step(AlertingState(alerts, incidents, counts), tuple(changes), dict.fromkeys(leaving), (), at)


def firing(state: AlertingState) -> list[Alert]:
    """The alerts that fire, by key."""
    return [alert for _, alert in sorted(state.alerts.items()) if alert.phase.state is AlertState.FIRING]


def _windows(facts: Sequence[Fact]) -> Iterable[tuple[Pair, list[Fact]]]:
    for (_, model, cause), group in groupby(sorted(facts, key=_order), key=lambda fact: (fact.start, fact.model, fact.cause)):
        yield (model, cause), list(group)


def _order(fact: Fact) -> tuple[object, ...]:
    who = (fact.check, fact.measurement, fact.version, fact.segment, fact.labels)
    return (fact.start, fact.model, fact.cause, fact.end, fact.revision, *who)


def _members(alerts: Iterable[Alert], model: str, cause: str) -> list[Alert]:
    """The alerts of a model and cause, by key."""
    return sorted((alert for alert in alerts if (alert.model, alert.cause) == (model, cause)), key=lambda alert: alert.key)


def _apply(
    change: Change | None,
    pair: Pair,
    incidents: dict[Pair, Incident],
    counts: dict[Pair, int],
    changes: list[Change],
) -> None:
    if change is None:
        return
    changes.append(change)
    if change.event is Event.OPENED:
        counts[pair] = counts.get(pair, 0) + 1
    if change.event is Event.RESOLVED:
        incidents.pop(pair, None)
    else:
        incidents[pair] = change.incident
