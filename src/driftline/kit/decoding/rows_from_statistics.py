"""Makes rows from the distributions of columns, so that a summarised baseline is a reference.

Each column is rebuilt by itself, in an order of its own. So the rows have no correlations, and they
are not usable for anything that needs several columns together, such as performance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from driftline.kit.decoding.json_values import record_batch, to_text, value_array
from driftline.kit.decoding.streams import read_at_most
from driftline.types.arrays import Floats, Ints
from driftline.types.errors import Unreadable
from driftline.types.model import Field

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1 << 16
LARGEST = 256 << 20
MAX_ROWS = 1_000_000
"""Most rows to make. A larger baseline is made smaller in proportion, which changes no distance."""
UNLISTED = "(not listed)"
"""The category of all values that a file of statistics does not list."""


class Values(Protocol):
    """The distribution of the values of a column."""

    def values_at(self, places: Ints, count: int) -> pa.Array:
        """Return the values at `places` of `count` values in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Numbers in ascending cells; the values of a cell are spread evenly from `low` to `high`."""

    low: Floats
    """Shape (C,)."""
    high: Floats
    """Shape (C,)."""
    weights: Floats
    """Rows in each cell, shape (C,), above 0."""
    minimum: float | None = None
    """The smallest value, where the cells may not contain it exactly; `maximum` likewise."""
    maximum: float | None = None
    integers_only: bool = False
    """Whether all values are integers."""

    def values_at(self, places: Ints, count: int) -> pa.Array:
        """Return the values as float64."""
        import pyarrow as pa

        ends = np.cumsum(self.weights)
        position = (places + 0.5) / count * ends[-1]
        cell = np.minimum(np.searchsorted(ends, position, "right"), len(ends) - 1)
        within = 1 - (ends[cell] - position) / self.weights[cell]
        low, high = self.low[cell], self.high[cell]
        values = np.where(low == high, low, low * (1 - within) + high * within)
        if self.integers_only:
            values = np.floor(values)  # a cell is half open, so its integers stay in it
        if self.minimum is not None and self.maximum is not None:
            values = np.clip(values, self.minimum, self.maximum)
            values[places == 0] = self.minimum
            values[places == count - 1] = self.maximum
        return pa.array(values)


@dataclass(frozen=True, slots=True)
class Categories:
    """Categories and the number of rows of each."""

    names: Sequence[str]
    """Shape (C,)."""
    weights: Floats
    """Shape (C,), above 0."""

    def values_at(self, places: Ints, count: int) -> pa.Array:
        """Return the values as dictionary-encoded text."""
        import pyarrow as pa

        ends = np.cumsum(self.weights)
        cell = np.minimum(
            np.searchsorted(ends, (places + 0.5) / count * ends[-1], "right"), len(ends) - 1
        )
        return pa.DictionaryArray.from_arrays(
            pa.array(cell, pa.int32()), pa.array(list(self.names), pa.string())
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """The statistics of one column."""

    name: str
    present: int
    """Rows with a value."""
    values: Values | None
    """None where the file has no distribution: then the column is empty."""


def categories_from_counts(
    pairs: Iterable[tuple[object, float | None]], present: int
) -> Categories | None:
    """Return the categories of (value, count) pairs; None without a positive count.

    `present` is the number of rows with a value; rows beyond the listed ones are one category.
    """
    counts: dict[str, float] = {}
    for value, count in pairs:
        if value is not None and count is not None and count > 0:
            name = to_text(value)
            counts[name] = counts.get(name, 0.0) + count
    if not counts:
        return None
    other_rows = present - sum(counts.values())
    if other_rows > 0:
        counts[UNLISTED] = counts.get(UNLISTED, 0.0) + other_rows
    return Categories(list(counts), np.array(list(counts.values())))


def read_statistics(stream: BinaryIO, limit: int = LARGEST) -> bytes:
    """Read a whole file of statistics. Raises Unreadable where it has more than `limit` bytes."""
    data = read_at_most(stream, limit)
    if data is None:
        raise Unreadable(f"is larger than {limit >> 20} MiB: it can't be a file of statistics")
    return data


def rebuild_rows(
    summaries: Sequence[Summary], rows: int, fields: Sequence[Field] | None
) -> Iterator[pa.RecordBatch]:
    """Return batches with the columns of `fields` (all when None), at most MAX_ROWS rows together.

    The rows are the same on each call. Each batch is a cross-section: of n batches it has every
    n-th value of the whole, in random order.
    """
    by_name = {summary.name: summary for summary in summaries}
    selection = fields if fields is not None else [Field(name, name) for name in by_name]
    row_count = min(rows, MAX_ROWS)
    batches = -(-row_count // BATCH)
    for number in range(batches):
        places = np.arange(number, row_count, batches, dtype=np.int64)
        arrays = []
        for index, field in enumerate(selection):
            summary = by_name.get(field.path)
            batch_places = np.random.default_rng((number, index)).permutation(places)
            arrays.append(_column(summary, batch_places, rows, row_count, field))
        yield record_batch([field.name for field in selection], arrays, len(places))


def _column(
    summary: Summary | None, places: Ints, rows: int, row_count: int, field: Field
) -> pa.Array:
    import pyarrow as pa

    present = 0 if summary is None else round(min(summary.present, rows) * row_count / rows)
    if summary is None or summary.values is None or not present:
        return value_array([None] * len(places), field.kind)
    values = summary.values.values_at(np.minimum(places, present - 1), present)
    return values.take(pa.array(np.arange(len(places)), pa.int64(), mask=places >= present))
