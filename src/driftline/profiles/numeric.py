"""The collector of numeric columns: counts on the grid, missing values, extremes, exact moments.

Values beyond 1e150 in size are counted as infinite: the squares of larger values have no float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np

from driftline.profiles.cell_sums import CellSums
from driftline.profiles.collector import Collector
from driftline.profiles.exact import ExactSum
from driftline.profiles.packing import pack, pack_counts, unpack, unpack_counts
from driftline.profiles.spec import NumericSpec, ProfileSpec
from driftline.profiles.window import Counts, NumericColumn
from driftline.types.arrays import Floats

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.batch import Batch

LARGEST = 1e150


def cell_bounds(sorted_values: Floats, spec: NumericSpec) -> Counts:
    """Where each cell of a grid begins, and where the last one ends; int64, shape (2E+2,).

    `sorted_values` has shape (n,), float64, rising.
    """
    low, high = spec.bounds
    bounds = np.empty(2 * len(low) + 2, np.int64)
    bounds[0], bounds[-1] = 0, len(sorted_values)
    bounds[1:-1:2] = np.searchsorted(sorted_values, low, "left")
    bounds[2:-1:2] = np.searchsorted(sorted_values, high, "right")
    return bounds


def cells(sorted_values: Floats, spec: NumericSpec) -> Counts:
    """Counts on the cells of a grid, int64, shape (2E+1,); see `NumericColumn`.

    `sorted_values` has shape (n,), float64, rising.
    """
    return np.diff(cell_bounds(sorted_values, spec))


class _Column:
    __slots__ = (
        "counts",
        "infinities",
        "invalid",
        "maximum",
        "minimum",
        "nans",
        "nulls",
        "rows",
        "square",
        "sums",
        "total",
    )

    def __init__(self, spec: NumericSpec) -> None:
        self.rows = self.nulls = self.nans = self.infinities = self.invalid = 0
        self.counts: Counts = np.zeros(2 * len(spec.edges) + 1, np.int64)
        self.sums = CellSums(spec)
        self.minimum: float | None = None
        self.maximum: float | None = None
        self.total = ExactSum()
        self.square = ExactSum()

    def update(self, array: pa.Array, spec: NumericSpec) -> None:
        self.rows += len(array)
        self.nulls += array.null_count
        sorted_values = np.sort(
            (array.drop_null() if array.null_count else array).to_numpy(zero_copy_only=False)
        )
        low, high, nan = np.searchsorted(sorted_values, (-LARGEST, LARGEST, np.nan), "left")
        high += int(np.searchsorted(sorted_values[high:nan], LARGEST, "right"))
        self.nans += len(sorted_values) - int(nan)
        self.infinities += int(nan - high + low)
        finite = sorted_values[low:high]
        if not len(finite):
            return
        bounds = cell_bounds(finite, spec)
        self.counts += np.diff(bounds)
        self.sums.add(finite, bounds, spec)
        self.extremes(float(finite[0]), float(finite[-1]))
        off_centre = finite - spec.centre
        self.total.add(float(off_centre.sum()))
        self.square.add(float((off_centre * off_centre).sum()))

    def extremes(self, low: float | None, high: float | None) -> None:
        if low is not None and high is not None:
            # Adding 0.0 makes -0.0 and 0.0 one value, so that the order of merging has no effect.
            self.minimum = low + 0.0 if self.minimum is None else min(self.minimum, low + 0.0)
            self.maximum = high + 0.0 if self.maximum is None else max(self.maximum, high + 0.0)

    def merge(self, other: _Column) -> None:
        for name in ("rows", "nulls", "nans", "infinities", "invalid"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.counts = self.counts + other.counts
        self.sums.merge(other.sums)
        self.extremes(other.minimum, other.maximum)
        self.total.merge(other.total)
        self.square.merge(other.square)

    def summary(self, name: str, spec: NumericSpec) -> NumericColumn:
        n = int(self.counts.sum())
        mean = variance = None
        if n:
            off = self.total.value / n
            mean = self.minimum if self.minimum == self.maximum else spec.centre + off
            if n > 1:
                constant = self.minimum == self.maximum
                variance = (
                    0.0
                    if constant
                    else max(self.square.value - self.total.value * off, 0.0) / (n - 1)
                )
        centres, deviations = self.sums.moments(self.counts, spec)
        return NumericColumn(
            name=name,
            rows=self.rows,
            nulls=self.nulls,
            nans=self.nans,
            infinities=self.infinities,
            invalid=self.invalid,
            edges=spec.edges,
            counts=self.counts,
            minimum=self.minimum,
            maximum=self.maximum,
            mean=mean,
            variance=variance,
            centres=centres,
            deviations=deviations,
            tails=self.sums.tails(),
        )


class NumericCollector(Collector):
    """Counts every numeric column of the spec on its grid."""

    name = "numeric"

    def __init__(self, specs: Mapping[str, NumericSpec]) -> None:
        self._specs = specs
        self._columns = {name: _Column(spec) for name, spec in specs.items()}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(
            {
                name: column
                for name, column in spec.columns.items()
                if isinstance(column, NumericSpec)
            }
        )

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch: sorts each column once and finds the edges in it."""
        for name, column in self._columns.items():
            array = batch.columns.get(name)
            if array is None:
                column.rows += batch.rows
                column.nulls += batch.rows
                continue
            column.update(array, self._specs[name])
            if name in batch.invalid:
                column.invalid += int(batch.invalid[name].sum())

    def merge(self, other: Self) -> None:
        """Add the counts and exact sums of `other`."""
        for name, column in self._columns.items():
            column.merge(other._columns[name])

    def summary(self) -> dict[str, NumericColumn]:
        """The summaries by column."""
        return {
            name: column.summary(name, self._specs[name]) for name, column in self._columns.items()
        }

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return pack(
            [
                (
                    (c.rows, c.nulls, c.nans, c.infinities, c.invalid),
                    pack_counts(c.counts),
                    c.minimum,
                    c.maximum,
                    c.total.partials(),
                    c.square.partials(),
                    *c.sums.state(),
                )
                for c in self._columns.values()
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls.zero(spec)
        for (name, c), content in zip(collector._columns.items(), unpack(data), strict=True):
            numbers, counts, low, high, total, square, *sums = content
            c.rows, c.nulls, c.nans, c.infinities, c.invalid = numbers
            c.counts, c.minimum, c.maximum = unpack_counts(counts), low, high
            c.total, c.square = ExactSum(total), ExactSum(square)
            if sums:
                c.sums.restore(*sums)
            else:
                c.sums.assume_even(c.counts, collector._specs[name], c.minimum, c.maximum)
        return collector
