"""Calibration: how far scores are from the shares of positive labels.

Scores are counted on cells: the mean score of each cell, shape (C,), rising, with the positives and
negatives that it holds. A row may be a cell of its own. Scores lie in [0, 1].
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Z95, Estimate, log_interval
from driftline.types.arrays import Floats

NO_ROWS = "no labelled rows with a score"
LEAST_SCORE = 1e-9
"""Scores are moved this far from 0 and 1 before their logit is taken."""


class ScoreCells(NamedTuple):
    """Labelled scores on cells, lowest score first, each of shape (C,)."""

    score: Floats
    positives: Floats
    rows: Floats

    @classmethod
    def of(cls, score: ArrayLike, positives: ArrayLike, negatives: ArrayLike) -> ScoreCells:
        """Sort cells by score, and leave out empty ones."""
        s, p, n = (np.asarray(values, np.float64) for values in (score, positives, negatives))
        has_rows = p + n > 0
        s, p, n = s[has_rows], p[has_rows], n[has_rows]
        order = np.argsort(s, kind="stable")
        return cls(s[order], p[order], (p + n)[order])

    @property
    def gap(self) -> Floats:
        """Positives less the sum of scores, by cell."""
        return self.positives - self.rows * self.score

    @property
    def variance(self) -> float:
        """Variance of the positives if the scores are right."""
        return float(np.sum(self.rows * self.score * (1 - self.score)))


class ZTest(NamedTuple):
    """A statistic that is normal if the scores are right, and its two-sided p-value."""

    z: float
    p_value: float


class CalibrationLine(NamedTuple):
    """Logistic regression of the label on the logit of the score: 0 and 1 if the scores are right.

    A slope below 1 means scores that are too extreme.
    """

    intercept: Estimate
    slope: Estimate


class CumulativeError(NamedTuple):
    """Largest cumulative difference of labels and scores, and its scale if the scores are right."""

    value: float
    scale: float


def calibration_in_the_large(cells: ScoreCells) -> ZTest | None:
    """The test of the mean label against the mean score; None without rows or variance."""
    return _z_test(float(cells.gap.sum()), cells.variance)


def observed_to_expected(cells: ScoreCells) -> Estimate:
    """Positives over the sum of scores, with an interval on the log scale."""
    n, expected = int(cells.rows.sum()), float(np.sum(cells.rows * cells.score))
    if not n or not expected > 0:
        return Estimate(None, n=n, reason=NO_ROWS if not n else "every score is 0")
    value, se = float(cells.positives.sum()) / expected, math.sqrt(cells.variance) / expected
    return Estimate(value, se, log_interval(value, se), n)


def spiegelhalter(cells: ScoreCells) -> ZTest | None:
    """Spiegelhalter's test of the Brier score (1986); None without rows or variance."""
    s = cells.score
    total = float(np.sum(cells.gap * (1 - 2 * s)))
    return _z_test(total, float(np.sum(cells.rows * (1 - 2 * s) ** 2 * s * (1 - s))))


def expected_calibration_error(
    cells: ScoreCells, bins: int = 15, equal: Literal["width", "mass"] = "mass"
) -> Estimate:
    """Mean distance of label and score over bins of equal width or equal mass (Naeini 2015).

    It is above 0 by chance even where the scores are right; `debiased_calibration_error` is not.
    There is no interval.
    """
    rows, positives, scores = _binned(cells, bins, equal)
    n = float(rows.sum())
    if not n:
        return Estimate(None, reason=NO_ROWS)
    return Estimate(float(np.abs(positives - scores).sum()) / n, n=int(n))


def debiased_calibration_error(
    cells: ScoreCells, bins: int = 15, equal: Literal["width", "mass"] = "mass"
) -> Estimate:
    """Mean squared distance of label and score, less what chance adds (Kumar, Liang and Ma 2019).

    It may be below 0 by chance. Bins with one row are left out.
    """
    rows, positives, scores = _binned(cells, bins, equal)
    n = float(rows.sum())
    if not n:
        return Estimate(None, reason=NO_ROWS)
    has_two = rows > 1
    rows, label, score = rows[has_two], positives[has_two], scores[has_two]
    label, score = label / rows, score / rows
    terms = (label - score) ** 2 - label * (1 - label) / (rows - 1)
    return Estimate(float(np.sum(rows * terms)) / n, n=int(n))


def cumulative_error(cells: ScoreCells) -> CumulativeError | None:
    """ECCE-MAD: the largest cumulative difference by score (Arrieta-Ibarra et al. 2022).

    The ratio of value and scale needs no bins; None without rows or variance.
    """
    n, variance = float(cells.rows.sum()), cells.variance
    if not n or not variance > 0:
        return None
    largest = float(np.abs(np.cumsum(cells.gap)).max())
    return CumulativeError(largest / n, math.sqrt(variance) / n)


def calibration_line(cells: ScoreCells) -> CalibrationLine:
    """Intercept and slope with Wald intervals (Cox 1958), by Newton's method."""
    n = int(cells.rows.sum())
    p = np.clip(cells.score, LEAST_SCORE, 1 - LEAST_SCORE)
    x = np.log(p / (1 - p))
    positives = float(cells.positives.sum())
    if not n:
        return _no_line(NO_ROWS, n)
    if len(np.unique(x)) < 2:
        return _no_line("all scores are the same", n)
    if not 0 < positives < n:
        return _no_line("all labels are the same", n)
    design, beta = np.stack([np.ones_like(x), x], axis=1), np.array([0.0, 1.0])
    for _ in range(50):
        fitted = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        weight = cells.rows * fitted * (1 - fitted)
        information = design.T @ (weight[:, None] * design)
        if not np.linalg.det(information) > 1e-12:
            return _no_line("the scores separate the labels", n)
        step = np.linalg.solve(information, design.T @ (cells.positives - cells.rows * fitted))
        beta = beta + np.clip(step, -5, 5)
        if float(np.abs(step).max()) < 1e-10:
            break
    else:
        return _no_line("the scores separate the labels", n)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    intercept, slope = (
        Estimate(float(b), float(se), (float(b - Z95 * se), float(b + Z95 * se)), n)
        for b, se in zip(beta, errors, strict=True)
    )
    return CalibrationLine(intercept, slope)


def reliability(
    cells: ScoreCells, bins: int = 10, equal: Literal["width", "mass"] = "mass"
) -> tuple[Floats, Floats, Floats]:
    """Mean score, mean label and rows of each bin with rows: the reliability curve."""
    rows, positives, scores = _binned(cells, bins, equal)
    has_rows = rows > 0
    rows = rows[has_rows]
    return scores[has_rows] / rows, positives[has_rows] / rows, rows


def _binned(
    cells: ScoreCells, bins: int, equal: Literal["width", "mass"]
) -> tuple[Floats, Floats, Floats]:
    """Rows, positives and sums of scores by bin, each of shape (bins,)."""
    if equal == "width":
        position = cells.score
    else:
        position = (np.cumsum(cells.rows) - cells.rows / 2) / max(float(cells.rows.sum()), 1.0)
    place = np.minimum((position * bins).astype(np.int64), bins - 1)
    sums = np.zeros((3, bins))
    for total, values in zip(
        sums, (cells.rows, cells.positives, cells.rows * cells.score), strict=True
    ):
        np.add.at(total, place, values)
    return sums[0], sums[1], sums[2]


def _z_test(total: float, variance: float) -> ZTest | None:
    if not variance > 0:
        return None
    from scipy.special import ndtr

    z = total / math.sqrt(variance)
    return ZTest(z, float(2 * ndtr(-abs(z))))


def _no_line(reason: str, n: int) -> CalibrationLine:
    nothing = Estimate(None, n=n, reason=reason)
    return CalibrationLine(nothing, nothing)
