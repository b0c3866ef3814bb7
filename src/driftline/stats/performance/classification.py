"""Classification metrics and their intervals, from counts and sums that merge.

The input is confusion counts, sums, and scores counted on cells, never rows. A metric whose
denominator is 0 is undefined: an `Estimate` with value None and the reason, never 0. Proportions
have Wilson intervals, others an interval on the logit or log scale, so that none leaves its range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import (
    Z95,
    Estimate,
    Interval,
    log_interval,
    logit_interval,
)
from driftline.stats.basics.proportion import wilson
from driftline.types.arrays import Floats

Average = Literal["precision", "recall", "f1"]


class Confusion(NamedTuple):
    """The four cells of a binary decision, in rows."""

    tp: int
    fp: int
    tn: int
    fn: int


def rate(x: int, n: int, empty: str) -> Estimate:
    """x/n with its Wilson interval; `empty` is the reason when n is 0."""
    if n <= 0:
        return Estimate(None, reason=empty)
    share = x / n
    return Estimate(share, math.sqrt(share * (1 - share) / n), wilson(x, n), n)


def accuracy(confusion: Mapping[tuple[str, str], int]) -> Estimate:
    """Share of rows whose predicted class is the label, from {(label, predicted): rows}."""
    right = sum(count for (label, decision), count in confusion.items() if label == decision)
    return rate(right, sum(confusion.values()), "no labelled rows")


def precision(c: Confusion) -> Estimate:
    """TP/(TP+FP), given the number of positive predictions."""
    return rate(c.tp, c.tp + c.fp, "nothing was predicted positive")


def recall(c: Confusion) -> Estimate:
    """TP/(TP+FN)."""
    return rate(c.tp, c.tp + c.fn, "no label is positive")


def specificity(c: Confusion) -> Estimate:
    """TN/(TN+FP)."""
    return rate(c.tn, c.tn + c.fp, "no label is negative")


def f1(c: Confusion) -> Estimate:
    """F1 score, 2TP/(2TP+FP+FN).

    It rises with r = TP/(TP+FP+FN), as 2r/(1+r), so the Wilson interval of r carries over exactly.
    """
    n = c.tp + c.fp + c.fn
    jaccard = rate(c.tp, n, "no label and no prediction is positive")
    if jaccard.value is None or jaccard.se is None or jaccard.interval is None:
        return jaccard
    low, high = (2 * end / (1 + end) for end in jaccard.interval)
    return Estimate(
        2 * jaccard.value / (1 + jaccard.value),
        2 * jaccard.se / (1 + jaccard.value) ** 2,
        (low, high),
        n,
    )


def balanced_accuracy(c: Confusion) -> Estimate:
    """(recall + specificity)/2."""
    hit, quiet = recall(c), specificity(c)
    if hit.value is None or hit.se is None or quiet.value is None or quiet.se is None:
        return Estimate(None, reason=hit.reason or quiet.reason)
    value, se, n = (hit.value + quiet.value) / 2, math.hypot(hit.se, quiet.se) / 2, sum(c)
    return Estimate(value, se, share_interval(value, se, n), n)


def macro(confusion: Mapping[tuple[str, str], float], metric: Average) -> Estimate:
    """Unweighted mean over all classes that are labelled or predicted, as in scikit-learn.

    The metric of a class is 0 where its denominator is: the precision of a class that is never
    predicted, the recall of one that is never labelled. The standard error is that of the delta
    method on the multinomial counts of {(label, predicted): rows}, with one right and one wrong row
    more of each class: a class of few rows that are all right or all wrong is not known exactly.
    """
    classes = sorted({name for pair in confusion for name in pair})
    n = int(sum(confusion.values()))
    if not n:
        return Estimate(None, reason="no labelled rows")
    places = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    for (label, decision), count in confusion.items():
        counts[places[label], places[decision]] += count
    present = counts.sum(axis=0) + counts.sum(axis=1) > 0
    counts = counts[np.ix_(present, present)]
    class_count = len(counts)
    weights, values = _by_class(counts, metric)
    value = float(values.sum()) / class_count
    is_right = np.eye(class_count)
    table = counts + is_right + (1 - is_right) / max(class_count - 1, 1)
    table /= table.sum()
    weights, values = _by_class(table, metric)
    slope = 1 / weights / class_count
    loss = values * slope
    by_label = {"precision": 0.0, "recall": 1.0, "f1": 0.5}[metric]
    gradient = np.diag(slope) - by_label * loss[:, None] - (1 - by_label) * loss[None, :]
    variance = float(np.sum(table * gradient**2) - np.sum(table * gradient) ** 2) / n
    se = math.sqrt(max(0.0, variance))
    return Estimate(value, se, share_interval(value, se, n), n)


def _by_class(table: Floats, metric: Average) -> tuple[Floats, Floats]:
    """The denominator and the metric of each class, each of shape (classes,).

    `table` are counts or shares by label and prediction, shape (classes, classes).
    """
    labels, predictions = table.sum(axis=1), table.sum(axis=0)
    weights = {"precision": predictions, "recall": labels, "f1": (labels + predictions) / 2}[metric]
    values = np.where(weights > 0, np.diag(table) / np.where(weights > 0, weights, 1.0), 0.0)
    return weights, values


def roc_auc(negatives: ArrayLike, positives: ArrayLike, least: int = 1) -> Estimate:
    """Area under the ROC curve, with DeLong's variance and a logit interval.

    P(score of a positive > of a negative) + P(equal)/2. Counts have shape (C,), on the same rising
    cells; scores in one cell count as equal. Undefined below `least` rows of a class. Where the
    scores of the two classes do not overlap, the interval is Wilson's for the smaller class.
    """
    n, p = np.asarray(negatives, dtype=np.float64), np.asarray(positives, dtype=np.float64)
    rows_n, rows_p = float(n.sum()), float(p.sum())
    if min(rows_n, rows_p) < max(least, 1):
        needed = f"needs {max(least, 1)} positive and negative labels"
        reason = (
            f"{needed}: {rows_p:.0f} and {rows_n:.0f}"
            if rows_n + rows_p
            else "no labelled rows with a score"
        )
        return Estimate(None, reason=reason)
    of_positive = (np.cumsum(n) - n / 2) / rows_n
    of_negative = 1 - (np.cumsum(p) - p / 2) / rows_p
    auc = float(np.sum(p * of_positive)) / rows_p
    variance = _spread(of_positive, p, auc) / rows_p + _spread(of_negative, n, auc) / rows_n
    se = math.sqrt(max(0.0, variance))
    least_rows = int(min(rows_n, rows_p))
    interval = (
        logit_interval(auc, se) if se > 0 and 0 < auc < 1 else wilson(auc * least_rows, least_rows)
    )
    return Estimate(min(1.0, max(0.0, auc)), se, interval, int(rows_n + rows_p))


def hanley_mcneil_se(auc: float, positives: int, negatives: int) -> float | None:
    """Standard error of an AUC from its value alone (1982), for planning; None without a class."""
    if positives < 1 or negatives < 1:
        return None
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    total = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return math.sqrt(max(0.0, total) / (positives * negatives))


def separation(negatives: ArrayLike, positives: ArrayLike) -> float | None:
    """KS distance between the scores of the two classes, on common cells; None without a class."""
    n, p = np.asarray(negatives, dtype=np.float64), np.asarray(positives, dtype=np.float64)
    if not n.sum() > 0 or not p.sum() > 0:
        return None
    return float(np.max(np.abs(np.cumsum(n) / n.sum() - np.cumsum(p) / p.sum())))


def brier(n: int, total: float, squares: float, outside: int = 0) -> Estimate:
    """Brier score: mean of (s - y)^2, from its sum and the sum of its squares over n rows.

    It has no value where `outside` of the scores are below 0 or above 1; neither has a mean above
    1, which such scores give.
    """
    estimate = _mean(n, total, squares)
    if estimate.value is None or estimate.se is None:
        return estimate
    if outside or estimate.value > 1:
        return Estimate(None, reason=_no_probabilities(n, outside))
    return estimate._replace(interval=share_interval(estimate.value, estimate.se, n))


def log_loss(n: int, total: float, squares: float, outside: int = 0) -> Estimate:
    """Log loss: mean of -ln(probability of the label), in nats.

    The caller has clipped the scores to [1e-15, 1 - 1e-15]. It has no value where `outside` of the
    scores are below 0 or above 1, and were moved further than that.
    """
    if n and outside:
        return Estimate(None, reason=_no_probabilities(n, outside))
    estimate = _mean(n, total, squares)
    if estimate.value is None or estimate.se is None:
        return estimate
    # Without any loss seen, the rule of three: a loss of at most that rate times one nat.
    interval: Interval | None = log_interval(estimate.value, estimate.se) or (0.0, 3 / n)
    return estimate._replace(interval=interval)


def calibration_gap(
    n: int, positives: int, scores: float, brier_sum: float, outside: int = 0
) -> Estimate:
    """Mean label less mean score: above 0 when the scores are too low on average.

    `positives` are the rows labelled 1, `scores` the sum of all scores, and `brier_sum` that of
    (s - y)^2, over n rows. The standard error is sd(y - s)/sqrt(n), ddof 1. It has no value where
    `outside` of the scores are below 0 or above 1.
    """
    if n < 1:
        return Estimate(None, reason="no labelled rows with a score")
    gap = (positives - scores) / n
    if outside or brier_sum > n:
        return Estimate(None, None, None, n, _no_probabilities(n, outside))
    if n == 1:
        return Estimate(None, None, None, n, "one labelled row")
    # One more row that is wrong by 1 keeps a small sample without errors from looking certain.
    variance = max(0.0, (brier_sum + 1) / n - gap**2) * n / (n - 1)
    se = math.sqrt(variance / n)
    return Estimate(gap, se, (max(-1.0, gap - Z95 * se), min(1.0, gap + Z95 * se)), n)


def _no_probabilities(n: int, outside: int) -> str:
    text = "the scores are no probabilities from 0 to 1"
    return f"{text}: {outside} of {n} lie outside" if 0 < outside < n else text


def _mean(n: int, total: float, squares: float) -> Estimate:
    if n < 1:
        return Estimate(None, reason="no labelled rows with a score")
    mean = total / n
    variance = max(0.0, squares / n - mean**2) * n / (n - 1) if n > 1 else mean**2
    return Estimate(mean, math.sqrt(variance / n), None, n)


def _spread(values: Floats, weights: Floats, mean: float) -> float:
    n = float(weights.sum())
    return float(np.sum(weights * (values - mean) ** 2)) / (n - 1) if n > 1 else 0.25


def share_interval(value: float, se: float, n: int) -> Interval | None:
    """The interval of a number from 0 to 1: on the logit scale, or Wilson's where that has none."""
    return logit_interval(value, se) if se > 0 and 0 < value < 1 else wilson(value * n, n)
