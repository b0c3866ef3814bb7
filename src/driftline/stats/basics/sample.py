"""Finite values, empirical distributions and ranks: the basis of statistics on raw values.

Values that are missing or not finite are left out, not imputed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats


def finite(values: ArrayLike) -> Floats:
    """The finite values as float64, flattened; shape (n,). None counts as missing."""
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]


def cdf_at(sorted_values: Floats, points: Floats) -> Floats:
    """Share of `sorted_values` at or below each of `points`.

    Both rise, and `sorted_values` is not empty.
    """
    return np.searchsorted(sorted_values, points, side="right") / len(sorted_values)


def two_cdfs(ref: Floats, cur: Floats) -> tuple[Floats, Floats, Floats]:
    """Pooled values in order, shape (n+m,), and both empirical distributions at each.

    Neither sample is empty.
    """
    values = np.sort(np.concatenate((ref, cur)))
    return values, cdf_at(np.sort(ref), values), cdf_at(np.sort(cur), values)


def midranks(values: Floats) -> Floats:
    """Rank of each value in rising order, from 1, shape (n,).

    Equal values share the mean of their ranks.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
