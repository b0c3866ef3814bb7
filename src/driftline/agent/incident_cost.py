"""What an incident has cost so far, as a fact of its message.

The cost is how much less the rows were worth than those of the reference, from the first different
window on. It needs a check that measures what a row is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.engine import Connection

from driftline import stats
from driftline.alerting.digest import CAUSE
from driftline.alerting.incident import Change
from driftline.contracts.check import Worth
from driftline.state.worth import Scope, WorthRow, count_rows, load_worth
from driftline.types.family import Family
from driftline.types.notification import COST, Event, Notification
from driftline.types.phrasing import number
from driftline.types.times import as_micros

WITHOUT_COST = frozenset({Family.MONITORING.value, CAUSE, Event.REPORT.value})
"""Families of incidents that are not about the rows of a model."""


@dataclass(frozen=True, slots=True)
class CostBasis:
    """Where the worth of a row is measured."""

    check: str
    """The name of the check in the configuration."""
    worth: Worth


def add_costs(
    connection: Connection, basis: CostBasis | None, changes: Sequence[Change]
) -> list[Change]:
    """Return the changes with the cost of their incidents among the facts of their messages.

    A fact of that name that a plugin brought stays.
    """
    if basis is None:
        return list(changes)
    return [_with_cost(connection, basis, change) for change in changes]


def _with_cost(connection: Connection, basis: CostBasis, change: Change) -> Change:
    notification = change.notification
    if notification.cause in WITHOUT_COST or COST in notification.facts:
        return change
    scope = scope_of(change)
    rows = load_worth(connection, scope, basis.check, basis.worth)
    text = describe_cost(rows, count_rows(connection, scope))
    if not text:
        return change
    facts = {**notification.facts, COST: text}
    return replace(change, notification=notification.model_copy(update={"facts": facts}))


def scope_of(change: Change) -> Scope:
    """Return the rows that an incident is about: of one segment if all its alerts are about it."""
    incident, notification = change.incident, change.notification
    return Scope(
        model=incident.model,
        segment=_shared_segment(notification),
        version=notification.model_version,
        since=as_micros(incident.since),
        until=as_micros(notification.resolved_at or change.at),
    )


def _shared_segment(notification: Notification) -> str:
    segments = {alert.labels.get("segment", "") for alert in notification.alerts}
    return segments.pop() if len(segments) == 1 else ""


def estimate_cost(rows: Sequence[WorthRow]) -> stats.Estimate:
    """Return what windows have cost in all, with a 95% interval; a gain is negative."""
    return stats.total_shortfall(
        np.array([row.rows for row in rows], float),
        np.array([row.value for row in rows], float),
        np.array([_error(row.value, row.interval) for row in rows], float),
        np.array([row.was for row in rows], float),
        np.array([_error(row.was, row.was_interval) for row in rows], float),
    )


def _error(value: float, interval: tuple[float, float] | None) -> float:
    """The standard error behind an interval; an interval may be cut at what is possible."""
    if interval is None:
        return float("nan")
    return max(value - interval[0], interval[1] - value) / stats.Z95


def describe_cost(rows: Sequence[WorthRow], total: int) -> str:
    """Say what windows have cost; `total` is the number of all their rows.

    Empty where there are no rows.
    """
    if not total:
        return ""
    cost = estimate_cost(rows)
    if cost.value is None or cost.interval is None:
        return f"not known: none of {total:,} predictions has a value yet"
    unit = f" {rows[0].unit}" if rows[0].unit else ""
    low, high = (number(float(f"{end:.3g}")) for end in sorted(map(abs, cost.interval)))
    basis = f"over the {cost.n:,} predictions since it began"
    if cost.n < total:
        basis = f"over {cost.n:,} of {total:,} predictions since it began; others have no value yet"
    size = f"{number(float(f'{abs(cost.value):.3g}'))}{unit}"
    if cost.interval[0] > 0:
        return f"{size} less than usual (95% sure: {low} to {high}{unit}) {basis}"
    if cost.interval[1] < 0:
        return f"none, but a gain of {size} (95% sure: {low} to {high}{unit}) {basis}"
    low, high = (number(float(f"{end:.3g}")) for end in cost.interval)
    return f"none that differs from chance (95% sure: {low} to {high}{unit}) {basis}"
