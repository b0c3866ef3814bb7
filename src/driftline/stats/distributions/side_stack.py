"""The distances of many columns at once: what `grid` computes column by column.

The sides of C columns are stacked: each has a row, and grids with fewer edges than the widest one
repeat their last edge, with empty cells between. So an array operation serves all columns.

Sums are rounded in another order than those of one column are: they agree to 1e-12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftline.stats.distributions.ks import ks_margin, ks_p_value
from driftline.stats.distributions.segments import spread_shares
from driftline.stats.distributions.shift import Shift
from driftline.stats.distributions.side import EVEN, Side
from driftline.types.arrays import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class SideStack:
    """The sides of C columns that all have rows and edges; E is the number of most edges."""

    rows: NDArray[np.int64]
    """Shape (C,)."""
    cells: NDArray[np.int64]
    """Cells of the grid of each column; shape (C,)."""
    edges: Floats
    """Shape (C, E), rising."""
    cumulative: NDArray[np.int64]
    """Rows up to and with each cell; shape (C, 2E+1)."""
    cdf: Floats
    """Share of the rows up to and with each cell; shape (C, 2E+1)."""
    minimum: Floats
    """Shape (C,)."""
    maximum: Floats
    """Shape (C,)."""
    centres: Floats
    """Mean value of each cell between two edges, NaN where it is not known; shape (C, E-1)."""
    deviations: Floats
    """Standard deviation of the values of these cells, likewise."""
    tail_means: Floats
    """Mean distance beyond the first and the last edge, per row of all; shape (C, 2)."""
    scale: Floats
    """The unit of distances; shape (C,)."""

    @classmethod
    def of(cls, sides: Sequence[Side]) -> SideStack:
        """Stack sides, one or more. Each must have rows and edges."""
        columns, most = len(sides), max(len(side.edges) for side in sides)
        edges = np.empty((columns, most))
        cumulative = np.empty((columns, 2 * most + 1), np.int64)
        centres = np.full((columns, most - 1), np.nan)
        deviations = centres.copy()
        for place, side in enumerate(sides):
            count = len(side.edges)
            edges[place, :count], edges[place, count:] = side.edges, side.edges[-1]
            cumulative[place, : 2 * count] = side.cumulative[:-1]
            cumulative[place, 2 * count :] = side.cumulative[-2]
            if side.centres is not None and side.deviations is not None:
                centres[place, : count - 1] = side.centres
                deviations[place, : count - 1] = side.deviations
        rows = np.array([side.rows for side in sides], np.int64)
        cumulative[:, -1] = rows
        return cls(
            rows=rows,
            cells=np.array([len(side.counts) for side in sides]),
            edges=edges,
            cumulative=cumulative,
            cdf=cumulative / rows[:, None],
            minimum=np.array([side.minimum for side in sides]),
            maximum=np.array([side.maximum for side in sides]),
            centres=centres,
            deviations=deviations,
            tail_means=np.array([side.tail_means for side in sides]),
            scale=np.array([side.scale for side in sides]),
        )

    def spans(self, columns: NDArray[np.intp], cells: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Where the values of cells between two edges are spread evenly, see `Side.spans`.

        `columns` and `cells` name K cells; from and to have shape (K,) each.
        """
        low, high = self.edges[columns, cells], self.edges[columns, cells + 1]
        centres, deviations = self.centres[columns, cells], self.deviations[columns, cells]
        reach = np.minimum(np.minimum(centres - low, high - centres), EVEN * deviations)
        reach = np.maximum(reach, 0.0)
        known = ~np.isnan(centres)
        return np.where(known, centres - reach, low), np.where(known, centres + reach, high)


def ks_shifts(ref: SideStack, cur: SideStack) -> list[Shift]:
    """The `ks_shift` of each column of two stacks with the same grids."""
    f, g = ref.cdf, cur.cdf
    apart = f - g
    distances = np.maximum(np.maximum(apart.max(axis=1), -apart.min(axis=1)), 0.0)
    reaches = np.maximum(
        *(np.maximum((a[:, 2::2] - b[:, 1::2]).max(axis=1), a[:, 0]) for a, b in ((f, g), (g, f)))
    )
    columns = (distances, reaches, ref.rows, cur.rows, ref.cells)
    return [
        _ks_shift(min(1.0, distance), max(0.0, min(1.0, reach) - distance), n, m, cells)
        for distance, reach, n, m, cells in zip(*(c.tolist() for c in columns), strict=True)
    ]


def _ks_shift(value: float, open_part: float, n: int, m: int, cells: int) -> Shift:
    margin = ks_margin(n, m)
    assert margin is not None
    interval = (max(0.0, value - margin), min(1.0, value + open_part + margin))
    return Shift(value, interval, ks_p_value(value, n, m), value, cells)


def wasserstein_shifts(ref: SideStack, cur: SideStack) -> list[Shift]:
    """The `wasserstein_shift` of each column of two stacks with the same grids."""
    n, m = ref.rows[:, None].astype(float), cur.rows[:, None].astype(float)
    f, g = ref.cdf, cur.cdf
    widths = np.diff(ref.edges)
    uneven = ~np.isnan(ref.centres) | ~np.isnan(cur.centres)
    plain_widths = np.where(uneven, 0.0, widths)
    starts, ends = (f[:, 1:-2:2], g[:, 1:-2:2]), (f[:, 2:-1:2], g[:, 2:-1:2])
    distance = (plain_widths * _mean_gap(starts, ends)).sum(axis=1)
    spread = (plain_widths * _spread(starts, ends, n, m)).sum(axis=1)
    columns, cells = np.nonzero(uneven)
    if len(columns):
        spans = [side.spans(columns, cells) for side in (ref, cur)]
        low, high = ref.edges[columns, cells], ref.edges[columns, cells + 1]
        points = np.sort(np.stack([low, *spans[0], *spans[1], high]), axis=0)
        pieces = [
            spread_shares(
                points,
                span,
                (side.cdf[columns, 2 * cells + 1], side.cdf[columns, 2 * cells + 2]),
            )
            for span, side in zip(spans, (ref, cur), strict=True)
        ]
        starts, ends = zip(*pieces, strict=True)
        wide = np.diff(points, axis=0)
        sums = (
            (wide * each).sum(axis=0)
            for each in (
                _mean_gap(starts, ends),
                _spread(starts, ends, n[columns, 0], m[columns, 0]),
            )
        )
        more = [np.bincount(columns, each, len(distance)) for each in sums]
        distance, spread = distance + more[0], spread + more[1]
    distance += np.abs(cur.tail_means - ref.tail_means).sum(axis=1)
    pooled = (ref.cumulative[:, [0, -2]] + cur.cumulative[:, [0, -2]]) / (n + m)
    beyond = np.stack(
        [
            ref.edges[:, 0] - np.minimum(ref.minimum, cur.minimum),
            np.maximum(ref.maximum, cur.maximum) - ref.edges[:, -1],
        ],
        axis=1,
    )
    spread += (np.maximum(beyond, 0.0) * np.sqrt(pooled * (1 - pooled))).sum(axis=1)
    margin = 1.96 * np.sqrt(1 / ref.rows + 1 / cur.rows) * spread / 2
    # Values far beyond a tiny scale have no finite distance.
    with np.errstate(over="ignore", invalid="ignore"):
        values, halves = (distance / ref.scale).tolist(), (margin / ref.scale).tolist()
    return [
        Shift(value, (max(0.0, value - half), value + half), None, value)
        if math.isfinite(value + half)
        else Shift(None)
        for value, half in zip(values, halves, strict=True)
    ]


Pair = tuple[Floats, Floats]
"""An array of the reference, and the same of the window."""


def _mean_gap(starts: Pair, ends: Pair) -> Floats:
    """The mean of |F - G| over segments where both are lines."""
    start, end = starts[0] - starts[1], ends[0] - ends[1]
    mean: Floats = (np.abs(start) + np.abs(end)) / 2
    crosses = start * end < 0
    mean[crosses] = (start[crosses] ** 2 + end[crosses] ** 2) / (4 * mean[crosses])
    return mean


def _spread(starts: Pair, ends: Pair, n: Floats, m: Floats) -> Floats:
    """The sum of sqrt(H(1-H)) at both ends of segments, with the pooled H."""
    pooled = ((n * pair[0] + m * pair[1]) / (n + m) for pair in (starts, ends))
    roots = [np.sqrt(np.maximum(share * (1 - share), 0.0)) for share in pooled]
    return roots[0] + roots[1]
