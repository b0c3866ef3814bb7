"""Rows made from what is known of the columns' distributions: how a baseline that others summarised
becomes a reference.

Refuses to know what stood together in one row: each column is rebuilt by itself, in an order of its
own. So these rows have no correlations, and nothing that looks at several columns at once
(performance among it) can be measured with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from driftline.kit.decoding.json_values import column, record_batch
from driftline.types.errors import Unreadable
from driftline.types.model import Field

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
BATCH = 1 << 16
LARGEST = 256 << 20
MOST = 1_000_000
"""Rows that are made at most: a baseline of more is made smaller in proportion, which no distance
notices.
"""


class Values(Protocol):
    """The values of a column, as far as they are known."""

    def at(self, places: Places, count: int) -> pa.Array:
        """The values at `places` when `count` of them stand in order."""
        ...


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers in cells that rise: all at `low`, where that is `high`, else spread evenly from one
    to the other.
    """

    low: Floats
    """Shape (C,)."""
    high: Floats
    """Shape (C,)."""
    weights: Floats
    """The rows that each cell stands for, shape (C,), above 0."""
    minimum: float | None = None
    """The smallest value, which a sample or a rounded border may lack."""
    maximum: float | None = None
    whole: bool = False
    """Whether only whole numbers occur."""

    def at(self, places: Places, count: int) -> pa.Array:
        """As float64."""
        import pyarrow as pa

        ends = np.cumsum(self.weights)
        position = (places + 0.5) / count * ends[-1]
        cell = np.minimum(np.searchsorted(ends, position, "right"), len(ends) - 1)
        within = 1 - (ends[cell] - position) / self.weights[cell]
        low, high = self.low[cell], self.high[cell]
        values = np.where(low == high, low, low * (1 - within) + high * within)
        if self.whole:
            values = np.floor(values)  # a cell is half open: so its whole numbers stay in it
        if self.minimum is not None and self.maximum is not None:
            values = np.clip(values, self.minimum, self.maximum)
            values[places == 0] = self.minimum
            values[places == count - 1] = self.maximum
        return pa.array(values)


@dataclass(frozen=True, slots=True)
class Categories:
    """Categories with the rows of each."""

    names: Sequence[str]
    """Shape (C,)."""
    weights: Floats
    """Shape (C,), above 0."""

    def at(self, places: Places, count: int) -> pa.Array:
        """As dictionary-encoded text."""
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
    """What is known of one column."""

    name: str
    present: int
    """Rows with a value."""
    values: Values | None
    """None where nothing tells them: then the column is empty."""


def whole(stream: BinaryIO, most: int = LARGEST) -> bytes:
    """All of a file that is small by its nature, such as one of statistics. Raises Unreadable
    beyond `most` bytes.
    """
    parts, size = [], 0
    while part := stream.read(1 << 20):
        parts.append(part)
        size += len(part)
        if size > most:
            raise Unreadable(f"is larger than {most >> 20} MiB: it can't be a file of statistics")
    return b"".join(parts)


def rebuild(
    summaries: Sequence[Summary], rows: int, fields: Sequence[Field] | None
) -> Iterator[pa.RecordBatch]:
    """Batches with the columns of `fields` (all when None), `rows` rows together and at most MOST;
    the same each time.

    Each batch is a cross-section: it holds every so-manieth value of the whole, in random order.
    """
    by_name = {summary.name: summary for summary in summaries}
    wanted = fields if fields is not None else [Field(name, name) for name in by_name]
    kept = min(rows, MOST)
    batches = -(-kept // BATCH)
    for number in range(batches):
        places = np.arange(number, kept, batches, dtype=np.int64)
        arrays = []
        for order, field in enumerate(wanted):
            summary = by_name.get(field.path)
            shuffled = np.random.default_rng((number, order)).permutation(places)
            arrays.append(_column(summary, shuffled, rows, kept, field))
        yield record_batch([field.name for field in wanted], arrays, len(places))


def _column(
    summary: Summary | None, places: Places, rows: int, kept: int, field: Field
) -> pa.Array:
    import pyarrow as pa

    present = 0 if summary is None else round(min(summary.present, rows) * kept / rows)
    if summary is None or summary.values is None or not present:
        return column([None] * len(places), field.kind)
    values = summary.values.at(np.minimum(places, present - 1), present)
    return values.take(pa.array(np.arange(len(places)), pa.int64(), mask=places >= present))
