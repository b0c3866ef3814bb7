"""Metrics of the order of scores: average precision, gain and lift, and the curves behind them.

Counts of negatives and positives have shape (C,), on the same cells with rising scores; scores in
one cell count as equal. Everything is taken from the highest score down.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Estimate, logit_interval
from driftline.stats.basics.proportion import wilson
from driftline.types.arrays import Floats

NO_POSITIVES, NO_NEGATIVES = "no label is positive", "no label is negative"


class ScoreCurve(NamedTuple):
    """Rows at or above each score, from none to all: the points of all curves."""

    tp: Floats
    """Positives, shape (P,)."""
    fp: Floats
    """Negatives, shape (P,)."""

    @property
    def recall(self) -> Floats:
        """Share of the positives; the true positive rate. 0 without positives."""
        return self.tp / max(float(self.tp[-1]), 1.0)

    @property
    def false_positive_rate(self) -> Floats:
        """Share of the negatives. 0 without negatives."""
        return self.fp / max(float(self.fp[-1]), 1.0)

    @property
    def precision(self) -> Floats:
        """Share of positives; 1 at the first point, as in scikit-learn."""
        rows = self.tp + self.fp
        return np.where(rows > 0, self.tp / np.maximum(rows, 1.0), 1.0)

    @property
    def depth(self) -> Floats:
        """Share of all rows."""
        rows = self.tp + self.fp
        return rows / max(float(rows[-1]), 1.0)


def score_curve(negatives: ArrayLike, positives: ArrayLike) -> ScoreCurve:
    """The curve of cells; empty cells have no point."""
    n, p = np.asarray(negatives, np.float64)[::-1], np.asarray(positives, np.float64)[::-1]
    has_rows = n + p > 0
    tp = np.concatenate(([0.0], np.cumsum(p[has_rows])))
    fp = np.concatenate(([0.0], np.cumsum(n[has_rows])))
    return ScoreCurve(tp, fp)


def average_precision(negatives: ArrayLike, positives: ArrayLike) -> Estimate:
    """Sum of precision times the growth of recall, without interpolation, as in scikit-learn.

    A model that knows nothing reaches the share of positives. The interval is on the logit scale
    with the variance of a proportion of the positives (Boyd, Eng and Page 2013).
    """
    curve = score_curve(negatives, positives)
    rows = int(curve.tp[-1])
    if rows < 1:
        return Estimate(None, reason=NO_POSITIVES)
    value = float(np.sum(np.diff(curve.recall) * curve.precision[1:]))
    value = min(1.0, max(0.0, value))
    se = math.sqrt(value * (1 - value) / rows)
    interval = logit_interval(value, se) or wilson(value * rows, rows)
    return Estimate(value, se, interval, rows + int(curve.fp[-1]))


def gain(negatives: ArrayLike, positives: ArrayLike, depth: float) -> Estimate:
    """Share of the positives in the `depth` (0 to 1) of rows with the highest scores.

    Rows of one cell that the limit divides are taken in proportion.
    """
    curve = score_curve(negatives, positives)
    rows = int(curve.tp[-1])
    if rows < 1:
        return Estimate(None, reason=NO_POSITIVES)
    share = float(np.interp(depth, curve.depth, curve.recall))
    se = math.sqrt(share * (1 - share) / rows)
    return Estimate(share, se, wilson(share * rows, rows), rows)


def lift(negatives: ArrayLike, positives: ArrayLike, depth: float) -> Estimate:
    """How many times more positives these rows have than as many rows at random."""
    share = gain(negatives, positives, depth)
    if share.value is None or share.se is None or share.interval is None or not depth > 0:
        return share
    low, high = share.interval
    return Estimate(share.value / depth, share.se / depth, (low / depth, high / depth), share.n)
