"""The collectors of a uniform sample: the rows with the smallest hashes.

Values of redacted columns never enter a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec
import numpy as np

from driftline.profiles.collector import Collector
from driftline.profiles.packing import pack, unpack
from driftline.profiles.spec import CategorySpec, NumericSpec, ProfileSpec, SampledSpec

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch


class SampledColumns(Mapping[str, list[Any]]):
    """The values of sampled rows by column; decoded when a check reads them."""

    def __init__(self, names: Sequence[str], rows: Sequence[bytes]) -> None:
        """Take the names of the columns, and MessagePack of each row's values in their order."""
        self._names, self._rows = names, rows

    @cached_property
    def _columns(self) -> dict[str, list[Any]]:
        return self.decode()

    def decode(self) -> dict[str, list[Any]]:
        """Return all columns without keeping them: decoded rows take much memory."""
        rows = map(msgspec.msgpack.decode, self._rows)
        columns = map(list, zip(*rows, strict=True)) if self._rows else ([] for _ in self._names)
        return dict(zip(self._names, columns, strict=True))

    def __getitem__(self, name: str) -> list[Any]:
        """The values of a column."""
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        """The names of the columns."""
        return iter(self._names)

    def __len__(self) -> int:
        """The number of columns."""
        return len(self._names)

    def __repr__(self) -> str:
        """The values."""
        return repr(self._columns)


class SampleCollector(Collector):
    """Samples `sample_rows` rows; the choice does not depend on the order of the rows.

    (Bottom-k sampling, Cohen & Kaplan 2007.)
    """

    name = "sample"
    needs_hashes: ClassVar[bool] = True
    kinds: ClassVar[tuple[type, ...]] = (NumericSpec, CategorySpec)
    """The kinds of columns that enter it."""

    def __init__(self, spec: ProfileSpec) -> None:
        self._size = spec.sample_rows
        self._names = [
            name
            for name, kind in spec.columns.items()
            if isinstance(kind, self.kinds) and name not in spec.redact
        ]
        self._rows: list[tuple[int, bytes]] = []
        """(hash, MessagePack of the values) of the smallest hashes, in order."""

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch whose hashes are small enough."""
        if batch.hashes is None or not batch.rows or not self._names:
            return
        hashes = batch.hashes
        places = (
            np.argpartition(hashes, self._size)[: self._size]
            if len(hashes) > self._size
            else np.arange(len(hashes))
        )
        if len(self._rows) >= self._size:
            places = places[hashes[places] <= np.uint64(self._rows[-1][0])]
        if not len(places):
            return
        empty = [None] * len(places)
        columns = [
            batch.columns[name].take(places).to_pylist() if name in batch.columns else empty
            for name in self._names
        ]
        rows = zip(hashes[places].tolist(), zip(*columns, strict=True), strict=True)
        self._keep([(key, msgspec.msgpack.encode(values)) for key, values in rows])

    def _keep(self, rows: list[tuple[int, bytes]]) -> None:
        self._rows = sorted([*self._rows, *rows])[: self._size]

    def merge(self, other: Self) -> None:
        """Keep the smallest hashes of both."""
        self._keep(other._rows)

    def summary(self) -> SampledColumns:
        """Values by column, the rows in the order of their hashes."""
        return SampledColumns(self._names, [content for _, content in self._rows])

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return pack(self._rows)

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls(spec)
        collector._rows = [(key, content) for key, content in unpack(data)]
        return collector


class RawSampleCollector(SampleCollector):
    """Samples the same rows of texts (a hash of each) and vectors (the bytes of each)."""

    name = "raw_sample"
    kinds = (SampledSpec,)
