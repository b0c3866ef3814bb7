"""The collector of categorical columns: counts by category within a bound.

Rows of categories beyond the bound are counted as `other`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Self

import numpy as np

from driftline.profiles.canonical_value import canonical_text
from driftline.profiles.collector import Collector
from driftline.profiles.counting import BoundedCounter
from driftline.profiles.packing import pack, unpack
from driftline.profiles.spec import CategorySpec, ProfileSpec
from driftline.profiles.window import CategoricalColumn

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.batch import Batch


def count_categories(array: pa.DictionaryArray) -> Iterable[tuple[str, int]]:
    """(category, rows) of the categories that occur in a dictionary-encoded column."""
    codes = array.indices.drop_null().to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(array.dictionary))
    codes = np.flatnonzero(counts)
    names = (
        array.dictionary.take(codes).to_pylist()
        if len(codes) < len(counts)
        else array.dictionary.to_pylist()
    )
    return zip(names, counts[codes].tolist(), strict=True)


def _canonical(counts: dict[str, int]) -> dict[str, int]:
    """Counts by the canonical form of the names, which older profiles were stored without."""
    if not any("." in name for name in counts):
        return counts
    merged: dict[str, int] = {}
    for name, rows in counts.items():
        text = (canonical_text(name) if "." in name else name) or name
        merged[text] = merged.get(text, 0) + rows
    return merged


class _Column:
    __slots__ = ("counter", "invalid", "nulls", "rows")

    def __init__(self, spec: CategorySpec) -> None:
        self.rows = self.nulls = self.invalid = 0
        self.counter = BoundedCounter(spec.names)


class CategoryCollector(Collector):
    """Counts the categories of every categorical column of the spec."""

    name = "categories"

    def __init__(self, specs: Mapping[str, CategorySpec]) -> None:
        self._columns = {name: _Column(spec) for name, spec in specs.items()}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(
            {
                name: column
                for name, column in spec.columns.items()
                if isinstance(column, CategorySpec)
            }
        )

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch: counts codes, then names."""
        for name, column in self._columns.items():
            array = batch.columns.get(name)
            column.rows += batch.rows
            if array is None:
                column.nulls += batch.rows
                continue
            column.nulls += array.null_count
            if name in batch.invalid:
                column.invalid += int(batch.invalid[name].sum())
            column.counter.add(count_categories(array))

    def merge(self, other: Self) -> None:
        """Add the counts of `other`."""
        for name, column in self._columns.items():
            addend = other._columns[name]
            column.rows += addend.rows
            column.nulls += addend.nulls
            column.invalid += addend.invalid
            column.counter.merge(addend.counter)

    def summary(self) -> dict[str, CategoricalColumn]:
        """The summaries by column."""
        return {
            name: CategoricalColumn(
                name=name,
                rows=c.rows,
                nulls=c.nulls,
                invalid=c.invalid,
                counts=c.counter.counts(),
                other=c.counter.other,
                distinct=c.counter.distinct,
            )
            for name, c in self._columns.items()
        }

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return pack(
            [(c.rows, c.nulls, c.invalid, c.counter.state()) for c in self._columns.values()]
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls.zero(spec)
        for c, (rows, nulls, invalid, state) in zip(
            collector._columns.values(), unpack(data), strict=True
        ):
            c.rows, c.nulls, c.invalid = rows, nulls, invalid
            counts, total, limit = state
            c.counter.restore(_canonical(counts), total, limit)
        return collector
