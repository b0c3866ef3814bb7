"""Corrects estimated shares of positive labels by the few labels that there are.

Prediction-powered inference (Angelopoulos et al. 2023) on each side of a decision. The estimates
have the weight of the rows without a label. So it does not matter at which scores the labelled rows
lie: only among rows of equal score they must be a random sample.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from driftline.stats.basics.estimate import Z95, Estimate
from driftline.stats.performance.decision_rates import Rate
from driftline.stats.performance.few_labels import prediction_powered_mean
from driftline.types.arrays import Floats

FEWEST_OF_CLASS = 5.0
"""Labels of the rarer class, expected or observed, below which labels correct nothing."""


class LabelledSide(NamedTuple):
    """Rows on one side of a decision, on cells of their estimated probability; arrays (C,)."""

    probability: Floats
    unlabelled: Floats
    """Rows without a label."""
    positives: Floats
    """Rows labelled positive."""
    negatives: Floats

    @property
    def labels(self) -> Floats:
        """Labelled rows of each cell."""
        return self.positives + self.negatives


def corrected_rate(side: LabelledSide) -> Rate | None:
    """Return the share of positive labels among all rows of a side; None with too few labels."""
    labels, p = side.labels, side.probability
    n, rest = float(labels.sum()), float(side.unlabelled.sum())
    positives, expected = float(side.positives.sum()), float(np.sum(labels * p))
    rarer = max(min(positives, n - positives), min(expected, n - expected))
    if n < 2 or rarer < FEWEST_OF_CLASS:
        return None
    # With few labels of a class its share may be 0 by chance, and its variance with it.
    smooth = (positives + 0.5) / (n + 1)
    mean_of_labelled = expected / n
    mean = float(np.sum(side.unlabelled * p)) / rest if rest else 0.0
    estimate = prediction_powered_mean(
        rows=round(rest),
        estimated_mean=mean,
        estimated_variance=_variance(p, side.unlabelled),
        labels=round(n),
        labelled_mean=positives / n,
        labelled_variance=smooth * (1 - smooth),
        estimated_mean_of_labelled=mean_of_labelled,
        estimated_variance_of_labelled=_variance(p, labels),
        covariance=float(np.sum(side.positives * p)) / n - positives / n * mean_of_labelled,
        power=rest / (rest + n),
    )
    assert estimate.value is not None
    assert estimate.se is not None
    return Rate(n + rest, min(max(estimate.value, 0.0), 1.0), estimate.se)


def label_correction(positive: LabelledSide, negative: LabelledSide) -> Estimate:
    """Return the accuracy of the labelled rows less the accuracy that is estimated for them.

    While each score means what it did, it is 0 but for chance. Its standard error is the larger of
    that of the labels and that of the probabilities.
    """
    n = float(positive.labels.sum() + negative.labels.sum())
    if not n:
        return Estimate(None, reason="no labels")
    gaps = squares = variance = 0.0
    for side, sign in ((positive, 1.0), (negative, -1.0)):
        p = side.probability
        gaps += sign * float(np.sum(side.positives * (1 - p) - side.negatives * p))
        squares += float(np.sum(side.positives * (1 - p) ** 2 + side.negatives * p**2))
        variance += float(np.sum(side.labels * p * (1 - p)))
    value = gaps / n
    se = math.sqrt(max(squares / n - value**2, variance / n) / n)
    return Estimate(value, se, (max(-1.0, value - Z95 * se), min(1.0, value + Z95 * se)), round(n))


def _variance(values: Floats, rows: Floats) -> float:
    """Variance of values that occur in `rows` rows each, shape (C,)."""
    n = float(rows.sum())
    if not n:
        return 0.0
    mean = float(np.sum(rows * values)) / n
    return float(np.sum(rows * (values - mean) ** 2)) / n
