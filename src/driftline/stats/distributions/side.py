"""One side of a comparison of numbers: counts on a grid, moments, and derived values.

With E strictly rising edges there are 2E+1 cells: the open interval below the first edge, the first
edge itself, the open interval up to the second, and so on to the open interval above the last.
Immutable: derived values are computed once, so that a reference serves many windows at the cost of
one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.types.arrays import Floats

Counts = NDArray[np.int64]
BINS = 10
"""Quantile bins of a reference."""
EVEN = math.sqrt(3)
"""How far values go to both sides of their mean when spread evenly, in standard deviations."""
ONE_VALUE = 1e-6
"""Share of the width of a cell within which values count as one value: sums are rounded."""


class Tails(NamedTuple):
    """Sums of the distances of values beyond the ends of a grid from that end, and of squares."""

    below: float
    below_squares: float
    above: float
    above_squares: float


End = tuple[float, float, float]
"""What lies beyond one end of the grid: its share, its mean distance from the end, its largest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """The finite values of a column, in their own unit."""

    edges: Floats
    """Shape (E,), strictly rising."""
    counts: Counts
    """Shape (2E+1,), see above."""
    minimum: float = 0.0
    maximum: float = 0.0
    mean: float = 0.0
    variance: float | None = None
    """With ddof 1; None below two values."""
    centres: Floats | None = None
    """Mean value of each cell between two edges, shape (E-1,).

    NaN where it is not known or the cell is empty; None where none is known.
    """
    deviations: Floats | None = None
    """Standard deviation of the values of each cell whose mean is known, shape (E-1,)."""
    tails: Tails | None = None
    """What lies beyond the first and the last edge; None if unknown."""

    @cached_property
    def cumulative(self) -> Counts:
        """Rows up to and with each cell; shape (2E+1,)."""
        return np.cumsum(self.counts)

    @cached_property
    def rows(self) -> int:
        """All of them."""
        return int(self.cumulative[-1])

    @cached_property
    def cdf(self) -> Floats:
        """Share of the rows up to and with each cell; shape (2E+1,). Zeros without rows."""
        return self.cumulative / max(self.rows, 1)

    @cached_property
    def widths(self) -> Floats:
        """Of the cells between two edges; shape (E-1,)."""
        return np.diff(self.edges)

    @cached_property
    def spans(self) -> tuple[Floats, Floats]:
        """Where the values of each open cell are spread evenly, from and to; both of shape (E+1,).

        A cell reaches from edge to edge, or to the extreme value. Where its mean and deviation are
        known, the values are spread around the mean as far as these say.
        """
        low = np.concatenate(([min([self.minimum, *self.edges[:1]])], self.edges))
        high = np.concatenate((self.edges, [max([self.maximum, *self.edges[-1:]])]))
        centres, deviations = np.full(len(low), np.nan), np.full(len(low), np.nan)
        if self.centres is not None and self.deviations is not None:
            centres[1:-1], deviations[1:-1] = self.centres, self.deviations
        if self.tails is not None and len(self.edges):
            for cell, sign, total, squares in (
                (0, -1, self.tails.below, self.tails.below_squares),
                (-1, 1, self.tails.above, self.tails.above_squares),
            ):
                rows = int(self.counts[cell])
                if rows:
                    mean = total / rows
                    centres[cell] = self.edges[cell] + sign * mean
                    deviations[cell] = math.sqrt(max(squares / rows - mean * mean, 0.0))
        reach = np.minimum(np.minimum(centres - low, high - centres), EVEN * deviations)
        reach = np.maximum(reach, 0.0)
        known = ~np.isnan(centres)
        return np.where(known, centres - reach, low), np.where(known, centres + reach, high)

    @cached_property
    def has_one_value(self) -> NDArray[np.bool_]:
        """Whether all values of each open cell are one value; shape (E+1,). False without rows."""
        low, high = self.spans
        ends = np.concatenate(([self.minimum], self.edges, [self.maximum]))
        widths = np.abs(np.diff(ends))
        has_rows: NDArray[np.bool_] = self.counts[::2] > 0
        return has_rows & (high - low <= ONE_VALUE * widths)

    @cached_property
    def cuts(self) -> Counts:
        """Where its deciles cut the grid, see `quantile_groups`."""
        return quantile_groups(self.counts, BINS)

    @cached_property
    def bins(self) -> Counts:
        """Its rows in its own decile bins."""
        return group_counts(self.counts, self.cuts)

    @cached_property
    def scale(self) -> float:
        """The unit of distances: IQR/1.349, else the standard deviation, else 1."""
        iqr = (self.quantile(0.75) or 0.0) - (self.quantile(0.25) or 0.0)
        return iqr / 1.349 or math.sqrt(self.variance or 0.0) or 1.0

    @cached_property
    def tail_means(self) -> tuple[float, float]:
        """Mean distance beyond the first and the last edge, per row of all.

        Where it is not known, exponential tails reach as far as they do with these means; then what
        the mean of all values says is shared out among them, which makes a tail exact when the
        other one is empty.
        """
        edges, counts, rows = self.edges, self.counts, self.rows
        if self.tails is not None:
            return self.tails.below / rows, self.tails.above / rows
        if not counts[0] and not counts[-1]:
            return 0.0, 0.0
        ends = (int(counts[0]) / rows, int(counts[-1]) / rows)
        reach = (float(edges[0]) - self.minimum, self.maximum - float(edges[-1]))
        most = [end * far if end > 0 else 0.0 for end, far in zip(ends, reach, strict=True)]
        below, above = (
            top / (math.log(max(end * rows, 1)) * 0.85 + 1)
            for top, end in zip(most, ends, strict=True)
        )
        if below + above > 0:
            middles = (edges[:-1] + edges[1:]) / 2
            inner_mean = float(
                np.sum(counts[1::2] / rows * edges) + np.sum(counts[2:-1:2] / rows * middles)
            )
            inner_mean += ends[0] * float(edges[0]) + ends[1] * float(edges[-1])
            gap = self.mean - inner_mean - (above - below)
            weight = above / (below + above)
            below, above = below - gap * (1 - weight), above + gap * weight
        return min(max(below, 0.0), most[0]), min(max(above, 0.0), most[1])

    @cached_property
    def ends(self) -> tuple[End, End]:
        """What lies beyond the first edge, and beyond the last one."""
        shares = int(self.counts[0]) / self.rows, int(self.counts[-1]) / self.rows
        reach = (float(self.edges[0]) - self.minimum, self.maximum - float(self.edges[-1]))
        below, above = (
            (share, tail / share if share else 0.0, far if share else 0.0)
            for share, tail, far in zip(shares, self.tail_means, reach, strict=True)
        )
        return below, above

    @cached_property
    def kurtosis(self) -> float | None:
        """Fourth central moment over the squared variance.

        It is rather too large where rows lie beyond the edges or in wide cells. None where nothing
        varies.
        """
        if not self.rows or not self.variance or not len(self.edges):
            return None
        sd, rows = math.sqrt(self.variance), self.rows
        # Edges far beyond what varies overflow; the total is then no number.
        with np.errstate(over="ignore", invalid="ignore"):
            z = (self.edges - self.mean) / sd
            widths = np.diff(z)
            middles = z[:-1] + widths / 2
            # numpy takes a fourth power forty times as long as two squares.
            at_edges, at_middles, wide = z**2, middles**2, widths**2
            within = at_middles**2 + at_middles * wide / 2 + wide**2 / 80
            total = float(self.counts[1::2] @ at_edges**2 + self.counts[2:-1:2] @ within) / rows
            ends = zip(self.ends, (z[0], z[-1]), (-1, 1), strict=True)
            for (mass, reach, far), edge, sign in ends:
                # Of all tails with this mean and extreme, the one with rows at both ends has the
                # largest fourth moment.
                if mass > 0 and far > 0:
                    beyond = edge + sign * far / sd
                    total += float(mass * ((1 - reach / far) * edge**4 + reach / far * beyond**4))
        return total if math.isfinite(total) else None

    def quantile(self, q: float) -> float | None:
        """Smallest edge or end with a share `q` of the values at or below; None without values."""
        if not self.rows:
            return None
        cell = int(np.searchsorted(self.cumulative, q * self.rows - 1e-9))
        value = float(self.edges[cell // 2]) if cell // 2 < len(self.edges) else self.maximum
        return min(max(value, self.minimum), self.maximum)


def quantile_groups(ref: ArrayLike, bins: int = BINS) -> Counts:
    """Cut a grid into groups of cells that hold about 1/bins of the reference each.

    Returns the first cells of all groups but the first, shape (k,). A cut lies right after the edge
    whose cumulative share is nearest to each of the bins-1 quantiles. A value that alone holds
    1/bins or more is a group of its own, so that a constant column and one of few values are
    compared value by value.
    """
    counts = np.asarray(ref, dtype=np.int64)
    total = int(counts.sum())
    if len(counts) < 3 or total == 0:
        return np.empty(0, dtype=np.int64)
    at_edges = np.cumsum(counts)[1::2]
    targets = np.arange(1, bins) * total / bins
    right = np.searchsorted(at_edges, targets).clip(0, len(at_edges) - 1)
    # Edges without rows of the reference, in a wide gap, are no place to cut: the value before is.
    left = np.searchsorted(at_edges, at_edges[(right - 1).clip(0)])
    nearest = np.where(targets - at_edges[left] <= at_edges[right] - targets, left, right)
    heavy = np.flatnonzero(counts[1::2] * bins >= total)
    return np.unique(np.concatenate((2 * nearest + 2, 2 * heavy + 1, 2 * heavy + 2)))


def group_counts(counts: ArrayLike, cuts: Counts) -> Counts:
    """Counts of the groups of cells between the cuts; shape (k+1,)."""
    return np.add.reduceat(np.asarray(counts, dtype=np.int64), np.concatenate(([0], cuts)))
