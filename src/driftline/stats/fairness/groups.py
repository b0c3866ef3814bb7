"""Rows of one group by decision and label, and rates that are compared between two groups.

The positive class is the favourable outcome. Sources: Hardt, Price & Srebro 2016; Feldman et al.
2015 (ratio of rates); the guides of Fairlearn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from driftline.stats.basics.estimate import Z95, Estimate
from driftline.stats.basics.proportion import newcombe

NO_EVENTS = 3.69
"""The upper end of the 95% interval of a Poisson mean where 0 events were counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCounts:
    """Rows of one group. Labelled rows are counted by decision and label."""

    tp: float = 0
    fp: float = 0
    fn: float = 0
    tn: float = 0
    accepted: float | None = None
    """Rows with a positive decision, with or without a label; of the labelled ones when None."""
    decided: float | None = None
    """Rows with any decision; the labelled ones when None."""

    @property
    def labelled(self) -> float:
        """Rows with decision and label."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def selection(self) -> tuple[float, float]:
        """Rows with a positive decision, and rows with any."""
        if self.accepted is None or self.decided is None:
            return self.tp + self.fp, self.labelled
        return self.accepted, self.decided

    def __add__(self, other: GroupCounts) -> GroupCounts:
        """The rows of two groups together."""
        (accepted, decided), (more_accepted, more_decided) = self.selection, other.selection
        return GroupCounts(
            tp=self.tp + other.tp,
            fp=self.fp + other.fp,
            fn=self.fn + other.fn,
            tn=self.tn + other.tn,
            accepted=accepted + more_accepted,
            decided=decided + more_decided,
        )


Rate = Callable[[GroupCounts], tuple[float, float]]
"""Returns the rows that count, and all rows of their kind."""
RATES: Mapping[str, Rate] = {
    "selection_rate": lambda g: g.selection,
    "base_rate": lambda g: (g.tp + g.fn, g.labelled),
    "true_positive_rate": lambda g: (g.tp, g.tp + g.fn),
    "false_positive_rate": lambda g: (g.fp, g.fp + g.tn),
    "precision": lambda g: (g.tp, g.tp + g.fp),
    "accuracy": lambda g: (g.tp + g.tn, g.labelled),
}
"""The rates of a group, by name."""
ROWS_OF_RATE: Mapping[str, str] = {
    "selection_rate": "rows with a decision",
    "base_rate": "labelled rows",
    "true_positive_rate": "rows with a positive label",
    "false_positive_rate": "rows with a negative label",
    "precision": "labelled rows with a positive decision",
    "accuracy": "labelled rows",
}
"""What all rows of their kind are, for people."""


def rate_difference(name: str, group: GroupCounts, others: GroupCounts) -> Estimate:
    """The rate of `group` less that of `others`, with Newcombe's 95% interval.

    `name` is a key of `RATES`. The estimate has no value where one side has no such rows.
    """
    (x, n), (x_others, n_others) = RATES[name](group), RATES[name](others)
    if not n or not n_others:
        return _without_rows(name, is_group=not n)
    interval = newcombe(x, n, x_others, n_others)
    return Estimate(x / n - x_others / n_others, interval=interval, n=int(n))


def rate_ratio(name: str, group: GroupCounts, others: GroupCounts) -> Estimate:
    """The rate of `group` divided by that of `others`, with a 95% interval on the log scale.

    The interval is missing where a rate is 0. The estimate has no value where the rate of `others`
    is 0 or a side has no such rows.
    """
    (x, n), (x_others, n_others) = RATES[name](group), RATES[name](others)
    if not n or not n_others:
        return _without_rows(name, is_group=not n)
    if not x_others:
        return Estimate(None, reason=f"the {name.replace('_', ' ')} of the others is 0")
    ratio = (x / n) / (x_others / n_others)
    if not x:
        return Estimate(ratio, n=int(n))
    # The delta method on the logarithm of two independent shares.
    error = math.sqrt(1 / x - 1 / n + 1 / x_others - 1 / n_others)
    room = math.exp(Z95 * error)
    return Estimate(ratio, interval=(ratio / room, ratio * room), n=int(n))


def average_odds_difference(group: GroupCounts, others: GroupCounts) -> Estimate:
    """The mean difference of the true and the false positive rate, with a 95% interval.

    Source: the `average_odds_difference` of AI Fairness 360.
    """
    parts = [
        rate_difference(name, group, others)
        for name in ("true_positive_rate", "false_positive_rate")
    ]
    if any(part.value is None for part in parts):
        return next(part for part in parts if part.value is None)
    first, second = parts
    assert first.value is not None
    assert second.value is not None
    value = (first.value + second.value) / 2
    if first.interval is None or second.interval is None:
        return Estimate(value, n=int(group.labelled))
    low = math.hypot(first.value - first.interval[0], second.value - second.interval[0]) / 2
    high = math.hypot(first.interval[1] - first.value, second.interval[1] - second.value) / 2
    return Estimate(value, interval=(value - low, value + high), n=int(group.labelled))


def treatment_equality(group: GroupCounts, others: GroupCounts) -> Estimate:
    """Misses per false alarm of `group` less those of `others` (Clarify's TE).

    It has no value where a side has no false positives. The 95% interval joins those of the two
    ratios (MOVER, Donner & Zou 2012).
    """
    if not group.fp or not others.fp:
        side = "the group has" if not group.fp else "the others have"
        return Estimate(None, reason=f"{side} no false positives")
    (ratio, low, high), (other, other_low, other_high) = map(_misses_per_alarm, (group, others))
    value = ratio - other
    interval = (
        value - math.hypot(ratio - low, other_high - other),
        value + math.hypot(high - ratio, other - other_low),
    )
    return Estimate(value, interval=interval, n=int(group.labelled))


def _misses_per_alarm(counts: GroupCounts) -> tuple[float, float, float]:
    """Misses per false alarm, and the ends of its 95% interval on the log scale."""
    ratio = counts.fn / counts.fp
    if not counts.fn:
        return 0.0, 0.0, NO_EVENTS / counts.fp
    room = math.exp(Z95 * math.sqrt(1 / counts.fn + 1 / counts.fp))
    return ratio, ratio / room, ratio * room


def _without_rows(name: str, *, is_group: bool) -> Estimate:
    side = "the group has" if is_group else "the others have"
    return Estimate(None, reason=f"{side} no {ROWS_OF_RATE[name]}")
