"""Performance without labels, from calibrated scores: CBPE (Białek et al. 2024).

Each score is taken as the probability of a positive label. Concept drift, by which the same input
leads to other labels, can't be seen this way. Scores are counted on cells, shape (C,): the
probability of a cell, and its rows that are predicted positive and negative.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Z95, Estimate, Interval, logit_interval
from driftline.types.arrays import Floats

NO_ROWS = "no rows with a score"


class ProbabilityCells(NamedTuple):
    """Unlabelled rows on cells of their probability to be positive, each of shape (C,)."""

    probability: Floats
    """In rising order."""
    predicted_positive: Floats
    """Rows that are predicted positive."""
    predicted_negative: Floats

    @classmethod
    def of(
        cls, probability: ArrayLike, predicted_positive: ArrayLike, predicted_negative: ArrayLike
    ) -> ProbabilityCells:
        """Sort cells by probability."""
        p, pos, neg = (
            np.asarray(values, np.float64)
            for values in (probability, predicted_positive, predicted_negative)
        )
        order = np.argsort(p, kind="stable")
        return cls(p[order], pos[order], neg[order])

    @property
    def rows(self) -> Floats:
        """All rows of each cell."""
        return self.predicted_positive + self.predicted_negative


class ExpectedConfusion(NamedTuple):
    """Expected rows of the four cells of a binary decision."""

    tp: float
    fp: float
    tn: float
    fn: float


def expected_confusion(cells: ProbabilityCells) -> ExpectedConfusion:
    """Return the expected rows of the confusion cells, if the probabilities are right."""
    p, pos, neg = cells
    return ExpectedConfusion(
        tp=float(np.sum(p * pos)),
        fp=float(np.sum((1 - p) * pos)),
        tn=float(np.sum((1 - p) * neg)),
        fn=float(np.sum(p * neg)),
    )


def estimated_accuracy(cells: ProbabilityCells) -> Estimate:
    """Expected accuracy; its standard error is that of the accuracy which labels will show."""
    p, pos, neg = cells
    n = float(cells.rows.sum())
    if not n:
        return Estimate(None, reason=NO_ROWS)
    c = expected_confusion(cells)
    variance = float(np.sum((pos + neg) * p * (1 - p)))
    return _bounded((c.tp + c.tn) / n, math.sqrt(variance) / n, int(n))


def estimated_precision(cells: ProbabilityCells) -> Estimate:
    """Expected share of positives among the rows predicted positive."""
    n = float(cells.predicted_positive.sum())
    if not n:
        return Estimate(None, reason="nothing was predicted positive")
    p = cells.probability
    variance = float(np.sum(cells.predicted_positive * p * (1 - p)))
    return _bounded(expected_confusion(cells).tp / n, math.sqrt(variance) / n, int(n))


def estimated_recall(cells: ProbabilityCells) -> Estimate:
    """Expected true positives over expected positives."""
    return _ratio(cells, weight_fp=0.0, weight_fn=1.0, reason="no positive label is expected")


def estimated_f1(cells: ProbabilityCells) -> Estimate:
    """F1 of the expected confusion cells."""
    reason = "no positive label is expected or predicted"
    return _ratio(cells, weight_fp=0.5, weight_fn=0.5, reason=reason)


def estimated_roc_auc(cells: ProbabilityCells) -> Estimate:
    """Expected share of pairs of a positive and a negative row that the scores order right.

    Only pairs of different rows count; a sweep over thresholds would count each row against itself
    and is biased low in small samples. There is no standard error.
    """
    p, rows = cells.probability, cells.rows
    positives, negatives = rows * p, rows * (1 - p)
    below = np.cumsum(negatives) - negatives
    # Rows of the same cell have equal scores: half a pair each, a row with itself left out.
    same = p * (1 - p) * rows * np.maximum(rows - 1, 0) / 2
    right = float(np.sum(positives * below + same))
    pairs = float(positives.sum() * negatives.sum() - np.sum(rows * p * (1 - p)))
    n = int(rows.sum())
    if not pairs > 0:
        return Estimate(None, n=n, reason="no pair of a positive and a negative row is expected")
    return Estimate(min(1.0, right / pairs), n=n)


def _ratio(cells: ProbabilityCells, *, weight_fp: float, weight_fn: float, reason: str) -> Estimate:
    """TP / (TP + a FP + b FN) of the expected cells, by the delta method over the labels."""
    c, p = expected_confusion(cells), cells.probability
    whole = c.tp + weight_fp * c.fp + weight_fn * c.fn
    n = int(cells.rows.sum())
    if not whole > 0:
        return Estimate(None, n=n, reason=reason)
    value = c.tp / whole
    # What one label that turns positive changes, in rows predicted positive and negative.
    of_positive = (1 - value * (1 - weight_fp)) / whole
    of_negative = -value * weight_fn / whole
    spread = p * (1 - p)
    variance = float(
        np.sum(
            spread * (cells.predicted_positive * of_positive**2)
            + spread * (cells.predicted_negative * of_negative**2)
        )
    )
    return _bounded(value, math.sqrt(variance), n)


def _bounded(value: float, se: float, n: int) -> Estimate:
    interval: Interval | None = logit_interval(value, se) if 0 < value < 1 else None
    if interval is None:
        interval = (max(0.0, value - Z95 * se), min(1.0, value + Z95 * se))
    return Estimate(value, se, interval, n)
