"""Predictions that wait for their labels: of each row only what a label will be compared with, in
about twenty bytes.

Refuses rows that no label can come for: without an id, without a prediction, or with the label in
the record itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.profiles.batch import Batch
from driftline.profiles.packing import narrow, pack, unpack, widen
from driftline.state.waiting import PREDICTION
from driftline.types.model import Schema
from driftline.types.records import Hashes, Stub

ROWS = 1 << 18
"""Of one stub at most, so that a join can take them in bounded portions."""
SECOND = 1_000_000
Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
Column = tuple[Sequence[str], Codes] | Numbers
"""Categories and the code of each row, -1 for none; or numbers, NaN for none."""


@dataclass(frozen=True, slots=True)
class PredictionRows:
    """Rows of one window and version, in the order of their hashes."""

    hashes: Hashes
    """Shape (rows,), sorted."""
    seconds: Codes
    """Of the predictions, after the start of their window; shape (rows,)."""
    columns: Mapping[str, Column]
    """Prediction, score and segments, by name; each of shape (rows,)."""


class PredictionBuffer:
    """Gathers the predictions of one object by window and version."""

    def __init__(self, schema: Schema, known: Mapping[str, frozenset[str]], digest: str) -> None:
        self._digest = digest
        self._told = [part.name for part in (schema.prediction, schema.score) if part is not None]
        self._label = schema.label.name if schema.label else ""
        self._segments = known
        self._parts: dict[tuple[int, str], list[PredictionRows]] = {}

    def add(self, start: int, version: str, batch: Batch) -> None:
        """Keep what may be labelled later of the rows of one window and version; `start` in
        microseconds.
        """
        columns = {
            name: batch.columns[name]
            for name in (*self._told, *self._segments)
            if name in batch.columns
        }
        usable = np.zeros(batch.rows, bool)
        for name in self._told:
            if name in columns:
                usable |= _valid(columns[name])
        if self._label in batch.columns:
            usable &= ~_valid(batch.columns[self._label])
        assert batch.joins is not None
        kept = np.flatnonzero(usable & (batch.joins != 0))
        if not len(kept):
            return
        kept = kept[np.argsort(batch.joins[kept], kind="stable")]
        made = {name: self._column(name, array, kept) for name, array in columns.items()}
        seconds = (batch.events[kept] - start) // SECOND
        self._parts.setdefault((start, version), []).append(
            PredictionRows(batch.joins[kept], seconds, made)
        )

    def _column(self, name: str, array: pa.Array, kept: Codes) -> Column:
        if not pa.types.is_dictionary(array.type):
            return np.asarray(
                array.fill_null(np.nan).to_numpy(zero_copy_only=False)[kept], np.float64
            )
        codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)[kept].astype(np.int64)
        seen = np.unique(codes[codes >= 0])
        names = array.dictionary.take(pa.array(seen)).to_pylist()
        codes = np.where(codes < 0, -1, np.searchsorted(seen, codes))
        watched = self._segments.get(name)
        if watched is not None:
            codes = np.where(
                np.array([name in watched for name in names] + [False])[codes], codes, -1
            )
        return names, codes

    def stubs(self) -> Iterator[Stub]:
        """What is to be kept, in the order of windows and versions."""
        for (start, version), parts in sorted(self._parts.items()):
            whole = concatenate(parts)
            for first in range(0, len(whole.hashes), ROWS):
                part = _slice(whole, first, first + ROWS)
                yield Stub(PREDICTION, start, version, part.hashes, pack_rows(part, self._digest))


def pack_rows(rows: PredictionRows, digest: str) -> bytes:
    """All but the hashes; `digest` is that of the spec they were read by."""
    columns = [
        (name, column.astype("<f8").tobytes(), None)
        if isinstance(column, np.ndarray)
        else (name, narrow(column[1] + 1), column[0])
        for name, column in rows.columns.items()
    ]
    return pack((digest, narrow(rows.seconds), columns))


def unpack_rows(hashes: Hashes, content: bytes, digest: str) -> PredictionRows | None:
    """The inverse of `pack_rows`; None for rows that were read by another spec."""
    told, seconds, columns = unpack(content)
    if told != digest:
        return None
    made: dict[str, Column] = {
        name: np.frombuffer(data, "<f8") if names is None else (names, widen(data) - 1)
        for name, data, names in columns
    }
    return PredictionRows(hashes, widen(seconds), made)


def concatenate(parts: Sequence[PredictionRows]) -> PredictionRows:
    """All rows of several, sorted by hash, equal hashes in the order given."""
    if len(parts) == 1:
        return parts[0]
    hashes = np.concatenate([part.hashes for part in parts])
    order = np.argsort(hashes, kind="stable")
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    columns = {
        name: _joined([(part.columns.get(name), len(part.hashes)) for part in parts], order)
        for name in names
    }
    return PredictionRows(
        hashes[order], np.concatenate([part.seconds for part in parts])[order], columns
    )


def _joined(parts: Sequence[tuple[Column | None, int]], order: Codes) -> Column:
    """One column of several parts, each with its rows; None where a part lacks it."""
    if any(isinstance(column, np.ndarray) for column, _ in parts):
        found = [
            column if isinstance(column, np.ndarray) else np.full(rows, np.nan)
            for column, rows in parts
        ]
        return np.concatenate(found)[order]
    known: dict[str, int] = {}
    codes = []
    for column, rows in parts:
        if column is None or isinstance(column, np.ndarray):
            codes.append(np.full(rows, -1, np.int64))
            continue
        places = [known.setdefault(name, len(known)) for name in column[0]]
        codes.append(np.array([*places, -1], np.int64)[column[1]])
    return list(known), np.concatenate(codes)[order]


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
