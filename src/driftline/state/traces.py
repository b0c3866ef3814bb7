"""Stores traces: what judging later windows by a series needs of a window.

Only the newest windows are of use to it, so older traces are deleted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.measurement_dictionaries import load_dictionaries
from driftline.state.measurement_tables import measurement_traces
from driftline.state.series_dictionary import SeriesEntry
from driftline.types.records import WindowKey

NO_REFERENCE = 0
"""Stored where the traces were made without a reference."""
_COUNT = struct.Struct("<I")


class TraceRow(NamedTuple):
    """The trace of one series in one window."""

    start: int
    """Microseconds since the epoch."""
    version: str
    segment: str
    check: str
    name: str
    labels: str
    """JSON with sorted keys."""
    trace: bytes


class PlacedTrace(NamedTuple):
    """A trace and the place of its series in the dictionary."""

    place: int
    trace: bytes


class TraceKey(NamedTuple):
    """The series of a trace, and the reference that it was made with."""

    reference_id: int | None
    entry: SeriesEntry


def add_traces(
    connection: Connection,
    key: WindowKey,
    dictionary_id: int,
    traces: Mapping[int | None, Sequence[PlacedTrace]],
) -> None:
    """Add the traces of one window; `traces` has them by the reference they were made with."""
    window = {
        "model": key.model,
        "start": key.start,
        "version": key.version,
        "segment": key.segment,
    }
    for reference_id, placed in traces.items():
        row = {
            "reference_id": NO_REFERENCE if reference_id is None else reference_id,
            "dictionary_id": dictionary_id,
            "content": _pack(placed),
        }
        connection.execute(_INSERT, window | row)


def load_window_traces(connection: Connection, key: WindowKey) -> list[tuple[TraceKey, bytes]]:
    """Load the traces of one window."""
    c = measurement_traces.c
    query = sa.select(c.reference_id, c.dictionary_id, c.content).where(
        c.model == key.model,
        c.start == key.start,
        c.version == key.version,
        c.segment == key.segment,
    )
    rows = connection.execute(query).all()
    dictionaries = load_dictionaries(connection, {row.dictionary_id for row in rows})
    return [
        (TraceKey(id or None, dictionaries[dictionary_id].entries[place]), trace)
        for id, dictionary_id, content in rows
        for place, trace in unpack_traces(content)
    ]


def load_traces(
    connection: Connection, model: str, reference_id: int | None, count: int
) -> Iterator[TraceRow]:
    """Load the traces of the newest `count` windows with one reference, oldest first."""
    c = measurement_traces.c
    condition = sa.and_(
        c.model == model,
        c.reference_id == (NO_REFERENCE if reference_id is None else reference_id),
    )
    since = _newest_start(connection, condition, count)
    if since is None:
        return
    query = (
        sa.select(c.start, c.version, c.segment, c.dictionary_id, c.content)
        .where(condition, c.start >= since)
        .order_by(c.start, c.version, c.segment)
    )
    rows = connection.execute(query).all()
    dictionaries = load_dictionaries(connection, {row.dictionary_id for row in rows})
    for start, version, segment, dictionary_id, content in rows:
        entries = dictionaries[dictionary_id].entries
        for place, trace in unpack_traces(content):
            entry = entries[place]
            yield TraceRow(start, version, segment, entry.check, entry.name, entry.labels, trace)


def expire_traces(connection: Connection, model: str, count: int) -> None:
    """Delete the traces of all but the newest `count` windows."""
    c = measurement_traces.c
    since = _newest_start(connection, c.model == model, count)
    if since is not None:
        connection.execute(measurement_traces.delete().where(c.model == model, c.start < since))


def _newest_start(
    connection: Connection, condition: sa.ColumnElement[bool], count: int
) -> int | None:
    """The start of the oldest of the newest `count` windows; None without any."""
    c = measurement_traces.c
    starts = (
        sa.select(c.start)
        .where(condition)
        .distinct()
        .order_by(c.start.desc())
        .limit(count)
        .subquery()
    )
    return connection.execute(sa.select(sa.func.min(starts.c.start))).scalar()


def _pack(traces: Sequence[PlacedTrace]) -> bytes:
    places = np.array([trace.place for trace in traces], "<i4").tobytes()
    sizes = np.array([len(trace.trace) for trace in traces], "<i4").tobytes()
    content = b"".join(trace.trace for trace in traces)
    # Traces are numbers of eight bytes: first bytes first, which compresses well.
    whole = len(content) // 8 * 8
    planes = np.frombuffer(content, np.uint8, whole).reshape(-1, 8).T.tobytes()
    return zlib.compress(
        _COUNT.pack(len(traces)) + places + sizes + planes + content[whole:], level=1
    )


def unpack_traces(content: bytes) -> Iterator[PlacedTrace]:
    """The traces of one window."""
    raw = zlib.decompress(content)
    (count,) = _COUNT.unpack_from(raw)
    places = np.frombuffer(raw, "<i4", count, 4).tolist()
    sizes = np.frombuffer(raw, "<i4", count, 4 + 4 * count).tolist()
    begin, total = 4 + 8 * count, sum(sizes)
    whole = total // 8 * 8
    planes = np.frombuffer(raw, np.uint8, whole, begin).reshape(8, -1)
    joined = planes.T.tobytes() + raw[begin + whole :]
    at = 0
    for place, size in zip(places, sizes, strict=True):
        yield PlacedTrace(place, joined[at : at + size])
        at += size


_INSERT = measurement_traces.insert()
