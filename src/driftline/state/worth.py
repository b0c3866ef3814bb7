"""Reads what the rows of a span of windows were worth, for the cost of an incident."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.contracts.check import Worth
from driftline.state.measurement_reader import Selection, read_measurements
from driftline.state.tables import windows
from driftline.types.labels import labels_json


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthRow:
    """The mean worth of the rows of one window, and of the reference."""

    rows: int
    value: float
    interval: tuple[float, float] | None
    was: float
    was_interval: tuple[float, float] | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The rows that an incident is about."""

    model: str
    segment: str = ""
    """Empty for all rows."""
    version: str = ""
    """Empty for all versions."""
    since: int
    """Microseconds since 1970."""
    until: int


def load_worth(connection: Connection, scope: Scope, check: str, worth: Worth) -> list[WorthRow]:
    """Load the windows of a scope in which the worth has a value, here and before."""
    selection = Selection(
        model=scope.model,
        since=scope.since,
        until=scope.until,
        versions=(scope.version,) if scope.version else None,
        segments=(scope.segment,),
        checks=(check,),
        names=(worth.measurement,),
        labels=labels_json(worth.labels),
    )
    rows = []
    for row in read_measurements(connection, selection):
        if row.value is None or row.was is None:
            continue
        detail = json.loads(row.detail)
        rows.append(
            WorthRow(
                rows=row.rows,
                value=row.value,
                interval=_interval(row.low, row.high),
                was=row.was,
                was_interval=_interval(detail.get("was_low"), detail.get("was_high")),
                unit=row.unit,
            )
        )
    return rows


def count_rows(connection: Connection, scope: Scope) -> int:
    """Count the rows of a scope in windows that are judged, with or without a worth."""
    c = windows.c
    conditions = [
        c.model == scope.model,
        c.segment == scope.segment,
        c.start >= scope.since,
        c.start < scope.until,
        c.revision > 0,
    ]
    if scope.version:
        conditions.append(c.version == scope.version)
    query = sa.select(sa.func.sum(c.rows)).where(*conditions)
    return int(connection.execute(query).scalar() or 0)


def _interval(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)
