"""What a prediction without a model would score on the labels of a window.

A constant, the shares of the classes, a random order: a model that is no better has no use. A
baseline that does not exist is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from driftline import stats
from driftline.profiles.window import ErrorSums, Scores

Baseline = Callable[[Scores], float | None]
POSITIVE = "1"
DEFAULT_ITEMS = 10


def _label_rows(s: Scores) -> Mapping[str, int]:
    """Rows by label, of rows with a prediction; from the grid of scores where there is no other."""
    rows: dict[str, int] = {}
    for (label, _), count in s.confusion.items():
        rows[label] = rows.get(label, 0) + count
    if rows or not s.sums.n:
        return rows
    positives = int(s.positives.sum())
    return {POSITIVE: positives, "0": s.sums.n - positives}


def _shares(s: Scores) -> list[float]:
    rows = _label_rows(s)
    total = sum(rows.values())
    return [count / total for count in rows.values()] if total else []


def _positive_share(s: Scores) -> float | None:
    rows = _label_rows(s)
    total = sum(rows.values())
    return rows.get(POSITIVE, 0) / total if total else None


def most_frequent_class(s: Scores) -> float | None:
    """The share of the most frequent label: the accuracy of predicting it for every row."""
    return max(_shares(s), default=None)


def always_positive_precision(s: Scores) -> float | None:
    """The share of positive labels: the precision of predicting positive for every row."""
    return _positive_share(s)


def always_positive_f1(s: Scores) -> float | None:
    """The F1 of predicting positive for every row."""
    share = _positive_share(s)
    return None if not share else 2 * share / (1 + share)


def one_class_macro_recall(s: Scores) -> float | None:
    """The macro recall of predicting one class for every row."""
    shares = _shares(s)
    return 1 / len(shares) if shares else None


def one_class_macro_f1(s: Scores) -> float | None:
    """The macro F1 of predicting the most frequent label for every row."""
    shares = _shares(s)
    return 2 * max(shares) / (1 + max(shares)) / len(shares) if shares else None


def random_order(s: Scores) -> float | None:
    """The area under the ROC curve of scores that say nothing."""
    return 0.5


def log_loss_of_shares(s: Scores) -> float | None:
    """The log loss of predicting the share of each label for every row."""
    shares = _shares(s)
    return -math.fsum(p * math.log(p) for p in shares if p > 0) if shares else None


def binary_brier_of_shares(s: Scores) -> float | None:
    """The Brier score of predicting the share of positive labels for every row."""
    share = _positive_share(s)
    return None if share is None else share * (1 - share)


def brier_of_shares(s: Scores) -> float | None:
    """The same, summed over several classes."""
    shares = _shares(s)
    return 1 - math.fsum(p * p for p in shares) if shares else None


def of_errors(baseline: Callable[[ErrorSums], float | None]) -> Baseline:
    """Return a baseline of the labels of a regression."""

    def value(s: Scores) -> float | None:
        return baseline(s.errors.total) if s.errors.total.n and not s.errors.infinite else None

    return value


def middle_label(e: ErrorSums) -> float | None:
    """The mean absolute error of predicting the middle label of the reference for every row."""
    return e.abs_off / e.n


def middle_label_share(e: ErrorSums) -> float | None:
    """The same over the mean absolute label."""
    return e.abs_off / e.abs_y if e.abs_y > 0 else None


def mean_label_squared(e: ErrorSums) -> float | None:
    """The mean squared error of predicting the mean label for every row."""
    mean = e.y / e.n
    return max(e.y2 / e.n - mean * mean, 0.0)


def mean_label(e: ErrorSums) -> float | None:
    """The root of that."""
    return math.sqrt(mean_label_squared(e) or 0.0)


def no_explanation(e: ErrorSums) -> float | None:
    """The R2 of predicting the mean label for every row."""
    return 0.0


def seasonal_naive(e: ErrorSums) -> float | None:
    """The MASE of the value of the season before."""
    return 1.0 if e.scaled else None


def usual_classes(s: Scores) -> float | None:
    """The Hamming loss of predicting, for every row, the classes that most rows have."""
    sets = s.label_sets
    if not sets.n or not sets.classes or sets.is_cut:
        return None
    labelled = [tp + fn for tp, _, fn in sets.by_class.values()]
    return sum(min(rows, sets.n - rows) for rows in labelled) / sets.n / sets.classes


def random_items(s: Scores) -> float | None:
    """The expected NDCG of a random order."""
    r = s.rankings
    if not len(r.labels) or r.infinite or bool((r.labels < 0).any()):
        return None
    equal = np.zeros(len(r.labels))
    groups = stats.group_scores(r.starts, equal, r.labels, s.k or DEFAULT_ITEMS)
    return stats.mean_of_scores(np.where(groups.sizes > 1, groups.ndcg, np.nan)).value
