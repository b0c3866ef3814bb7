"""The collector of categorical columns: counts by category within a bound.

Refuses to drop in silence: what is beyond the bound is counted as `other`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Self

import numpy as np

from driftline.profiles.collector import Collector
from driftline.profiles.counting import BoundedCounter
from driftline.profiles.packing import pack, unpack
from driftline.profiles.spec import CategorySpec, ProfileSpec
from driftline.profiles.window import CategoricalColumn

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.batch import Batch


def count_categories(array: pa.DictionaryArray) -> Iterable[tuple[str, int]]:
    """The categories that occur in a dictionary-encoded column, each with its rows."""
    codes = array.indices.drop_null().to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(array.dictionary))
    seen = np.flatnonzero(counts)
    names = (
        array.dictionary.take(seen).to_pylist()
        if len(seen) < len(counts)
        else array.dictionary.to_pylist()
    )
    return zip(names, counts[seen].tolist(), strict=True)


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
        """No rows."""
        return cls(
            {
                name: column
                for name, column in spec.columns.items()
                if isinstance(column, CategorySpec)
            }
        )

    def update(self, batch: Batch) -> None:
        """Counts codes, then names."""
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
        """Adds counts."""
        for name, column in self._columns.items():
            theirs = other._columns[name]
            column.rows += theirs.rows
            column.nulls += theirs.nulls
            column.invalid += theirs.invalid
            column.counter.merge(theirs.counter)

    def summary(self) -> dict[str, CategoricalColumn]:
        """By column."""
        return {
            name: CategoricalColumn(
                name,
                c.rows,
                c.nulls,
                c.invalid,
                c.counter.counts(),
                c.counter.other,
                c.counter.distinct,
            )
            for name, c in self._columns.items()
        }

    def to_bytes(self) -> bytes:
        """Canonical."""
        return pack(
            [(c.rows, c.nulls, c.invalid, c.counter.state()) for c in self._columns.values()]
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse."""
        made = cls.zero(spec)
        for c, (rows, nulls, invalid, state) in zip(
            made._columns.values(), unpack(data), strict=True
        ):
            c.rows, c.nulls, c.invalid = rows, nulls, invalid
            c.counter.restore(*state)
        return made
