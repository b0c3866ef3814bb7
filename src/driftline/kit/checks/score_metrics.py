"""Metrics of the scores of a window, with the conditions under which they have no value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from driftline import stats
from driftline.profiles.window import Column, Counts, NumericColumn, Scores
from driftline.types.arrays import Floats
from driftline.types.model import DEFAULT_THRESHOLD, Schema, Task

MIN_LABELS_OF_CLASS = 10
"""Labels of each class that a metric of the order of scores needs."""

MAX_OUTSIDE = 0.01
"""Largest share of scores outside of 0 to 1 with which the others still show the classes."""

MAX_AUC_ERROR = 0.025
"""Largest error of an AUC that is accepted because scores between two edges count as equal.

The error is that large if all these pairs are in the right order; usually it is less than a third.
"""
MAX_HEAD_ERROR = 0.005
"""The same for metrics in which the highest scores weigh most: these suffer more."""
UNKNOWN_ORDER = "too many scores lie outside of those of the reference to know their order"


def confusion_of(s: Scores) -> stats.Confusion:
    """The four cells of a binary model; class `1` is the positive one."""
    return stats.one_against_rest(s.confusion, "1")


def score_cells(s: Scores) -> stats.ScoreCells:
    """The labelled scores on the cells of their grid; a cell between two edges lies in its middle.

    The outer cells reach to 0 and 1.
    """
    return stats.ScoreCells.of(cell_centres(s.edges), s.positives, s.negatives)


def cell_centres(edges: Floats) -> Floats:
    """The middle of each cell of a grid of scores, shape (2E+1,); the outer ones end at 0 and 1."""
    ends = np.concatenate(([0.0], edges, [1.0]))
    middle = np.clip((ends[:-1] + ends[1:]) / 2, 0.0, 1.0)
    centres = np.empty(2 * len(edges) + 1)
    centres[::2], centres[1::2] = middle, np.clip(edges, 0.0, 1.0)
    return centres


def check_order(s: Scores, column: Column | None) -> Scores:
    """Return the scores, with `order_error` set where some of their order is not known.

    Scores between two edges of the grid, which is that of the reference, count as equal. `column`
    is the summary of the scores of all rows: it shows between which edges all scores are equal.
    """
    pairs = int(s.negatives.sum()) * int(s.positives.sum())
    if not pairs:
        return s
    equal_pairs = s.negatives[::2].astype(float) * s.positives[::2]
    if isinstance(column, NumericColumn) and len(column.edges) == len(s.edges):
        equal_pairs = np.where(column.side.has_one_value, 0.0, equal_pairs)
    return replace(s, order_error=float(equal_pairs.sum()) / 2 / pairs)


def undecided_reason(schema: Schema, s: Scores) -> str:
    """Return why scores alone give no classes; "" where they do, or where a column gives them.

    Where more than 1% of the scores are no probabilities, as logits or percents are, the threshold
    that nobody chose is none of theirs.
    """
    is_chosen = schema.prediction is not None or schema.threshold != DEFAULT_THRESHOLD
    if schema.task is not Task.BINARY or is_chosen or not s.sums.n:
        return ""
    if s.sums.outside <= MAX_OUTSIDE * s.sums.n:
        return ""
    return (
        f"{s.sums.outside} of {s.sums.n} scores lie outside of 0 to 1, so that {DEFAULT_THRESHOLD} "
        "decides nothing: set prediction.threshold, or name prediction.column"
    )


def roc_auc(s: Scores) -> stats.Estimate:
    """The area under the ROC curve; it has no value where the order of the scores is not known."""
    if s.order_error > MAX_AUC_ERROR:
        return stats.Estimate(None, reason=UNKNOWN_ORDER)
    return stats.roc_auc(s.negatives, s.positives, MIN_LABELS_OF_CLASS)


def order_metric(
    metric: Callable[[Counts, Counts], stats.Estimate], most: float = MAX_AUC_ERROR
) -> Callable[[Scores], stats.Estimate]:
    """Return `metric` of negatives and positives by cell.

    It has no value where ROC AUC has none, or where that may be off by more than `most`.
    """

    def estimate(s: Scores) -> stats.Estimate:
        auc = roc_auc(s)
        if s.order_error > most:
            return stats.Estimate(None, reason=UNKNOWN_ORDER)
        return auc if auc.value is None else metric(s.negatives, s.positives)

    return estimate


def calibration_metric(
    metric: Callable[[stats.ScoreCells], stats.Estimate],
) -> Callable[[Scores], stats.Estimate]:
    """Return `metric` of score cells, without value where the scores are no probabilities."""

    def estimate(s: Scores) -> stats.Estimate:
        brier = stats.brier(s.sums.n, s.sums.brier, s.sums.brier2, s.sums.outside)
        return brier if brier.value is None else metric(score_cells(s))

    return estimate


def separation(negatives: Counts, positives: Counts) -> stats.Estimate:
    """The KS distance between the scores of both classes."""
    rows = int(negatives.sum() + positives.sum())
    return stats.Estimate(stats.separation(negatives, positives), n=rows)


def spiegelhalter(cells: stats.ScoreCells) -> stats.Estimate:
    """Spiegelhalter's z, whose standard error is 1."""
    test, rows = stats.spiegelhalter(cells), int(cells.rows.sum())
    if test is None:
        return stats.Estimate(None, n=rows, reason="every score is 0, 0.5 or 1")
    return stats.Estimate(test.z, 1.0, n=rows)
