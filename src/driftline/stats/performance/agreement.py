"""Metrics of a whole confusion table, and of one class against the rest.

The input is {(label, predicted): rows}. Standard errors are those of the delta method on the
multinomial counts. A metric that does not exist is an `Estimate` without value, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from driftline.stats.basics.estimate import Z95, Estimate, Interval
from driftline.stats.performance.classification import Confusion, rate, share_interval
from driftline.types.arrays import Floats

NO_ROWS = "no labelled rows"


class ClassTable(NamedTuple):
    """Shares of all rows by label and predicted class."""

    classes: tuple[str, ...]
    shares: Floats
    """Shape (K, K): labels by predictions, sum 1."""
    rows: int

    @property
    def labels(self) -> Floats:
        """Share of rows of each label, shape (K,)."""
        result: Floats = self.shares.sum(axis=1)
        return result

    @property
    def predictions(self) -> Floats:
        """Share of rows of each predicted class, shape (K,)."""
        result: Floats = self.shares.sum(axis=0)
        return result


def class_table(confusion: Mapping[tuple[str, str], int]) -> ClassTable:
    """The table of {(label, predicted): rows}; classes are sorted."""
    classes = tuple(sorted({name for pair in confusion for name in pair}))
    places = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    for (label, predicted), count in confusion.items():
        counts[places[label], places[predicted]] += count
    rows = int(counts.sum())
    return ClassTable(classes, counts / max(rows, 1), rows)


def one_against_rest(confusion: Mapping[tuple[str, str], int], name: str) -> Confusion:
    """The four cells of one class: positive is `name`, negative every other class."""
    tp = fp = tn = fn = 0
    for (label, predicted), count in confusion.items():
        if label == name:
            tp, fn = (tp + count, fn) if predicted == name else (tp, fn + count)
        elif predicted == name:
            fp += count
        else:
            tn += count
    return Confusion(tp, fp, tn, fn)


def mcc(confusion: Mapping[tuple[str, str], int]) -> Estimate:
    """Matthews' correlation of label and prediction, for any number of classes (Gorodkin 2004).

    In [-1, 1]. It has no value where all labels or all predictions are of one class. The interval
    is on Fisher's z scale.
    """
    table = class_table(confusion)
    if not table.rows:
        return Estimate(None, reason=NO_ROWS)
    labels, predictions = table.labels, table.predictions
    together = float(np.trace(table.shares) - labels @ predictions)
    of_labels, of_predictions = 1 - float(labels @ labels), 1 - float(predictions @ predictions)
    if side := _side_of_one_class(table):
        return Estimate(None, n=table.rows, reason=f"all {side} are of one class")
    root = math.sqrt(of_labels * of_predictions)
    value = together / root
    slope = np.eye(len(labels)) - predictions[:, None] - labels[None, :]
    gradient = slope / root + value * (
        labels[:, None] / of_labels + predictions[None, :] / of_predictions
    )
    se = _standard_error(table, gradient)
    return Estimate(value, se, _fisher_interval(value, se), table.rows)


def cohen_kappa(confusion: Mapping[tuple[str, str], int]) -> Estimate:
    """Cohen's kappa: agreement of label and prediction beyond chance (Cohen 1960).

    At most 1. It has no value where all labels or all predictions are of one class: it is then 0
    whatever the rows, which says nothing about the model.
    """
    table = class_table(confusion)
    if not table.rows:
        return Estimate(None, reason=NO_ROWS)
    labels, predictions = table.labels, table.predictions
    if side := _side_of_one_class(table):
        return Estimate(None, n=table.rows, reason=f"all {side} are of one class")
    agreed, by_chance = float(np.trace(table.shares)), float(labels @ predictions)
    value = (agreed - by_chance) / (1 - by_chance)
    slope = predictions[:, None] + labels[None, :]
    gradient = (np.eye(len(labels)) - (1 - value) * slope) / (1 - by_chance)
    se = _standard_error(table, gradient)
    return Estimate(value, se, _fisher_interval(value, se), table.rows)


def jaccard(c: Confusion) -> Estimate:
    """TP/(TP+FP+FN)."""
    return rate(c.tp, c.tp + c.fp + c.fn, "no label and no prediction is positive")


def false_positive_rate(c: Confusion) -> Estimate:
    """FP/(FP+TN)."""
    return rate(c.fp, c.fp + c.tn, "no label is negative")


def false_negative_rate(c: Confusion) -> Estimate:
    """FN/(FN+TP)."""
    return rate(c.fn, c.fn + c.tp, "no label is positive")


def f_beta(c: Confusion, beta: float) -> Estimate:
    """F score that gives recall `beta` times the weight of precision (van Rijsbergen 1979)."""
    weight = beta * beta
    n = c.tp + c.fp + c.fn
    if not n:
        return Estimate(None, reason="no label and no prediction is positive")
    whole = (1 + weight) * c.tp + weight * c.fn + c.fp
    value = (1 + weight) * c.tp / whole
    gradient = np.array([1 + weight - value * (1 + weight), -value, -value * weight]) / whole * n
    shares = np.array([c.tp, c.fp, c.fn]) / n
    variance = float(shares @ gradient**2 - (shares @ gradient) ** 2) / n
    se = math.sqrt(max(0.0, variance))
    return Estimate(value, se, share_interval(value, se, n), n)


def weighted(
    confusion: Mapping[tuple[str, str], int], beta: float | None, *, by_label: bool = True
) -> Estimate:
    """Mean over classes, weighted by their labelled rows: F score with `beta`, recall or precision.

    The metric of a class is 0 where its denominator is, as in scikit-learn.

    Args:
        confusion: Rows by (label, predicted).
        beta: Weight of recall in the F score of each class; None for recall or precision alone.
        by_label: Without `beta`: recall if true, precision if false.

    Returns:
        The mean with its interval; without rows no value, with the reason.
    """
    table = class_table(confusion)
    if not table.rows:
        return Estimate(None, reason=NO_ROWS)
    labels, predictions, right = table.labels, table.predictions, np.diag(table.shares)
    if beta is None and by_label:
        return rate(round(float(right.sum()) * table.rows), table.rows, NO_ROWS)
    weight = 0.0 if beta is None else beta * beta
    whole = weight * labels + predictions
    safe = np.where(whole > 0, whole, 1.0)
    values = np.where(whole > 0, (1 + weight) * right / safe, 0.0)
    value = float(labels @ values)
    slope = np.where(whole > 0, labels / safe, 0.0)
    gradient = np.diag((1 + weight) * slope)
    gradient += (values - weight * values * slope)[:, None] - (values * slope)[None, :]
    se = _standard_error(table, gradient)
    n = table.rows
    return Estimate(value, se, share_interval(value, se, n), n)


def _standard_error(table: ClassTable, gradient: Floats) -> float:
    """The standard error of a function of the shares with this gradient, shape (K, K)."""
    mean = float((table.shares * gradient).sum())
    variance = float((table.shares * (gradient - mean) ** 2).sum())
    return math.sqrt(max(0.0, variance) / table.rows)


def _side_of_one_class(table: ClassTable) -> str:
    """Return `labels` or `predictions` where all of these are of one class, else ""."""
    for side, shares in (("labels", table.labels), ("predictions", table.predictions)):
        if np.count_nonzero(shares) < 2:
            return side
    return ""


def _fisher_interval(value: float, se: float) -> Interval | None:
    """Symmetric on the scale of atanh, so that it stays in [-1, 1]; None at the ends."""
    if not -1 < value < 1:
        return None
    half = Z95 * se / (1 - value * value)
    return math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half)
