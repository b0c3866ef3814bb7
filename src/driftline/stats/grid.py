"""Distances between two profiles of a numeric column, counted on one grid.

Refuses different grids: counts on other cells can't be compared. A side without rows gives None.
"""

from __future__ import annotations

import math

import numpy as np

from driftline.stats.side import Side


def grid_ks(ref: Side, cur: Side) -> tuple[float, float] | None:
    """The KS distance at the edges, and how much the distance over all values can exceed it.

    The first is never above the true distance; the second is the largest cell mass between edges that is not already compared,
    at most the reference's mass in one cell (0.1% on quantile edges) where the reference has rows.
    """
    if not ref.rows or not cur.rows:
        return None
    f, g = ref.cdf, cur.cdf
    apart = f - g
    distance = max(float(apart.max()), -float(apart.min()), 0.0)
    # Inside an open cell the CDFs rise from one end to the other in any order: |F-G| reaches at most these.
    reach = max(float(np.max(a[2::2] - b[1::2], initial=a[0])) for a, b in ((f, g), (g, f)))
    return min(1.0, distance), max(0.0, min(1.0, reach) - distance)


def grid_wasserstein(ref: Side, cur: Side) -> float | None:
    """W1 in the unit of the values: values within an open cell taken as spread evenly, tails by their mean where it is known.

    The error is below the width of a cell times its mass, and in one tail beyond the edges there is none. Rows beyond both ends
    at once are told apart by their mean and extremes: within a few percent where they are tails, within a third where they are
    most of the rows.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    apart = ref.cdf - cur.cdf
    # Between two edges F - G runs from its value at the lower edge to its value just below the upper one.
    start, end, size = apart[1:-2:2], apart[2:-1:2], np.abs(apart)
    mean = (size[1:-2:2] + size[2:-1:2]) / 2
    crossing = np.flatnonzero(start * end < 0)
    mean[crossing] = (start[crossing] ** 2 + end[crossing] ** 2) / (4 * mean[crossing])
    inner = float(ref.widths @ mean)
    (below, above), (below_was, above_was) = _tails(cur), _tails(ref)
    return inner + abs(below - below_was) + abs(above - above_was)


def wasserstein_margin(ref: Side, cur: Side) -> float | None:
    """How far the measured W1 lies from the true one with 95% confidence, at most: 1.96 sqrt(1/n+1/m) times the integral of
    sqrt(H(1-H)) with the pooled H (the triangle inequality, and Minkowski's on the Brownian bridge).
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    n, m, edges = ref.rows, cur.rows, ref.edges
    wide = (ref.cumulative + cur.cumulative) / (n + m)
    wide *= 1 - wide
    np.sqrt(wide, out=wide)
    spread = float(ref.widths @ (wide[1:-2:2] + wide[2:-1:2]))
    spread += max(0.0, float(edges[0]) - min(ref.minimum, cur.minimum)) * float(wide[0])
    spread += max(0.0, max(ref.maximum, cur.maximum) - float(edges[-1])) * float(wide[-2])
    return 1.96 * math.sqrt(1 / n + 1 / m) * spread / 2


def _tails(side: Side) -> tuple[float, float]:
    # Mean distance beyond the first and the last edge. Exponential tails reach as far as they do with these means; then what
    # the mean of all values says is shared out among them, which makes a tail exact when the other one is empty.
    edges, counts, rows = side.edges, side.counts, side.rows
    ends = (int(counts[0]) / rows, int(counts[-1]) / rows)
    reach = (float(edges[0]) - side.minimum, side.maximum - float(edges[-1]))
    most = [end * far if end > 0 else 0.0 for end, far in zip(ends, reach, strict=True)]
    below, above = (top / (math.log(max(end * rows, 1)) * 0.85 + 1) for top, end in zip(most, ends, strict=True))
    if below + above > 0:
        middles = (edges[:-1] + edges[1:]) / 2
        known = float(np.sum(counts[1::2] / rows * edges) + np.sum(counts[2:-1:2] / rows * middles))
        known += ends[0] * float(edges[0]) + ends[1] * float(edges[-1])
        rest = side.mean - known - (above - below)
        weight = above / (below + above)
        below, above = below - rest * (1 - weight), above + rest * weight
    return min(max(below, 0.0), most[0]), min(max(above, 0.0), most[1])
