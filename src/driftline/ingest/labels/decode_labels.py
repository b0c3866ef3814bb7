"""Collects labels that come on their own from the records of one object, and packs them.

Does not choose between labels of one id: the join does that, because it sees all of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from driftline.ingest.labels.waiting_predictions import ROWS
from driftline.profiles.batch import Batch
from driftline.profiles.numeric import LARGEST
from driftline.profiles.packing import narrow, pack, unpack, widen
from driftline.state.waiting import LABEL
from driftline.types.arrays import Hashes, Ints
from driftline.types.model import Schema
from driftline.types.records import Stub


@dataclass(frozen=True, slots=True)
class LabelRows:
    """Labels in the order of their hashes; of one hash, in the order of their records."""

    hashes: Hashes
    """Hashes of the ids, uint64, shape (rows,)."""
    times: Ints
    """When each label was set, microseconds, int64, shape (rows,)."""
    values: Ints
    """Codes of `names`, or the bits of float64 numbers; int64, shape (rows,)."""
    names: list[str] | None
    """The classes; None for numbers."""


class LabelBuffer:
    """Collects the labels of one object."""

    def __init__(self, schema: Schema) -> None:
        assert schema.label is not None
        self._label = schema.label.name
        self._codes: dict[str, int] = {}
        self._numeric = False
        self._parts: list[tuple[Hashes, Ints, Ints]] = []

    def add(self, batch: Batch) -> int:
        """Add the labels of a batch; returns how many rows lack an id or a usable value."""
        import pyarrow as pa

        array = batch.columns.get(self._label)
        if array is None:
            return batch.rows
        if pa.types.is_dictionary(array.type):
            codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            usable = codes >= 0
            own_codes = [
                self._codes.setdefault(name, len(self._codes))
                for name in array.dictionary.to_pylist()
            ]
            values = np.array([*own_codes, -1], np.int64)[codes]
        else:
            self._numeric = True
            numbers = (
                array.fill_null(np.nan).to_numpy(zero_copy_only=False) + 0.0
            )  # -0.0 and 0.0 are one label
            usable, values = np.abs(numbers) <= LARGEST, numbers.view(np.int64)
        assert batch.joins is not None
        usable = usable & (batch.joins != 0)
        self._parts.append((batch.joins[usable], batch.events[usable], values[usable]))
        return batch.rows - int(usable.sum())

    def stubs(self) -> Iterator[Stub]:
        """All labels, ROWS to a stub, in the order of the records; a stub starts at its newest."""
        if not self._parts:
            return
        hashes, times, values = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        names = None if self._numeric else list(self._codes)
        for first in range(0, len(hashes), ROWS):
            part = slice(first, first + ROWS)
            order = np.argsort(hashes[part], kind="stable")
            labels = LabelRows(hashes[part][order], times[part][order], values[part][order], names)
            yield Stub(
                role=LABEL,
                start=int(labels.times.max()),
                version="",
                hashes=labels.hashes,
                content=pack_labels(labels),
            )


def pack_labels(labels: LabelRows) -> bytes:
    """All but the hashes, as compressed bytes."""
    first = int(labels.times.min())
    values = (
        labels.values.astype("<i8").tobytes() if labels.names is None else narrow(labels.values)
    )
    return zlib.compress(pack((first, narrow(labels.times - first), values, labels.names)), 1)


def unpack_labels(hashes: Hashes, content: bytes) -> LabelRows:
    """The inverse of `pack_labels`."""
    first, times, values, names = unpack(zlib.decompress(content))
    return LabelRows(
        hashes,
        widen(times) + first,
        np.frombuffer(values, "<i8") if names is None else widen(values),
        names,
    )
