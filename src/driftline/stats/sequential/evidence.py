"""Evidence over windows: from a baseline to p-values, e-values, and their running total.

Windows lie along the first axis, streams along the second one if there is one. NaN is a window
without a value: it stays NaN and adds nothing. The caller chooses the baseline, its season and its
memory, and decides when the total is enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats, Ints

SMALLEST_P = 1e-300
LARGEST = 1e300
"""Totals stop here, so that they stay numbers."""
CONSTANT = 1e-13
"""A standard deviation below this share of the largest value is rounding error."""
FIRST_TAIL = 0.5
"""Where the Pareto tail begins at the earliest, in standard deviations."""


def calibrate(p: ArrayLike) -> Floats:
    """The e-value (1 - p + p ln p) / (p ln^2 p) of p-values in [0, 1], of any shape.

    The average of k p^(k-1) over k in (0, 1), Vovk and Wang (2021). From 2e294 at p = 0 (taken as
    1e-300) down to 1/2.
    """
    values = np.clip(np.asarray(p, dtype=np.float64), SMALLEST_P, 1.0)
    log = np.log(values)
    near = log > -1e-3
    # With L = ln p the numerator is the sum of L^k (k-1)/k! from k = 2, all that cancels near p = 1
    # left out.
    safe = np.where(near, -1.0, log)
    far = (1 - values + values * safe) / (values * safe**2)
    series = (1 / 2 + log / 3 + log**2 / 8 + log**3 / 30) / values
    return np.where(near, series, far)[()]


def shiryaev_roberts(e: ArrayLike, start: ArrayLike = 0.0) -> Floats:
    """The path R <- (1 + R) e over e-values of shape (T,) or (T, J), from `start`.

    Roberts (1966), Shin et al. (2024). If each e-value has expectation at most 1 given the past, R
    reaches A after A windows or more, on average.
    """
    return _path(e, start, 1.0, np.add)


def cusum_path(e: ArrayLike, start: ArrayLike = 0.0) -> Floats:
    """The path R <- max(1, R) e, with the same bound on false alarms as `shiryaev_roberts`.

    It forgets old evidence, which Shiryaev-Roberts adds up.
    """
    return _path(e, start, 1.0, np.maximum)


def studentise(values: ArrayLike) -> Floats:
    """Distance of each baseline value from the mean, in standard deviations of the others.

    Shape (K,) or (K, J), as the input. With r = y - mean and h = 1/K: r / (s_i sqrt(1-h)), s_i^2 =
    ((K-1) s^2 - r^2/(1-h)) / (K-2). A column that is constant or has fewer than three values gives
    0 for each. Where all *other* values are equal, the result is at most a few millions.
    """
    y = np.asarray(values, dtype=np.float64)
    mask = np.isfinite(y)
    k, is_complete = mask.sum(axis=0), bool(mask.all())
    finite_values = y if is_complete else np.where(mask, y, 0.0)
    r = y - finite_values.sum(axis=0) / np.maximum(k, 1)
    if not is_complete:
        r = np.where(mask, r, 0.0)
    # Scaled, so that the squares of huge values don't overflow.
    largest = np.abs(r).max(axis=0, initial=0.0)
    spread = (k >= 3) & (largest > CONSTANT * np.abs(finite_values).max(axis=0, initial=0.0))
    r *= np.where(spread, 1 / np.where(spread, largest, 1.0), 0.0)
    leverage_complement = 1 - 1 / np.maximum(k, 3)
    square = r * r
    total = square.sum(axis=0)
    # What is left of the others' squares, per degree of freedom and with the leverage of the value
    # itself.
    square *= -1 / leverage_complement
    square += total
    np.maximum(square, 1e-12 * total, out=square)
    square *= leverage_complement / np.maximum(k - 2, 1)
    square[..., ~spread] = 1.0
    r /= np.sqrt(square, out=square)
    return r if is_complete else np.where(mask, r, np.nan)


def tail_p(scores: ArrayLike, t: ArrayLike, index: float = 4.0) -> Floats:
    """P(a score above t), from the K scores of a baseline.

    `scores` has shape (K,) with `t` of any shape, or (K, J) with `t` (J,) or (T, J). For the lower
    side pass -scores and -t. Within the scores it is a rank: below x, the largest score (at least
    1/2), it is (g + 1/2)/(K+1) with g the scores above t. Above x it is a Pareto tail, (t/x)^-index
    / (K+1). A value that the baseline holds twice or more counts half for each of them: a column
    that is always 0 gives no evidence when it is 0 again. Without a baseline 1.
    """
    return Ranks(scores).tails(t, index)[0]


class Ranks:
    """The sorted scores of a baseline, to rank many values at low cost."""

    def __init__(self, scores: ArrayLike) -> None:
        values = np.asarray(scores, dtype=np.float64)
        mask = np.isfinite(values)
        self.k = mask.sum(axis=0)
        """How many there are, shape () or (J,)."""
        # A row a column, filled up with infinity to a power of two: the search needs no bounds.
        length = 1 << len(values).bit_length()
        ascending = np.full((*values.shape[1:], length), np.inf)
        ascending[..., : len(values)] = np.where(mask, values, np.inf).T
        ascending[..., : len(values)].sort(axis=-1)
        last = np.take_along_axis(ascending, np.maximum(self.k - 1, 0)[..., None], axis=-1)
        self._low, self._high = ascending[..., 0], np.where(self.k > 0, last[..., 0], -np.inf)
        self._scores, self._length = ascending.ravel(), length
        self._starts = np.arange(self.k.size).reshape(self.k.shape) * length

    def tails(self, t: ArrayLike, index: float = 4.0) -> tuple[Floats, Floats]:
        """`tail_p` on the upper side, and on the lower side (of -scores and -t).

        Each has the shape of `t`.
        """
        at = np.asarray(t, dtype=np.float64)
        k = np.broadcast_to(self.k, at.shape)
        same = _score_within(at, k)
        margin = 1e-12 + 1e-9 * np.abs(same)
        below, first = self._place(np.stack([at, same - margin]), np.less)
        upto, end = self._place(np.stack([at, same + margin]), np.less_equal)
        ties = end - first
        ties_mask = ties >= 2
        above, under = k - upto, below
        if ties_mask.any():
            half = ties / 2
            above = above - np.where(
                ties_mask, np.maximum(end - np.maximum(first, upto), 0) - half, 0
            )
            under = under - np.where(
                ties_mask, np.maximum(np.minimum(end, below) - first, 0) - half, 0
            )
        return _tail(at, self._high, above, k, index), _tail(-at, -self._low, under, k, index)

    def _place(self, t: Floats, compare: np.ufunc) -> Ints:
        """How many scores of its column compare so with each t, by halves of the column.

        0 for NaN.
        """
        place = np.zeros(t.shape, np.int64)
        step = self._length // 2
        while step:
            scores = self._scores.take(place + (self._starts + (step - 1)))
            place += step * compare(scores, t)
            step //= 2
        ranks: Ints = np.minimum(place, self.k)
        return ranks


def _tail(t: Floats, largest: Floats, beyond: ArrayLike, k: Ints, index: float) -> Floats:
    x = np.maximum(largest, FIRST_TAIL)
    p = np.where(t > x, (np.maximum(t, x) / x) ** -index, np.asarray(beyond) + 0.5) / (k + 1)
    return np.where(np.isnan(t), np.nan, np.where(k > 0, p, 1.0))[()]


def _score_within(t: Floats, k: Ints) -> Floats:
    # The studentised score that a value at prediction distance t has as one of the k baseline
    # values; NaN where none can.
    n = np.maximum(k, 3)
    inside = t * np.sqrt((n + 1) / (n - 1))
    room = n - 1 - inside**2
    return np.where(room > 0, inside * np.sqrt((n - 2) / np.where(room > 0, room, 1.0)), np.nan)


def _path(e: ArrayLike, start: ArrayLike, floor: float, join: np.ufunc) -> Floats:
    steps = np.asarray(e, dtype=np.float64)
    path = np.empty_like(steps)
    total = np.broadcast_to(np.asarray(start, dtype=np.float64), steps.shape[1:])
    for place, step in enumerate(steps):
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.where(np.isnan(step), total, np.minimum(join(total, floor) * step, LARGEST))
        path[place] = total
    return path
