"""Clusters of vectors: a few centres that represent a sample.

The caller chooses their number. The same rows and seed give the same centres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.types.arrays import Floats

ROUNDS = 50


def kmeans(rows: ArrayLike, clusters: int, rng: np.random.Generator) -> Floats:
    """Find at most `clusters` centres of `rows`; shape (k, d), the largest cluster first.

    Rows have shape (n, d), all finite. Lloyd (1982) from the seeds of Arthur and Vassilvitskii
    (2007). With fewer distinct rows than clusters, there is one centre for each.
    """
    points = np.asarray(rows, np.float64)
    if not len(points) or clusters < 1:
        return np.empty((0, points.shape[1] if points.ndim == 2 else 0))
    centres = _seeds(points, clusters, rng)
    nearest = np.full(len(points), -1)
    for _ in range(ROUNDS):
        before, (nearest, _) = nearest, assign(points, centres)
        if np.array_equal(before, nearest):
            break
        # A centre that no row is nearest to is left out.
        used, nearest = np.unique(nearest, return_inverse=True)
        sums = np.zeros((len(used), points.shape[1]))
        np.add.at(sums, nearest, points)
        centres = sums / np.bincount(nearest)[:, None]
    sizes = np.bincount(assign(points, centres)[0], minlength=len(centres))
    ranked_centres: Floats = centres[np.argsort(-sizes, kind="stable")]
    return ranked_centres


def assign(rows: ArrayLike, centres: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The place of the nearest centre of each row, and the distance to it; both shape (n,).

    Needs at least one centre.
    """
    points = np.asarray(rows, np.float64).reshape(-1, centres.shape[1])
    # Around a common point, so that an offset costs no digits.
    middle = centres.mean(axis=0)
    a, b = points - middle, centres - middle
    squares = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1) - 2 * a @ b.T
    nearest = squares.argmin(axis=1)
    return nearest, np.sqrt(np.sum((points - centres[nearest]) ** 2, axis=1))


def _seeds(points: Floats, clusters: int, rng: np.random.Generator) -> Floats:
    seeds = [points[int(rng.integers(len(points)))]]
    squares = np.sum((points - seeds[0]) ** 2, axis=1)
    while len(seeds) < clusters and squares.max() > 0:
        seeds.append(points[int(rng.choice(len(points), p=squares / squares.sum()))])
        squares = np.minimum(squares, np.sum((points - seeds[-1]) ** 2, axis=1))
    return np.array(seeds)
