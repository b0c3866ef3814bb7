"""What every statistic on raw values starts with: the finite values, their empirical distribution,
their ranks.

Refuses to impute: a value that is missing or not finite is left out, and counting those is another
statistic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def finite(values: ArrayLike) -> Floats:
    """The finite values as float64, flattened; shape (n,). None counts as missing."""
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]


def cdf_at(sorted_values: Floats, points: Floats) -> Floats:
    """Share of `sorted_values` at or below each of `points`; both rising, `sorted_values` not
    empty.
    """
    return np.searchsorted(sorted_values, points, side="right") / len(sorted_values)


def two_cdfs(ref: Floats, cur: Floats) -> tuple[Floats, Floats, Floats]:
    """Pooled values in order, shape (n+m,), and both empirical distributions at each; neither
    sample empty.
    """
    pooled = np.sort(np.concatenate((ref, cur)))
    return pooled, cdf_at(np.sort(ref), pooled), cdf_at(np.sort(cur), pooled)


def midranks(values: Floats) -> Floats:
    """Place of each value in rising order, from 1; equal values share the mean of their places.
    Shape (n,).
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
