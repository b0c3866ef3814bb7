"""Reads windows, incidents and measurements column by column, for tables in Python.

`read_measurement_columns` is the only reader of measurements for the API: what they are stored as
may change behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from driftline.state.measurement_block import SEVERITIES, VERDICTS, Block
from driftline.state.measurement_reader import Selection, read_measurement_blocks
from driftline.state.measurement_rows import load_measured_models
from driftline.state.tables import incidents, models, windows

CHUNK = 50_000
"""Rows that are read at once; of measurements whole windows, so a few more."""
MEASUREMENT_COLUMNS = (
    "model",
    "version",
    "segment",
    "start",
    "check",
    "name",
    "column",
    "labels",
    "value",
    "low",
    "high",
    "p_value",
    "was",
    "rows",
    "verdict",
    "severity",
    "unit",
    "reason",
    "revision",
)
WINDOW_COLUMNS = ("model", "version", "segment", "start", "end", "rows", "revision", "settled")
INCIDENT_COLUMNS = ("id", "model", "cause", "state", "severity", "title", "since", "resolved_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSelection:
    """Which rows are read; None for all."""

    model: str | None = None
    names: Sequence[str] | None = None
    """Names of measurements."""
    since: int | None = None
    """Microseconds: windows that start here or later."""


Columns = Mapping[str, Sequence[Any] | NDArray[Any]]


def read_measurement_columns(
    connection: Connection, selection: ExportSelection
) -> Iterator[Columns]:
    """Yield MEASUREMENT_COLUMNS of about CHUNK rows at a time, by model, start and series.

    `start` is in microseconds; `column` is the label of that name, empty where there is none;
    `labels` is JSON, and NaN stands for a number that is missing.
    """
    chosen = [selection.model] if selection.model is not None else load_measured_models(connection)
    for model in chosen:
        measurements = Selection(model=model, names=selection.names, since=selection.since)
        blocks: list[Block] = []
        count = 0
        for block in read_measurement_blocks(connection, measurements):
            blocks.append(block)
            count += len(block.selected)
            if count >= CHUNK:
                yield _measurement_columns(blocks)
                blocks, count = [], 0
        if blocks:
            yield _measurement_columns(blocks)


def _measurement_columns(blocks: Sequence[Block]) -> Columns:
    """The selected measurements of some blocks."""
    counts = [len(block.selected) for block in blocks]
    shared = {
        name: _repeat([getattr(block.key, name) for block in blocks], counts)
        for name in ("model", "version", "segment")
    }
    entries = {id(block.dictionary): block.dictionary.entries for block in blocks}
    texts: dict[str, dict[int, NDArray[Any]]] = {
        name: {
            place: np.array([getattr(entry, name) for entry in some], object)
            for place, some in entries.items()
        }
        for name in ("check", "name", "labels", "unit")
    }
    columns_of = {
        place: np.array([_column_of(entry.labels) for entry in some], object)
        for place, some in entries.items()
    }

    def of_entries(by_dictionary: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate(
            [by_dictionary[id(block.dictionary)][block.places[block.selected]] for block in blocks]
        )

    columns: dict[str, Sequence[Any] | NDArray[Any]] = {
        **shared,
        "start": np.repeat(np.array([block.key.start for block in blocks], np.int64), counts),
        **{name: of_entries(by_dictionary) for name, by_dictionary in texts.items()},
        "column": of_entries(columns_of),
        **{
            name: np.concatenate([block.figure(name) for block in blocks])
            for name in ("value", "low", "high", "was")
        },
        "p_value": np.concatenate([block.p_values for block in blocks]),
        "rows": np.concatenate([block.rows for block in blocks]),
        "verdict": np.array(VERDICTS, object)[np.concatenate([b.verdicts for b in blocks])],
        "severity": np.array(SEVERITIES, object)[np.concatenate([b.severities for b in blocks])],
        "reason": [reason for block in blocks for reason in block.reasons()],
        "revision": np.concatenate([block.revisions for block in blocks]),
    }
    return {name: columns[name] for name in MEASUREMENT_COLUMNS}


def _repeat(values: Sequence[Any], counts: Sequence[int]) -> NDArray[Any]:
    return np.repeat(np.array(values, object), counts)


@lru_cache(maxsize=20_000)
def _column_of(labels: str) -> str:
    return str(json.loads(labels).get("column", ""))


def read_window_columns(connection: Connection, selection: ExportSelection) -> Iterator[Columns]:
    """Yield WINDOW_COLUMNS, by model and start; times are in microseconds."""
    c = windows.c
    query = sa.select(*(c[name] for name in WINDOW_COLUMNS)).where(*_conditions(c, selection))
    yield from _partitions(
        connection, query.order_by(c.model, c.start, c.version, c.segment), WINDOW_COLUMNS
    )


def read_incident_columns(connection: Connection, selection: ExportSelection) -> Iterator[Columns]:
    """Yield INCIDENT_COLUMNS, the newest incident first; times are in microseconds.

    `since` selects incidents that are open, or ended then or later.
    """
    c = incidents.c
    query = sa.select(*(c[name] for name in INCIDENT_COLUMNS))
    if selection.model is not None:
        query = query.where(c.model == selection.model)
    if selection.since is not None:
        query = query.where(sa.or_(c.resolved_at.is_(None), c.resolved_at >= selection.since))
    yield from _partitions(connection, query.order_by(c.since.desc(), c.id), INCIDENT_COLUMNS)


def list_models(connection: Connection) -> list[str]:
    """Return the names of the models of the state."""
    return list(connection.execute(sa.select(models.c.name).order_by(models.c.name)).scalars())


def newest_end(connection: Connection, model: str | None) -> int | None:
    """Return the end of the newest window, in microseconds; None without one."""
    c = windows.c
    query = sa.select(sa.func.max(c.end))
    return connection.execute(query if model is None else query.where(c.model == model)).scalar()


def window_length(connection: Connection, model: str) -> int | None:
    """Return the length of the newest window of a model, in microseconds; None without one."""
    c = windows.c
    query = sa.select(c.end - c.start).where(c.model == model).order_by(c.start.desc()).limit(1)
    return connection.execute(query).scalar()


def _partitions(
    connection: Connection, query: sa.Select[Any], names: Sequence[str]
) -> Iterator[Columns]:
    for rows in connection.execute(query).yield_per(CHUNK).partitions():
        yield dict(zip(names, zip(*rows, strict=True), strict=True))


def _conditions(c: Any, selection: ExportSelection) -> list[sa.ColumnElement[bool]]:
    conditions = [] if selection.model is None else [c.model == selection.model]
    return conditions if selection.since is None else [*conditions, c.start >= selection.since]
