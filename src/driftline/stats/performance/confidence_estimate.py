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

from driftline.stats.basics.estimate import Estimate
from driftline.stats.performance.decision_rates import (
    DecisionRates,
    Rate,
    accuracy_of_rates,
    f1_of_rates,
    precision_of_rates,
    recall_of_rates,
)
from driftline.types.arrays import Floats


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


def expected_rates(cells: ProbabilityCells) -> DecisionRates:
    """Return the expected shares of positive labels; their errors are those of chance in labels."""
    return DecisionRates(
        _expected_rate(cells.probability, cells.predicted_positive),
        _expected_rate(cells.probability, cells.predicted_negative),
    )


def estimated_accuracy(cells: ProbabilityCells) -> Estimate:
    """Expected accuracy; its standard error is that of the accuracy which labels will show."""
    return accuracy_of_rates(expected_rates(cells))


def estimated_precision(cells: ProbabilityCells) -> Estimate:
    """Expected share of positives among the rows predicted positive."""
    return precision_of_rates(expected_rates(cells))


def estimated_recall(cells: ProbabilityCells) -> Estimate:
    """Expected true positives over expected positives."""
    return recall_of_rates(expected_rates(cells))


def estimated_f1(cells: ProbabilityCells) -> Estimate:
    """F1 of the expected confusion cells."""
    return f1_of_rates(expected_rates(cells))


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


def _expected_rate(probability: Floats, rows: Floats) -> Rate:
    n = float(rows.sum())
    if not n:
        return Rate(0.0, 0.0, 0.0)
    variance = float(np.sum(rows * probability * (1 - probability)))
    return Rate(n, float(np.sum(rows * probability)) / n, math.sqrt(variance) / n)
