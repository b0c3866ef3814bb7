"""Maximum mean discrepancy with a Gaussian kernel.

O((n+m)^2) in time and memory: the caller limits the rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Z95, Interval
from driftline.types.arrays import Floats


class Discrepancy(NamedTuple):
    """The squared MMD of two samples."""

    unbiased: float
    """0 on average when nothing changed, so below it as often."""
    biased: float
    """Never below 0; with what chance adds."""
    interval: Interval
    """Interval of the true value (0 or above) with at least 95% confidence.

    By the jackknife (Efron and Stein 1981).
    """
    p_value: float | None = None
    """By permutation of the pooled rows, (k+1)/(B+1); None where none was asked for."""


def median_squared_distance(rows: ArrayLike) -> float | None:
    """Median squared Euclidean distance over all pairs of rows, shape (n,) or (n, d).

    Half of it is the usual bandwidth. None below two rows.
    """
    points = _points(rows)
    if len(points) < 2:
        return None
    return float(np.median(_squared_distances(points, points)[np.triu_indices(len(points), 1)]))


def kernel_variance(rows: ArrayLike) -> float | None:
    """Half the median squared distance, or half the mean one where most rows are equal.

    None where all rows are equal.
    """
    points = _points(rows)
    if len(points) < 2:
        return None
    typical = median_squared_distance(points) or 2 * float(np.sum(np.var(points, axis=0)))
    return typical / 2 if typical > 0 else None


def mmd2(ref: ArrayLike, cur: ArrayLike, variance: float) -> tuple[float, float] | None:
    """Unbiased and biased squared MMD with k = exp(-d^2/(2 variance)), Gretton et al. (2012).

    Rows of shape (n,) or (n, d), all finite. The unbiased one may be below 0. None below two rows a
    side or without bandwidth.
    """
    estimate = discrepancy(ref, cur, variance)
    return None if estimate is None else (estimate.unbiased, estimate.biased)


def discrepancy(
    ref: ArrayLike,
    cur: ArrayLike,
    variance: float,
    permutations: int = 0,
    rng: np.random.Generator | None = None,
) -> Discrepancy | None:
    """`mmd2` with how sure it is; permutations need `rng`."""
    x, y = _points(ref), _points(cur)
    n, m = len(x), len(y)
    if n < 2 or m < 2 or not variance > 0:
        return None
    rows_of_both = np.concatenate((x, y))
    kernel = np.exp(-_squared_distances(rows_of_both, rows_of_both) / (2 * variance))
    dealt = np.zeros((n + m, permutations + 1))
    dealt[:n, 0] = 1
    for column in range(1, permutations + 1):
        assert rng is not None
        dealt[rng.permutation(n + m)[:n], column] = 1
    # Of each deal the sums within the first side, across, and within the second.
    rows = kernel @ dealt
    sums, all_rows = np.sum(dealt * rows, axis=0), dealt.T @ kernel.sum(axis=1)
    cross, second = all_rows - sums, float(kernel.sum()) - 2 * all_rows + sums
    values = (sums - n) / (n * (n - 1)) + (second - m) / (m * (m - 1)) - 2 * cross / (n * m)
    biased_value = sums[0] / n**2 + second[0] / m**2 - 2 * cross[0] / (n * m)
    same_side, opposite_side = rows[:, 0], kernel.sum(axis=1) - rows[:, 0]
    of_ref, of_cur = (
        (same_side[:n] - 1) / (n - 1) - opposite_side[:n] / m,
        (opposite_side[n:] - 1) / (m - 1) - same_side[n:] / n,
    )
    value, half = float(values[0]), Z95 * 2 * math.sqrt(_var(of_ref) / n + _var(of_cur) / m)
    interval = max(0.0, value - half), max(0.0, value + half)
    p_value = (
        (int(np.sum(values[1:] >= value - 1e-12)) + 1) / (permutations + 1)
        if permutations
        else None
    )
    return Discrepancy(value, max(0.0, float(biased_value)), interval, p_value)


def _var(values: Floats) -> float:
    return float(np.var(values, ddof=1))


def _points(rows: ArrayLike) -> Floats:
    array = np.asarray(rows, dtype=np.float64)
    return array.reshape(len(array), -1) if array.size else np.empty((0, 1))


def _squared_distances(a: Floats, b: Floats) -> Floats:
    # |a-b|^2 = |a|^2 + |b|^2 - 2ab, around a common centre so that an offset costs no digits.
    centre = np.concatenate((a, b)).mean(axis=0)
    a, b = a - centre, b - centre
    distances: Floats = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1) - 2 * a @ b.T
    return distances.clip(0)
