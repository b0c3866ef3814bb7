"""Correlations of columns of the same rows.

Only pairs in which both numbers exist count.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.attributions.importance import spearman
from driftline.stats.basics.estimate import Z95, Estimate
from driftline.types.arrays import Floats


def rank_correlation(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Spearman's, of sequences of n numbers in which None and what is not finite count as missing.

    Its interval is symmetric on Fisher's z scale (Bonett and Wright 2000). No value below two pairs
    or when a side is constant, no interval below four.
    """
    x, y = np.array(a, np.float64), np.array(b, np.float64)
    mask = np.isfinite(x) & np.isfinite(y)
    n, value = int(mask.sum()), spearman(x[mask], y[mask])
    if value is None:
        return Estimate(
            None,
            n=n,
            reason="fewer than two rows have both" if n < 2 else "all values of a side are equal",
        )
    if n < 4:
        return Estimate(value, n=n)
    se = math.sqrt((1 + value**2 / 2) / (n - 3))
    centre = math.atanh(min(max(value, -1 + 1e-15), 1 - 1e-15))
    low, high = math.tanh(centre - Z95 * se), math.tanh(centre + Z95 * se)
    return Estimate(value, se * (1 - value**2), (min(low, value), max(high, value)), n)


def correlations(values: Floats, place: int, least: int = 20) -> Floats:
    """Pearson correlations of column `place` with every column, shape (J,).

    `values` has shape (K, J); NaN is a missing value. 0 where fewer than `least` rows have both
    values, or where one of the two is constant in these rows.
    """
    own = values[:, place, None]
    mask = np.isfinite(own) & np.isfinite(values)
    n = np.maximum(mask.sum(axis=0), 1)
    x, y = np.where(mask, own, 0.0), np.where(mask, values, 0.0)
    x, y = (
        np.where(mask, values_of_side - values_of_side.sum(axis=0) / n, 0.0)
        for values_of_side in (x, y)
    )
    power = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    defined = (n >= least) & (power > 0)
    return np.where(defined, (x * y).sum(axis=0) / np.where(defined, power, 1.0), 0.0)
