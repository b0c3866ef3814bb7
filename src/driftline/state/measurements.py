"""Stores measurements: all numbers of the newest revision of each window, with their verdicts.

A new revision of a window replaces all measurements of the older one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.contracts.check import PastValue
from driftline.state.bulk_insert import insert_columns
from driftline.state.earlier_bounds import parse_earlier_bound
from driftline.state.measurement_block import VERDICTS, Block, dump_detail, pack_block
from driftline.state.measurement_dictionaries import OpenDictionary, expire_dictionaries
from driftline.state.measurement_reader import (
    Selection,
    at_window,
    read_measurement_blocks,
    read_measurements,
    select_series,
)
from driftline.state.measurement_tables import (
    changed_measurements,
    measurement_blocks,
    measurement_traces,
)
from driftline.state.series_dictionary import SeriesDictionary
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.traces import PlacedTrace, TraceKey, add_traces, load_window_traces
from driftline.types.labels import labels_json
from driftline.types.model import Bound, BoundSide
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

JUDGED = ("ok", "changed", "unsure", "error")
_CHANGED_COLUMNS = tuple(changed_measurements.c.keys())


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Sums over a model's measurements."""

    measurements: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)


def replace_measurements(
    connection: Connection,
    key: WindowKey,
    revision: int,
    judged_measurements: Sequence[JudgedMeasurement],
    reference_id: int | None,
    checks: Sequence[str] | None = None,
    *,
    dictionary: OpenDictionary | None = None,
) -> OpenDictionary:
    """Replace the measurements of one window, those of all checks or of `checks` alone.

    Returns the dictionary that it was written with, for the next window of the model.
    """
    rows = [_stored(key, revision, row, reference_id) for row in judged_measurements]
    traces = {
        place: (row.trace, reference_id)
        for place, row in enumerate(judged_measurements)
        if row.trace is not None
    }
    kept_traces: Sequence[tuple[TraceKey, bytes]] = ()
    if checks is not None:
        kept = [
            row for row in read_measurements(connection, _window(key)) if row.check not in checks
        ]
        rows += kept
        kept_traces = [
            (trace_key, trace)
            for trace_key, trace in load_window_traces(connection, key)
            if trace_key.entry.check not in checks
        ]
    if dictionary is None or dictionary.content.is_full:
        dictionary = OpenDictionary.load(connection, key.model)
    places = write_block(connection, key, rows, dictionary)
    by_reference: dict[int | None, list[PlacedTrace]] = {}
    for trace_key, trace in kept_traces:
        placed = PlacedTrace(dictionary.content.place(trace_key.entry), trace)
        by_reference.setdefault(trace_key.reference_id, []).append(placed)
    for row_place, (trace, id) in traces.items():
        by_reference.setdefault(id, []).append(PlacedTrace(places[row_place], trace))
    add_traces(connection, key, dictionary.id, by_reference)
    dictionary.save(connection)
    return dictionary


def write_block(
    connection: Connection,
    key: WindowKey,
    rows: Sequence[StoredMeasurement],
    dictionary: OpenDictionary,
    *,
    exact: bool = False,
) -> Sequence[int]:
    """Write the block and the changed rows of one window in place of all that was stored of it.

    The caller saves the dictionary. Returns the place of each row in it. See `pack_block`.
    """
    window = {
        "model": key.model,
        "start": key.start,
        "version": key.version,
        "segment": key.segment,
    }
    condition = {f"of_{name}": value for name, value in window.items()}
    if connection.execute(_DELETE_BLOCK, condition).rowcount:
        connection.execute(_DELETE_CHANGED, condition)
        connection.execute(_DELETE_TRACES, condition)
    block = pack_block(rows, dictionary.content, exact=exact)
    connection.execute(
        _INSERT_BLOCK,
        {
            **window,
            "dictionary_id": dictionary.id,
            "measurements": len(rows),
            **{verdict: sum(row.verdict == verdict for row in rows) for verdict in JUDGED},
            "places": block.places,
            "figures": block.figures,
            "details": block.details,
        },
    )
    changed = [row for row in rows if row.verdict == "changed"]
    columns = {name: [getattr(row, name) for row in changed] for name in _CHANGED_COLUMNS}
    insert_columns(connection, changed_measurements, columns)
    return block.row_places


def _stored(
    key: WindowKey, revision: int, row: JudgedMeasurement, reference_id: int | None
) -> StoredMeasurement:
    measurement = row.measurement
    low, high = measurement.interval or (None, None)
    bound = None if row.judgement is None else row.judgement.bound
    return StoredMeasurement(
        model=key.model,
        start=key.start,
        version=key.version,
        segment=key.segment,
        check=row.check,
        name=measurement.name,
        labels=labels_json(measurement.labels),
        revision=revision,
        value=measurement.value,
        low=low,
        high=high,
        p_value=measurement.p_value,
        was=measurement.was,
        rows=row.rows,
        verdict=row.verdict,
        severity=row.severity,
        reason=row.reason or measurement.reason,
        unit=measurement.unit,
        detail=dump_detail(measurement.detail),
        reference_id=reference_id,
        bound_side="" if bound is None else bound.side.value,
        bound_value=None if bound is None else bound.value,
    )


def expire_measurements(connection: Connection, model: str, before: int) -> None:
    """Delete the measurements of windows that start before `before`, in microseconds."""
    for table in (measurement_blocks, changed_measurements, measurement_traces):
        c = table.c
        connection.execute(table.delete().where(c.model == model, c.start < before))
    expire_dictionaries(connection, model)


def load_bound(side: str | None, value: float | None, reason: str) -> Bound | None:
    """Load the bound from the columns of a row; rows of earlier versions have it in the reason."""
    if side is None:
        return parse_earlier_bound(reason)
    return None if not side or value is None else Bound(BoundSide(side), value)


class Interval(NamedTuple):
    """A value and its 95% interval."""

    start: int
    value: float
    low: float | None
    high: float | None


def load_earlier_values(
    connection: Connection,
    key: WindowKey,
    check: str,
    name: str,
    labels: Mapping[str, str],
    limit: int,
    dictionaries: dict[int, SeriesDictionary] | None = None,
) -> Sequence[PastValue]:
    """Load the values of one series before the window `key`, oldest first.

    `dictionaries` are those of `read_measurement_blocks`.
    """
    selection = select_series(key, check, name, labels_json(labels), until=key.start)
    values: list[PastValue] = []
    for block in read_measurement_blocks(
        connection, selection, newest_first=True, dictionaries=dictionaries
    ):
        values += _past_values(block)
        if len(values) >= limit:
            break
    return values[:limit][::-1]


def load_values_since(
    connection: Connection,
    key: WindowKey,
    check: str,
    name: str,
    labels: Mapping[str, str],
    since: int,
    dictionaries: dict[int, SeriesDictionary] | None = None,
) -> Sequence[PastValue]:
    """Load the values of one series from `since` to the window `key`, oldest first."""
    selection = select_series(key, check, name, labels_json(labels), since=since, until=key.start)
    blocks = read_measurement_blocks(connection, selection, dictionaries=dictionaries)
    return [value for block in blocks for value in _past_values(block)]


def _past_values(block: Block) -> list[PastValue]:
    """The value of a series in one window; none where it has no value."""
    (value,), (rows,), (verdict,) = block.figure("value"), block.rows, block.verdicts
    if math.isnan(value):
        return []
    start = from_micros(block.key.start)
    return [PastValue(start, float(value), int(rows), VERDICTS[verdict])]


def load_intervals(
    connection: Connection,
    key: WindowKey,
    check: str,
    name: str,
    labels: Mapping[str, str],
    limit: int,
) -> Sequence[Interval]:
    """Load the values of one series with their intervals, oldest first."""
    selection = select_series(key, check, name, labels_json(labels), until=key.start)
    values: list[Interval] = []
    for block in read_measurement_blocks(connection, selection, newest_first=True):
        value, low, high = (float(block.figure(name)[0]) for name in ("value", "low", "high"))
        if not math.isnan(value):
            ends = (None if math.isnan(end) else end for end in (low, high))
            values.append(Interval(block.key.start, value, *ends))
            if len(values) >= limit:
                break
    return values[::-1]


def count_verdicts(connection: Connection, model: str) -> VerdictCounts:
    """Count the measurements, in all and for each verdict."""
    c = measurement_blocks.c
    sums = (sa.func.sum(c[name]) for name in ("measurements", *JUDGED))
    counts = connection.execute(sa.select(*sums).where(c.model == model)).one()
    total, *verdicts = (int(count or 0) for count in counts)
    return VerdictCounts(total, dict(zip(JUDGED, verdicts, strict=True)))


def _window(key: WindowKey) -> Selection:
    """All measurements of one window."""
    selection = Selection(model=key.model, versions=(key.version,), segments=(key.segment,))
    return at_window(selection, key.start)


# The statements that run for each window are made once.
_INSERT_BLOCK = measurement_blocks.insert()
_DELETE_BLOCK, _DELETE_CHANGED, _DELETE_TRACES = (
    table.delete().where(
        *(
            table.c[name] == sa.bindparam(f"of_{name}")
            for name in ("model", "start", "version", "segment")
        )
    )
    for table in (measurement_blocks, changed_measurements, measurement_traces)
)
