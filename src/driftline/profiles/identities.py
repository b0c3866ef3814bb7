"""The collector of what should be unique: how often the same id, or the same value of a key column,
occurs in a window.

Refuses to grow: of more distinct values than the bound it keeps those with the smallest hashes.
Such a value was kept by every part in which it occurred, so its merged count is exact, and the
values kept are a uniform sample of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from driftline.profiles.collector import Collector
from driftline.profiles.packing import narrow, pack, unpack, widen
from driftline.profiles.rowhash import NO_TEXT, Hashes, hash_numbers, hash_strings
from driftline.profiles.spec import ProfileSpec
from driftline.profiles.window import Counts
from driftline.stats.distributions.repeats import Repeats

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.batch import Batch

BOUND = 8192
"""Distinct values of each key that are counted."""
IDS = ""
"""The key that is no column: the ids of the rows."""


class _Key:
    __slots__ = ("counts", "dropped", "hashes", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self.hashes: Hashes = np.empty(0, np.uint64)
        """The smallest, rising; shape (k,)."""
        self.counts: Counts = np.empty(0, np.int64)
        """Rows of each; shape (k,)."""
        self.dropped = False
        """Whether there were greater ones."""

    def add(self, seen: Hashes) -> None:
        self.rows += len(seen)
        self._take(seen, np.ones(len(seen), np.int64))

    def merge(self, other: _Key) -> None:
        self.rows += other.rows
        self.dropped |= other.dropped
        self._take(other.hashes, other.counts)

    def _take(self, hashes: Hashes, counts: Counts) -> None:
        if self.dropped and len(self.hashes) == BOUND:
            small = hashes <= self.hashes[-1]
            hashes, counts = hashes[small], counts[small]
        both, places = np.unique(np.concatenate((self.hashes, hashes)), return_inverse=True)
        summed = np.bincount(places, np.concatenate((self.counts, counts)), len(both)).astype(
            np.int64
        )
        self.dropped |= len(both) > BOUND
        self.hashes, self.counts = both[:BOUND], summed[:BOUND]

    def repeats(self) -> Repeats:
        extra = self.counts - 1
        reach = (int(self.hashes[-1]) + 1) / 2**64 if self.dropped else 1.0
        return Repeats(
            self.rows,
            len(extra),
            int((extra > 0).sum()),
            int(extra.sum()),
            int((extra * extra).sum()),
            reach,
        )


class IdentityCollector(Collector):
    """Counts how often ids occur, and values of the key columns that checks told it."""

    name = "identities"
    needs_hashes: ClassVar[bool] = True

    def __init__(self, spec: ProfileSpec) -> None:
        self._keys = {name: _Key() for name in (IDS, *spec.options.get(self.name, ()))}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """No rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Counts hashes."""
        for name, key in self._keys.items():
            if name != IDS:
                array = batch.columns.get(name)
                if array is not None:
                    key.add(_hashed(array))
            elif batch.hashes is not None:
                key.add(batch.hashes[batch.hashes != NO_TEXT])

    def merge(self, other: Self) -> None:
        """Adds counts, keeps the smallest hashes."""
        for name, key in self._keys.items():
            key.merge(other._keys[name])

    def summary(self) -> dict[str, Repeats]:
        """By key column; that of the ids has no name."""
        return {name: key.repeats() for name, key in self._keys.items()}

    def to_bytes(self) -> bytes:
        """Canonical."""
        return pack(
            [
                (k.rows, k.dropped, k.hashes.astype("<u8").tobytes(), narrow(k.counts))
                for k in self._keys.values()
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse."""
        made = cls(spec)
        for key, (rows, dropped, hashes, counts) in zip(
            made._keys.values(), unpack(data), strict=True
        ):
            key.rows, key.dropped = rows, dropped
            key.hashes, key.counts = np.frombuffer(hashes, "<u8").astype(np.uint64), widen(counts)
        return made


def _hashed(array: pa.Array) -> Hashes:
    """A hash of each value that there is; NaN is none."""
    import pyarrow as pa

    known = array.drop_null()
    if isinstance(known, pa.DictionaryArray):
        each: Hashes = hash_strings(known.dictionary)[known.indices.to_numpy(zero_copy_only=False)]
        return each
    values = known.to_numpy(zero_copy_only=False)
    return hash_numbers(values[~np.isnan(values)])
