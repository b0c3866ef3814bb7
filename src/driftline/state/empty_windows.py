"""Adds windows for the spans of time without rows: an outage is a window that is judged.

Times are microseconds since the epoch.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import windows
from driftline.state.windows import ROWS

MAX_EMPTY_WINDOWS = 500
"""The most windows without rows that are added one after the other."""


def find_unjudged_span(connection: Connection, model: str, until: int) -> tuple[int, int] | None:
    """Find the span of time in which new windows may have left holes.

    From the newest window before the oldest one that is not judged, to the end of the newest one
    with rows; both by `until` at the latest. None where all are judged.
    """
    c = windows.c
    oldest = connection.execute(
        sa.select(sa.func.min(c.start)).where(
            c.model == model, c.dirty == ROWS, c.revision == 0, c.end <= until
        )
    ).scalar()
    if oldest is None:
        return None
    before = connection.execute(
        sa.select(sa.func.max(c.start)).where(c.model == model, c.start < oldest)
    ).scalar()
    end = connection.execute(
        sa.select(sa.func.max(c.end)).where(c.model == model, c.rows > 0, c.end <= until)
    ).scalar()
    return (oldest if before is None else before), (oldest if end is None else end)


def add_empty_windows(
    connection: Connection, model: str, since: int, until: int, length: int
) -> None:
    """Add an empty window for every span of `length` in [since, until) without rows.

    Its versions are those of the newest window with rows before it. Of a hole longer than
    `MAX_EMPTY_WINDOWS` only that many are added: a record with a wrong time makes no more. A window
    before one that was judged causes no message: what came after it is known.
    """
    first = -(-since // length) * length
    if first + length > until:
        return
    c = windows.c
    span = (
        sa.select(c.start, c.version, c.rows)
        .where(c.model == model, c.segment == "", c.start >= first, c.end <= until)
        .order_by(c.start)
    )
    versions_by_start: dict[int, list[str]] = {}
    for row in connection.execute(span):
        versions = versions_by_start.setdefault(row.start, [])
        if row.rows > 0:
            versions.append(row.version)
    if len(versions_by_start) == (until - first) // length:
        return
    versions = _load_versions_before(connection, model, first)
    newest_judged = connection.execute(
        sa.select(sa.func.max(c.start)).where(c.model == model, c.revision > 0, c.end <= until)
    ).scalar()
    rows, missing_count = [], 0
    for start in range(first, until - length + 1, length):
        if start in versions_by_start:
            versions, missing_count = versions_by_start[start] or versions, 0
            continue
        missing_count += 1
        if missing_count <= MAX_EMPTY_WINDOWS:
            rows += [
                {
                    "model": model,
                    "start": start,
                    "version": version,
                    "segment": "",
                    "end": start + length,
                    "quiet": int(newest_judged is not None and start < newest_judged),
                }
                for version in versions
            ]
    connection.execute(windows.insert(), rows)


def drop_empty_windows(connection: Connection, model: str, since: int) -> None:
    """Remove the windows without rows that begin at `since` or later."""
    c = windows.c
    connection.execute(windows.delete().where(c.model == model, c.start >= since, c.rows == 0))


def _load_versions_before(connection: Connection, model: str, start: int) -> list[str]:
    """Load the versions of the newest window with rows before `start`, else the nameless one."""
    c = windows.c
    has_rows = sa.and_(c.model == model, c.segment == "", c.rows > 0)
    newest = sa.select(sa.func.max(c.start)).where(has_rows, c.start < start).scalar_subquery()
    query = sa.select(c.version).where(has_rows, c.start == newest)
    return [row.version for row in connection.execute(query)] or [""]
