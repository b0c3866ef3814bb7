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

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import incidents, measurements, models, windows

CHUNK = 50_000
"""Rows that are read at once."""
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


Columns = Mapping[str, Sequence[Any]]


def read_measurement_columns(
    connection: Connection, selection: ExportSelection
) -> Iterator[Columns]:
    """Yield MEASUREMENT_COLUMNS of at most CHUNK rows at a time, by model, start and series.

    `start` is in microseconds; `column` is the label of that name, empty where there is none;
    `labels` is JSON.
    """
    c = measurements.c
    stored = [name for name in MEASUREMENT_COLUMNS if name != "column"]
    query = sa.select(*(c[name] for name in stored)).where(*_conditions(c, selection))
    if selection.names is not None:
        query = query.where(c.name.in_(sorted(selection.names)))
    order = (c.model, c.start, c.version, c.segment, c.check, c.name, c.labels)
    for rows in connection.execute(query.order_by(*order)).yield_per(CHUNK).partitions():
        columns: dict[str, Sequence[Any]] = dict(zip(stored, zip(*rows, strict=True), strict=True))
        columns["column"] = [_column_of(labels) for labels in columns["labels"]]
        yield {name: columns[name] for name in MEASUREMENT_COLUMNS}


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
