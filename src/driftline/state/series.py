"""Reads what the pages of models show: windows with their rows, and series of measurements."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from driftline.state.tables import measurements, windows
from driftline.types.record import record

MOST_VALUES = 40_000
"""Measurements that one page reads."""


@record(kw_only=False)
class WindowRows:
    """One span of time with its rows of all versions."""

    start: int
    """Microseconds since the epoch."""
    end: int
    rows: int
    revision: int
    """0 until it is judged."""


@record
class SeriesValue:
    """One stored measurement."""

    start: int
    check: str
    name: str
    labels: str
    """JSON with sorted keys."""
    value: float | None
    low: float | None
    high: float | None
    was: float | None
    rows: int
    verdict: str
    severity: str
    reason: str
    unit: str


def load_window_rows(connection: Connection, model: str, limit: int) -> list[WindowRows]:
    """Load the newest `limit` windows of all rows, oldest first."""
    c = windows.c
    query = (
        sa.select(
            sa.func.min(c.start).label("start"),
            c.end,
            sa.func.sum(c.rows).label("rows"),
            sa.func.max(c.revision).label("revision"),
        )
        .where(c.model == model, c.segment == "")
        .group_by(c.end)
        .order_by(c.end.desc())
        .limit(limit)
    )
    rows = [
        WindowRows(row.start, row.end, int(row.rows), row.revision)
        for row in connection.execute(query)
    ]
    return rows[::-1]


def list_segments(connection: Connection, model: str, since: int) -> list[str]:
    """List the segments with windows that start at `since` (microseconds) or later."""
    c = windows.c
    query = sa.select(c.segment).where(c.model == model, c.start >= since, c.segment != "")
    return sorted(connection.execute(query.distinct()).scalars())


def find_newest_version(connection: Connection, model: str) -> str:
    """Find the version of the newest window with rows; empty without any."""
    c = windows.c
    query = (
        sa.select(c.version)
        .where(c.model == model, c.segment == "", c.rows > 0)
        .order_by(c.start.desc(), c.rows.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or ""


def load_series(
    connection: Connection,
    model: str,
    starts: Sequence[int],
    *,
    version: str,
    segment: str = "",
) -> list[SeriesValue]:
    """Load the measurements of the windows that start at `starts`, oldest first.

    They are those of one version, and of windows without version. Of many measurements the newest
    windows alone are read: at most `MOST_VALUES` measurements.
    """
    if not starts:
        return []
    c = measurements.c
    names = list(SeriesValue.__dataclass_fields__)
    query = (
        sa.select(*(c[name] for name in names))
        .where(
            c.model == model,
            c.start >= min(starts),
            c.start <= max(starts),
            c.version.in_({version, ""}),
            c.segment == segment,
        )
        .order_by(c.start.desc(), c.check, c.name, c.labels)
        .limit(MOST_VALUES)
    )
    rows = [SeriesValue(**row._mapping) for row in connection.execute(query)]
    return rows[::-1]
