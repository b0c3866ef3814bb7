"""Metrics of predicted sets of classes (multilabel), from sums over rows.

Intervals of ratios are those of the delta method over rows, on the logit scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from driftline.stats.basics.estimate import Estimate, logit_interval
from driftline.stats.basics.proportion import wilson
from driftline.stats.performance.classification import Average

NO_ROWS = "no labelled rows"


class SetSums(NamedTuple):
    """Sums over rows: classes in both sets (tp), predicted and labelled ones, and products."""

    n: int
    tp: int
    predicted: int
    labelled: int
    tp_tp: int
    tp_predicted: int
    tp_labelled: int
    predicted2: int
    labelled2: int
    both: int
    """Predicted classes times labelled classes."""


def micro(s: SetSums, metric: Average) -> Estimate:
    """The metric of all pairs of row and class together, as scikit-learn's `micro`."""
    if not s.n:
        return Estimate(None, reason=NO_ROWS)
    a, b, c = {"precision": (1.0, 1.0, 0.0), "recall": (1.0, 0.0, 1.0), "f1": (2.0, 1.0, 1.0)}[
        metric
    ]
    below = b * s.predicted + c * s.labelled
    if not below:
        empty = "no class was predicted" if metric == "precision" else "no row has a class"
        return Estimate(None, reason=empty)
    value = a * s.tp / below
    squares = (
        a * a * s.tp_tp
        - 2 * a * value * (b * s.tp_predicted + c * s.tp_labelled)
        + value * value * (b * b * s.predicted2 + c * c * s.labelled2 + 2 * b * c * s.both)
    )
    se = math.sqrt(max(squares, 0.0)) / below
    return _share(value, se, s.n)


def class_average(
    by_class: Mapping[str, tuple[int, int, int]], rows: int, metric: Average, *, weighted: bool
) -> Estimate:
    """Mean of the metric over classes, from (in both sets, only predicted, only labelled) rows.

    Unweighted, or weighted by the rows that are labelled with the class. The metric of a class is 0
    where its denominator is, as in scikit-learn. The standard error takes classes as independent,
    and counts one right and one wrong row more of each.
    """
    if not rows:
        return Estimate(None, reason=NO_ROWS)
    weights = {name: float(tp + fn) if weighted else 1.0 for name, (tp, _, fn) in by_class.items()}
    total = sum(weights.values())
    if not total:
        return Estimate(None, reason="no row has a class")
    value = variance = 0.0
    for name, (tp, fp, fn) in by_class.items():
        a, below = {
            "precision": (tp, float(tp + fp)),
            "recall": (tp, float(tp + fn)),
            "f1": (tp, tp + (fp + fn) / 2),
        }[metric]
        share = a / below if below else 0.0
        softened = (a + 1) / (below + 2)
        weight = weights[name] / total
        value += weight * share
        variance += weight * weight * softened * (1 - softened) / (below + 2)
    return _share(value, math.sqrt(variance), rows)


def hamming_loss(n: int, wrong: int, wrong2: int, classes: int) -> Estimate:
    """Share of pairs of row and class that are wrong, from the wrong classes of each row."""
    if not n or not classes:
        return Estimate(None, reason=NO_ROWS if not n else "there is no class")
    mean = wrong / n
    variance = max(wrong2 / n - mean * mean, 0.0) * n / max(n - 1, 1)
    return _share(mean / classes, math.sqrt(variance / n) / classes, n)


def jaccard_of_rows(rows_by_sizes: Mapping[tuple[int, int], int]) -> Estimate:
    """Mean over rows of the classes in both sets over those in either; 1 for two empty sets.

    `rows_by_sizes` are the rows by both numbers.
    """
    n = sum(rows_by_sizes.values())
    if not n:
        return Estimate(None, reason=NO_ROWS)
    shares = {key: key[0] / key[1] if key[1] else 1.0 for key in rows_by_sizes}
    mean = math.fsum(shares[key] * rows for key, rows in rows_by_sizes.items()) / n
    squares = math.fsum((shares[key] - mean) ** 2 * rows for key, rows in rows_by_sizes.items())
    return _share(mean, math.sqrt(squares / max(n - 1, 1) / n), n)


def _share(value: float, se: float, n: int) -> Estimate:
    value = min(max(value, 0.0), 1.0)
    if n < 2:
        return Estimate(value, n=n)
    interval = logit_interval(value, se) if se > 0 else wilson(value * n, n)
    return Estimate(value, se, interval or wilson(value * n, n), n)
