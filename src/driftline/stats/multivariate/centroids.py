"""Distances between the centres of two clouds of points.

Rows have shape (n, d), all finite. Whether a distance is large depends on the spread and the number
of rows; the caller decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Centroids(NamedTuple):
    """The distance of two centres."""

    euclidean: float
    cosine: float | None
    """1 - cosine of the angle between the centres, in [0, 2]; None when one is at the origin.

    Random when the rows point in all directions.
    """


def centroid_distances(ref: ArrayLike, cur: ArrayLike) -> Centroids | None:
    """Distances between the mean rows; None when a side has no rows."""
    x, y = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    if not len(x) or not len(y):
        return None
    a, b = x.mean(axis=0), y.mean(axis=0)
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    apart = float(np.linalg.norm(a - b))
    if not min(lengths) > 0:
        return Centroids(apart, None)
    return Centroids(apart, min(2.0, max(0.0, 1 - float((a / lengths[0]) @ (b / lengths[1])))))
