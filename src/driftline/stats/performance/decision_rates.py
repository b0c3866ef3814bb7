"""Metrics of a binary decision from the share of positive labels on each of its sides.

The shares may be estimated: each has a standard error, and those of both sides are independent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from driftline.stats.basics.estimate import Z95, Estimate, logit_interval


class Rate(NamedTuple):
    """The share of positive labels among `rows`, with its standard error."""

    rows: float
    share: float
    se: float


class DecisionRates(NamedTuple):
    """The shares of positive labels among rows predicted positive and rows predicted negative."""

    positive: Rate
    negative: Rate

    @property
    def rows(self) -> float:
        """Rows of both sides."""
        return self.positive.rows + self.negative.rows

    @property
    def tp(self) -> float:
        """Expected true positives."""
        return self.positive.rows * self.positive.share

    @property
    def fn(self) -> float:
        """Expected false negatives."""
        return self.negative.rows * self.negative.share


def accuracy_of_rates(rates: DecisionRates) -> Estimate:
    """Expected accuracy."""
    n = rates.rows
    if not n:
        return Estimate(None, reason="no rows with a score")
    value = (rates.tp + rates.negative.rows - rates.fn) / n
    return _estimate(rates, value, of_tp=1 / n, of_fn=-1 / n)


def precision_of_rates(rates: DecisionRates) -> Estimate:
    """Expected share of positives among the rows predicted positive."""
    n = rates.positive.rows
    if not n:
        return Estimate(None, reason="nothing was predicted positive")
    return _estimate(rates, rates.positive.share, of_tp=1 / n, of_fn=0.0)._replace(n=int(n))


def recall_of_rates(rates: DecisionRates) -> Estimate:
    """Expected true positives over expected positives."""
    tp, fn = rates.tp, rates.fn
    whole = tp + fn
    if not whole > 0:
        return Estimate(None, n=int(rates.rows), reason="no positive label is expected")
    return _estimate(rates, tp / whole, of_tp=fn / whole**2, of_fn=-tp / whole**2)


def f1_of_rates(rates: DecisionRates) -> Estimate:
    """F1 of the expected confusion cells."""
    tp, fn, predicted = rates.tp, rates.fn, rates.positive.rows
    whole = predicted + tp + fn
    if not whole > 0:
        reason = "no positive label is expected or predicted"
        return Estimate(None, n=int(rates.rows), reason=reason)
    of_tp, of_fn = 2 * (predicted + fn) / whole**2, -2 * tp / whole**2
    return _estimate(rates, 2 * tp / whole, of_tp=of_tp, of_fn=of_fn)


def bounded_estimate(value: float, se: float, n: int) -> Estimate:
    """A share with an interval that stays within 0 and 1."""
    interval = logit_interval(value, se)
    if interval is None:
        interval = (max(0.0, value - Z95 * se), min(1.0, value + Z95 * se))
    return Estimate(value, se, interval, n)


def _estimate(rates: DecisionRates, value: float, *, of_tp: float, of_fn: float) -> Estimate:
    """The value with its error by the delta method; `of_tp` and `of_fn` are its derivatives."""
    se = math.hypot(
        of_tp * rates.positive.rows * rates.positive.se,
        of_fn * rates.negative.rows * rates.negative.se,
    )
    return bounded_estimate(min(max(value, 0.0), 1.0), se, int(rates.rows))
