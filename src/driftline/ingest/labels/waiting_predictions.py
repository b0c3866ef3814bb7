"""Packs predictions that wait for their labels: about twenty bytes per row.

Leaves out rows that no label can come for: without an id, without a prediction, or with the label
in the record itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.batch import Batch
from driftline.profiles.packing import narrow, pack, unpack, widen
from driftline.profiles.spec import OTHER_SEGMENTS, SEGMENTS
from driftline.state.waiting import PREDICTION
from driftline.types.arrays import Hashes, Ints
from driftline.types.model import Schema
from driftline.types.records import Stub
from driftline.types.times import SECOND_MICROS

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 18
"""Rows of one stub at most, so that a join can load stubs in bounded portions."""
"""Microseconds."""
Numbers = NDArray[np.float64]
Column = tuple[Sequence[str], Ints] | Numbers
"""Categories and the code of each row, -1 for none; or numbers, NaN for none."""


@dataclass(frozen=True, slots=True)
class PredictionRows:
    """Rows of one window and version, in the order of their hashes."""

    hashes: Hashes
    """Hashes of the ids, uint64, shape (rows,), sorted."""
    seconds: Ints
    """Seconds from the start of the window to each prediction, int64, shape (rows,)."""
    columns: Mapping[str, Column]
    """Prediction, score, columns of the task and segments, by name; each of shape (rows,)."""


class PredictionBuffer:
    """Collects the predictions of one object by window and version."""

    def __init__(self, schema: Schema, segments: Mapping[str, frozenset[str]], digest: str) -> None:
        self._digest = digest
        self._outputs = [part.name for part in (schema.prediction, schema.score) if part]
        self._more = schema.task_columns.names
        self._label = schema.label.name if schema.label else ""
        self._segments = segments
        self._parts: dict[tuple[int, str], list[PredictionRows]] = {}

    def add(self, start: int, version: str, batch: Batch) -> None:
        """Add the rows of one window (start in microseconds) and version that a label may join."""
        columns = {
            name: batch.columns[name]
            for name in (*self._outputs, *sorted(self._more), *self._segments)
            if name in batch.columns
        }
        usable = np.zeros(batch.rows, bool)
        for name in self._outputs:
            if name in columns:
                usable |= _valid(columns[name])
        if self._label in batch.columns:
            usable &= ~_valid(batch.columns[self._label])
        assert batch.joins is not None
        places = np.flatnonzero(usable & (batch.joins != 0))
        if not len(places):
            return
        places = places[np.argsort(batch.joins[places], kind="stable")]
        rows = PredictionRows(
            batch.joins[places],
            (batch.events[places] - start) // SECOND_MICROS,
            {name: self._column(name, array, places) for name, array in columns.items()},
        )
        self._parts.setdefault((start, version), []).append(rows)

    def _column(self, name: str, array: pa.Array, places: Ints) -> Column:
        import pyarrow as pa

        if not pa.types.is_dictionary(array.type):
            numbers = array.fill_null(np.nan).to_numpy(zero_copy_only=False)[places]
            return np.asarray(numbers, np.float64)
        codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)[places].astype(np.int64)
        distinct_codes = np.unique(codes[codes >= 0])
        names = array.dictionary.take(pa.array(distinct_codes)).to_pylist()
        codes = np.where(codes < 0, -1, np.searchsorted(distinct_codes, codes))
        segments = self._segments.get(name)
        if segments is not None:
            is_segment = np.array([name in segments for name in names] + [False])
            rest = -1
            if len(segments) >= SEGMENTS:
                rest, names = len(names), [*names, OTHER_SEGMENTS]
            codes = np.where(is_segment[codes], codes, np.where(codes < 0, -1, rest))
        return names, codes

    def stubs(self) -> Iterator[Stub]:
        """All rows as stubs, in the order of windows and versions."""
        for (start, version), parts in sorted(self._parts.items()):
            rows = concatenate(parts)
            for first in range(0, len(rows.hashes), ROWS):
                part = _slice(rows, first, first + ROWS)
                yield Stub(
                    role=PREDICTION,
                    start=start,
                    version=version,
                    hashes=part.hashes,
                    content=pack_rows(part, self._digest),
                )


def pack_rows(rows: PredictionRows, digest: str) -> bytes:
    """All but the hashes; `digest` is that of the spec that the rows were read with."""
    columns = [
        (name, column.astype("<f8").tobytes(), None)
        if isinstance(column, np.ndarray)
        else (name, narrow(column[1] + 1), column[0])
        for name, column in rows.columns.items()
    ]
    return pack((digest, narrow(rows.seconds), columns))


def unpack_rows(hashes: Hashes, content: bytes, digest: str) -> PredictionRows | None:
    """The inverse of `pack_rows`; None for rows that were read with another spec."""
    packed_digest, seconds, packed_columns = unpack(content)
    if packed_digest != digest:
        return None
    columns: dict[str, Column] = {
        name: np.frombuffer(data, "<f8") if names is None else (names, widen(data) - 1)
        for name, data, names in packed_columns
    }
    return PredictionRows(hashes, widen(seconds), columns)


def concatenate(parts: Sequence[PredictionRows]) -> PredictionRows:
    """All rows of several parts, sorted by hash; equal hashes in the order of the parts."""
    if len(parts) == 1:
        return parts[0]
    hashes = np.concatenate([part.hashes for part in parts])
    order = np.argsort(hashes, kind="stable")
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    columns = {
        name: _concatenate_column(
            [(part.columns.get(name), len(part.hashes)) for part in parts], order
        )
        for name in names
    }
    seconds = np.concatenate([part.seconds for part in parts])
    return PredictionRows(hashes[order], seconds[order], columns)


def _concatenate_column(parts: Sequence[tuple[Column | None, int]], order: Ints) -> Column:
    """One column of several parts, each with its number of rows; None where a part lacks it."""
    if any(isinstance(column, np.ndarray) for column, _ in parts):
        numbers = [
            column if isinstance(column, np.ndarray) else np.full(rows, np.nan)
            for column, rows in parts
        ]
        return np.concatenate(numbers)[order]
    name_codes: dict[str, int] = {}
    codes = []
    for column, rows in parts:
        if column is None or isinstance(column, np.ndarray):
            codes.append(np.full(rows, -1, np.int64))
            continue
        new_codes = [name_codes.setdefault(name, len(name_codes)) for name in column[0]]
        codes.append(np.array([*new_codes, -1], np.int64)[column[1]])
    return list(name_codes), np.concatenate(codes)[order]


def _slice(rows: PredictionRows, first: int, end: int) -> PredictionRows:
    columns = {
        name: column[first:end]
        if isinstance(column, np.ndarray)
        else (column[0], column[1][first:end])
        for name, column in rows.columns.items()
    }
    return PredictionRows(rows.hashes[first:end], rows.seconds[first:end], columns)


def _valid(array: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
