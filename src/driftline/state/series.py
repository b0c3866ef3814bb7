"""Reads what the pages of models show: windows with their rows, and series of measurements."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from driftline.state.tables import measurements, windows
from driftline.types.labels import labels_json
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


def load_window_rows(
    connection: Connection, model: str, limit: int, until: int | None = None
) -> list[WindowRows]:
    """Load the newest `limit` windows of all rows, oldest first.

    With `until` (microseconds) only windows that start before it.
    """
    c = windows.c
    query = (
        sa.select(
            sa.func.min(c.start).label("start"),
            c.end,
            sa.func.sum(c.rows).label("rows"),
            sa.func.max(c.revision).label("revision"),
        )
        .where(c.model == model, c.segment == "", *([] if until is None else [c.start < until]))
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
    column: str = "",
    checks: Collection[str] | None = None,
) -> list[SeriesValue]:
    """Load the measurements of the windows that start at `starts`, oldest first.

    They are those of one version, and of windows without version; with `column` those about this
    column alone, with `checks` those of these checks. Of many measurements the newest windows alone
    are read: at most `MOST_VALUES` measurements.
    """
    if not starts:
        return []
    c = measurements.c
    narrow: list[sa.ColumnElement[bool]] = []
    if column:
        narrow.append(c.labels.contains(labels_json({"column": column})[1:-1], autoescape=True))
    if checks is not None:
        narrow.append(c.check.in_(checks))
    names = list(SeriesValue.__dataclass_fields__)
    query = (
        sa.select(*(c[name] for name in names))
        .where(
            c.model == model,
            c.start >= min(starts),
            c.start <= max(starts),
            c.version.in_({version, ""}),
            c.segment == segment,
            *narrow,
        )
        .order_by(c.start.desc(), c.check, c.name, c.labels)
        .limit(MOST_VALUES)
    )
    rows = [SeriesValue(**row._mapping) for row in connection.execute(query)]
    return rows[::-1]


def load_segment_values(
    connection: Connection, model: str, start: int, *, version: str, checks: Collection[str]
) -> list[tuple[str, SeriesValue]]:
    """Load the measurements without labels of some checks in the segments of one window.

    `start` is in microseconds. The result has each segment with its value, by segment.
    """
    c = measurements.c
    names = list(SeriesValue.__dataclass_fields__)
    query = (
        sa.select(c.segment, *(c[name] for name in names))
        .where(
            c.model == model,
            c.start == start,
            c.version.in_({version, ""}),
            c.segment != "",
            c.check.in_(checks),
            c.labels == "{}",
        )
        .order_by(c.segment, c.check, c.name)
        .limit(MOST_VALUES)
    )
    return [
        (row.segment, SeriesValue(**{name: row._mapping[name] for name in names}))
        for row in connection.execute(query)
    ]
