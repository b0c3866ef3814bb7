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
from driftline.stats.distributions.side import Tails
from driftline.types.arrays import Floats

HALF = 26
"""A place in a cell has two digits of so many bits."""
DIGIT = 1 << HALF
MIDDLE = DIGIT >> 1
COARSE = 16
"""Bits of a place before it is squared."""


class CellSums:
    """Sums of places in cells: 0 at the lower edge of the cell, 2**52 at the upper one."""

    __slots__ = ("above", "above_squares", "below", "below_squares", "high", "low", "squares")

    def __init__(self, spec: NumericSpec) -> None:
        self.high: Counts = np.zeros(len(spec.widest), np.int64)
        """Sums of the upper digits by cell of `spec.widest`; those of the lower ones are `low`."""
        self.low: Counts = np.zeros(len(spec.widest), np.int64)
        self.squares: Counts = np.zeros(len(spec.widest), np.int64)
        """Sums of the squares of coarse places, of COARSE bits."""
        self.below, self.below_squares = ExactSum(), ExactSum()
        """Of the distances from the first edge down to values beyond it, and of their squares."""
        self.above, self.above_squares = ExactSum(), ExactSum()

    def add(self, sorted_values: Floats, bounds: Counts, spec: NumericSpec) -> None:
        """Add values, rising, shape (n,); cell `c` of the grid has those of bounds[c:c+2]."""
        edges, first, last = spec.edges, int(bounds[1]), int(bounds[-2])
        if not len(edges):
            return
        if first:
            beyond = edges[0] - sorted_values[:first]
            self.below.add(float(beyond.sum()))
            self.below_squares.add(float(beyond @ beyond))
        if last < len(sorted_values):
            beyond = sorted_values[last:] - edges[-1]
            self.above.add(float(beyond.sum()))
            self.above_squares.add(float(beyond @ beyond))
        starts, ends = bounds[2 * spec.widest + 2], bounds[2 * spec.widest + 3]
        cells = np.flatnonzero(ends > starts)
        if not len(cells):
            return
        sizes = ends[cells] - starts[cells]
        firsts = np.cumsum(sizes) - sizes
        values = sorted_values[np.repeat(starts[cells] - firsts, sizes) + np.arange(sizes.sum())]
        lower = np.repeat(spec.widest[cells], sizes)
        share = np.clip((values - edges[lower]) / (edges[lower + 1] - edges[lower]), 0, 1)
        places = np.rint(share * float(1 << 2 * HALF)).astype(np.int64)
        coarse = np.rint(share * float(1 << COARSE)).astype(np.int64)
        self.high[cells] += np.add.reduceat(places >> HALF, firsts)
        self.low[cells] += np.add.reduceat(places & (DIGIT - 1), firsts)
        self.squares[cells] += np.add.reduceat(coarse * coarse, firsts)

    def merge(self, other: CellSums) -> None:
        """Add the sums of `other`."""
        self.high = self.high + other.high
        self.low = self.low + other.low
        self.squares = self.squares + other.squares
        for total, addend in zip(self._tail_sums(), other._tail_sums(), strict=True):
            total.merge(addend)

    def moments(self, counts: Counts, spec: NumericSpec) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the values of each cell between two edges.

        NaN where a cell is empty or not summed. `counts` are those of all cells, shape (2E+1,). The
        results have shape (E-1,).
        """
        means = np.full(max(len(spec.edges) - 1, 0), np.nan)
        deviations = means.copy()
        rows = counts[2 * spec.widest + 2]
        cells = np.flatnonzero(rows)
        lower, rows = spec.widest[cells], rows[cells]
        share = (self.high[cells] / rows + self.low[cells] / rows / DIGIT) / DIGIT
        low, wide = spec.edges[lower], spec.edges[lower + 1] - spec.edges[lower]
        means[lower] = low + wide * share
        variance = self.squares[cells] / rows / float(1 << 2 * COARSE) - share * share
        # The coarse squares are exact where all rows have one place: then nothing varies.
        coarse = np.rint(share * float(1 << COARSE)).astype(np.int64)
        varies = self.squares[cells] != rows * coarse * coarse
        deviations[lower] = wide * np.sqrt(np.maximum(variance, 0.0) * varies)
        return means, deviations

    def tails(self) -> Tails:
        """Sums of the distances beyond both ends of the grid, and of their squares."""
        return Tails(
            self.below.value,
            self.below_squares.value,
            self.above.value,
            self.above_squares.value,
        )

    def state(self) -> tuple[Any, ...]:
        """The canonical form."""
        high, low = self.high + (self.low >> HALF), self.low & (DIGIT - 1)
        cells = np.flatnonzero(high + low + self.squares)
        return (
            narrow(cells),
            narrow(high[cells]),
            narrow(low[cells]),
            narrow(self.squares[cells]),
            [total.partials() for total in self._tail_sums()],
        )

    def restore(
        self, cells: bytes, high: bytes, low: bytes, squares: bytes, tails: list[list[float]]
    ) -> None:
        """The inverse of `state`."""
        places = widen(cells)
        self.high[places], self.low[places] = widen(high), widen(low)
        self.squares[places] = widen(squares)
        self.below, self.below_squares, self.above, self.above_squares = map(ExactSum, tails)

    def _tail_sums(self) -> tuple[ExactSum, ...]:
        return self.below, self.below_squares, self.above, self.above_squares

    def assume_even(
        self, counts: Counts, spec: NumericSpec, minimum: float | None, maximum: float | None
    ) -> None:
        """Take values as evenly spread in their cells, for a profile stored without sums."""
        rows = counts[2 * spec.widest + 2]
        self.high, self.squares = rows * MIDDLE, rows * ((1 << 2 * COARSE) // 3)
        if minimum is None or maximum is None or not len(spec.edges):
            return
        below, above = float(spec.edges[0]) - minimum, maximum - float(spec.edges[-1])
        for total, squares, rows_beyond, reach in (
            (self.below, self.below_squares, float(counts[0]), below),
            (self.above, self.above_squares, float(counts[-1]), above),
        ):
            total.add(rows_beyond * reach / 2)
            squares.add(rows_beyond * reach * reach / 3)
