"""What metrics take from the scores of a window: confusion cells, score cells, sound estimates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from driftline import stats
from driftline.profiles.window import Counts, Scores
from driftline.types.arrays import Floats

EACH_CLASS = 10
"""Positive and negative labels that a metric of the order of scores needs."""


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


def of_order(
    metric: Callable[[Counts, Counts], stats.Estimate],
) -> Callable[[Scores], stats.Estimate]:
    """A metric of the order of scores, which needs enough labels of both classes."""

    def estimate(s: Scores) -> stats.Estimate:
        auc = stats.roc_auc(s.negatives, s.positives, EACH_CLASS)
        return auc if auc.value is None else metric(s.negatives, s.positives)

    return estimate


def of_calibration(
    metric: Callable[[stats.ScoreCells], stats.Estimate],
) -> Callable[[Scores], stats.Estimate]:
    """A metric of calibration, which needs scores that are probabilities."""

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


def wape(s: Scores) -> stats.Estimate:
    """WAPE, with the interval of the MAE: the labels are what they are."""
    r = s.regression
    mae = stats.mae(r.n, r.abs_e, r.e2)
    if mae.value is None:
        return mae
    value = stats.wape(r.abs_e, r.abs_y)
    if value is None:
        return stats.Estimate(None, n=r.n, reason="every label is 0")
    scale = r.n / r.abs_y
    interval = None if mae.interval is None else (mae.interval[0] * scale, mae.interval[1] * scale)
    return stats.Estimate(value, None if mae.se is None else mae.se * scale, interval, r.n)
