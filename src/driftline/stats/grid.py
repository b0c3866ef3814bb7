"""Distances between two profiles of a numeric column, counted on one grid.

With E edges (strictly rising) there are 2E+1 cells: the open interval below the first edge, the first edge itself, the open
interval up to the second, and so on to the open interval above the last. `ref` and `cur` are counts of shape (2E+1,).
Refuses different grids: counts on other cells can't be compared. A side without rows gives None.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.stats.binned import shares
from driftline.stats.sample import Floats


class Side(NamedTuple):
    """One side of a comparison in the unit of its values."""

    counts: ArrayLike
    minimum: float
    maximum: float
    mean: float


def grid_ks(ref: ArrayLike, cur: ArrayLike) -> tuple[float, float] | None:
    """The KS distance at the edges, and how much the distance over all values can exceed it.

    The first is never above the true distance; the second is the largest cell mass between edges that is not already compared,
    at most the reference's mass in one cell (0.1% on quantile edges) where the reference has rows.
    """
    both = shares(ref, cur)
    if both is None:
        return None
    f, g = (np.concatenate(([0.0], np.cumsum(side))) for side in both)
    distance = float(np.max(np.abs(f - g)))
    # Inside an open cell the CDFs rise from one end to the other in any order: |F-G| reaches at most these.
    inside = slice(0, None, 2)
    reach = np.maximum(f[1:][inside] - g[:-1][inside], g[1:][inside] - f[:-1][inside])
    return min(1.0, distance), max(0.0, min(1.0, float(np.max(reach))) - distance)


def grid_wasserstein(edges: Floats, ref: Side, cur: Side) -> float | None:
    """W1 in the unit of the values: values within an open cell taken as spread evenly, tails by their mean where it is known.

    The error is below the width of a cell times its mass, and in one tail beyond the edges there is none. Rows beyond both ends
    at once are told apart by their mean and extremes: within a few percent where they are tails, within a third where they are
    most of the rows.
    """
    both = shares(ref.counts, cur.counts)
    if both is None or not len(edges):
        return None
    f, g = (np.cumsum(side) for side in both)
    # Between two edges F - G runs from its value at the lower edge to its value just below the upper one.
    start, end = (f - g)[1:-2:2], (f - g)[2:-1:2]
    inner = float(np.sum(np.diff(edges) * _mean_abs_of_line(start, end)))
    tails = [_tails(edges, side, share) for side, share in zip((ref, cur), both, strict=True)]
    return inner + abs(tails[0][0] - tails[1][0]) + abs(tails[0][1] - tails[1][1])


def wasserstein_margin(edges: Floats, ref: Side, cur: Side) -> float | None:
    """How far the measured W1 lies from the true one with 95% confidence, at most: 1.96 sqrt(1/n+1/m) times the integral of
    sqrt(H(1-H)) with the pooled H (the triangle inequality, and Minkowski's on the Brownian bridge).
    """
    both = shares(ref.counts, cur.counts)
    if both is None or not len(edges):
        return None
    n, m = float(np.sum(ref.counts)), float(np.sum(cur.counts))
    pooled = np.cumsum((both[0] * n + both[1] * m) / (n + m)).clip(0, 1)
    points = np.concatenate(([min(ref.minimum, cur.minimum, edges[0])], edges, [max(ref.maximum, cur.maximum, edges[-1])]))
    start, end = np.concatenate(([0.0], pooled[1::2])), pooled[::2]
    spread = (np.sqrt(start * (1 - start)) + np.sqrt(end * (1 - end))) / 2
    return 1.96 * math.sqrt(1 / n + 1 / m) * float(np.sum(np.diff(points) * spread))


def quantile_groups(ref: ArrayLike, bins: int = 10) -> NDArray[np.int64]:
    """Where to cut a grid so that each group of cells holds about 1/bins of the reference: first cells of all groups but one.

    Cuts stand right after the edge whose cumulative share is nearest to each of the bins-1 quantiles; a value that alone holds
    1/bins or more stands alone, so that a constant column and one of few values are compared value by value. Shape (k,).
    """
    counts = np.asarray(ref, dtype=np.int64)
    total = int(counts.sum())
    if len(counts) < 3 or total == 0:
        return np.empty(0, dtype=np.int64)
    at_edges = np.cumsum(counts)[1::2]
    wanted = np.arange(1, bins) * total / bins
    right = np.searchsorted(at_edges, wanted).clip(0, len(at_edges) - 1)
    left = (right - 1).clip(0)
    nearest = np.where(wanted - at_edges[left] <= at_edges[right] - wanted, left, right)
    heavy = np.flatnonzero(counts[1::2] * bins >= total)
    return np.unique(np.concatenate((2 * nearest + 2, 2 * heavy + 1, 2 * heavy + 2)))


def grouped(counts: ArrayLike, cuts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of the groups of cells between the cuts; shape (k+1,)."""
    return np.add.reduceat(np.asarray(counts, dtype=np.int64), np.concatenate(([0], cuts)))


def _mean_abs_of_line(start: Floats, end: Floats) -> Floats:
    flat = np.abs(start) + np.abs(end)
    crossing = (start**2 + end**2) / (2 * np.where(flat > 0, flat, 1.0))
    return np.where(start * end >= 0, flat / 2, crossing)


def _tails(edges: Floats, side: Side, share: Floats) -> tuple[float, float]:
    # Mean distance beyond the first and the last edge. Exponential tails reach as far as they do with these means; then what
    # the mean of all values says is shared out among them, which makes a tail exact when the other one is empty.
    rows = float(np.sum(side.counts))
    reach = (float(edges[0]) - side.minimum, side.maximum - float(edges[-1]))
    ends = (float(share[0]), float(share[-1]))
    most = [end * far if end > 0 else 0.0 for end, far in zip(ends, reach, strict=True)]
    below, above = (top / (math.log(max(end * rows, 1)) * 0.85 + 1) for top, end in zip(most, ends, strict=True))
    if below + above > 0:
        middles = (edges[:-1] + edges[1:]) / 2
        known = float(np.sum(share[1::2] * edges) + np.sum(share[2:-1:2] * middles))
        known += ends[0] * float(edges[0]) + ends[1] * float(edges[-1])
        rest = side.mean - known - (above - below)
        weight = above / (below + above)
        below, above = below - rest * (1 - weight), above + rest * weight
    return min(max(below, 0.0), most[0]), min(max(above, 0.0), most[1])
