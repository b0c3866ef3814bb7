"""Sums of the values in the widest cells of a grid and beyond its ends.

They say where the values of a wide cell are, which its count alone does not: one outlier in a
reference makes a cell that is a million times as wide as the others. Sums of whole numbers merge to
the same bits in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from driftline.profiles.exact import ExactSum
from driftline.profiles.packing import narrow, widen
from driftline.profiles.spec import NumericSpec
from driftline.profiles.window import Counts
from driftline.types.arrays import Floats

HALF = 26
"""A place in a cell has two digits of so many bits."""
DIGIT = 1 << HALF
MIDDLE = DIGIT >> 1


class CellSums:
    """Sums of places in cells: 0 at the lower edge of the cell, 2**52 at the upper one."""

    __slots__ = ("above", "below", "high", "low")

    def __init__(self, spec: NumericSpec) -> None:
        self.high: Counts = np.zeros(len(spec.widest), np.int64)
        """Sums of the upper digits by cell of `spec.widest`; those of the lower ones are `low`."""
        self.low: Counts = np.zeros(len(spec.widest), np.int64)
        self.below = ExactSum()
        """Of the distances from the first edge down to values beyond it."""
        self.above = ExactSum()

    def add(self, sorted_values: Floats, bounds: Counts, spec: NumericSpec) -> None:
        """Add values, rising, shape (n,); cell `c` of the grid has those of bounds[c:c+2]."""
        edges, first, last = spec.edges, int(bounds[1]), int(bounds[-2])
        if not len(edges):
            return
        if first:
            self.below.add(float((edges[0] - sorted_values[:first]).sum()))
        if last < len(sorted_values):
            self.above.add(float((sorted_values[last:] - edges[-1]).sum()))
        starts, ends = bounds[2 * spec.widest + 2], bounds[2 * spec.widest + 3]
        cells = np.flatnonzero(ends > starts)
        if not len(cells):
            return
        sizes = ends[cells] - starts[cells]
        firsts = np.cumsum(sizes) - sizes
        values = sorted_values[np.repeat(starts[cells] - firsts, sizes) + np.arange(sizes.sum())]
        lower = np.repeat(spec.widest[cells], sizes)
        share = (values - edges[lower]) / (edges[lower + 1] - edges[lower])
        places = np.rint(np.clip(share, 0, 1) * float(1 << 2 * HALF)).astype(np.int64)
        self.high[cells] += np.add.reduceat(places >> HALF, firsts)
        self.low[cells] += np.add.reduceat(places & (DIGIT - 1), firsts)

    def merge(self, other: CellSums) -> None:
        """Add the sums of `other`."""
        self.high = self.high + other.high
        self.low = self.low + other.low
        self.below.merge(other.below)
        self.above.merge(other.above)

    def centres(self, counts: Counts, spec: NumericSpec) -> Floats:
        """The mean value of each cell between two edges; NaN where it is empty or not summed.

        `counts` are those of all cells, shape (2E+1,). The result has shape (E-1,).
        """
        means = np.full(max(len(spec.edges) - 1, 0), np.nan)
        rows = counts[2 * spec.widest + 2]
        cells = np.flatnonzero(rows)
        lower, rows = spec.widest[cells], rows[cells]
        share = (self.high[cells] / rows + self.low[cells] / rows / DIGIT) / DIGIT
        edges = spec.edges
        means[lower] = edges[lower] + (edges[lower + 1] - edges[lower]) * share
        return means

    def state(self) -> tuple[Any, ...]:
        """The canonical form."""
        high, low = self.high + (self.low >> HALF), self.low & (DIGIT - 1)
        cells = np.flatnonzero(high + low)
        return (
            narrow(cells),
            narrow(high[cells]),
            narrow(low[cells]),
            self.below.partials(),
            self.above.partials(),
        )

    def restore(self, cells: bytes, high: bytes, low: bytes, below: Any, above: Any) -> None:
        """The inverse of `state`."""
        places = widen(cells)
        self.high[places], self.low[places] = widen(high), widen(low)
        self.below, self.above = ExactSum(below), ExactSum(above)

    def assume_even(
        self, counts: Counts, spec: NumericSpec, minimum: float | None, maximum: float | None
    ) -> None:
        """Take values as evenly spread in their cells, for a profile stored without sums."""
        self.high = counts[2 * spec.widest + 2] * MIDDLE
        if minimum is not None and maximum is not None and len(spec.edges):
            self.below.add(float(counts[0]) * (float(spec.edges[0]) - minimum) / 2)
            self.above.add(float(counts[-1]) * (maximum - float(spec.edges[-1])) / 2)
