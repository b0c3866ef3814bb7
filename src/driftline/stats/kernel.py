"""Maximum mean discrepancy with a Gaussian kernel.

Refuses to choose a subsample: O((n+m)^2) in time and memory, so the caller caps the rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.sample import Floats


def median_squared_distance(rows: ArrayLike) -> float | None:
    """Median squared Euclidean distance over all pairs of rows, shape (n,) or (n, d); half of it is the usual bandwidth.

    None below two rows.
    """
    points = _points(rows)
    if len(points) < 2:
        return None
    return float(np.median(_squared(points, points)[np.triu_indices(len(points), 1)]))


def mmd2(ref: ArrayLike, cur: ArrayLike, variance: float) -> tuple[float, float] | None:
    """Unbiased and biased squared MMD with k = exp(-d^2/(2 variance)), Gretton et al. (2012).

    Rows of shape (n,) or (n, d), all finite. The unbiased one may be below 0. None below two rows a side or without bandwidth.
    """
    x, y = _points(ref), _points(cur)
    n, m = len(x), len(y)
    if n < 2 or m < 2 or not variance > 0:
        return None
    kxx, kyy, kxy = (np.exp(-_squared(a, b) / (2 * variance)) for a, b in ((x, x), (y, y), (x, y)))
    cross = 2 * float(kxy.mean())
    unbiased = float((kxx.sum() - n) / (n * (n - 1)) + (kyy.sum() - m) / (m * (m - 1))) - cross
    return unbiased, float(kxx.mean() + kyy.mean()) - cross


def _points(rows: ArrayLike) -> Floats:
    array = np.asarray(rows, dtype=np.float64)
    return array.reshape(len(array), -1) if array.size else np.empty((0, 1))


def _squared(a: Floats, b: Floats) -> Floats:
    squared: Floats = np.sum((a[:, None, :] - b[None, :, :]) ** 2, axis=-1)
    return squared
