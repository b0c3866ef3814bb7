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


class Tails(NamedTuple):
    """Sums of the distances of values beyond the ends of a grid from that end, and of squares."""

    below: float
    below_squares: float
    above: float
    above_squares: float


@dataclass(frozen=True, eq=False, kw_only=True)
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
        low = np.concatenate(([min(self.minimum, *self.edges[:1])], self.edges))
        high = np.concatenate((self.edges, [max(self.maximum, *self.edges[-1:])]))
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
