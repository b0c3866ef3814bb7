"""Which windows of a model can be judged again: those whose profile is still kept by itself.

Refuses to judge, and to write.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import shares, windows
from driftline.types.records import DueWindow, WindowKey


@dataclass(frozen=True, slots=True)
class Kept:
    """The windows of a model in a span of time."""

    groups: list[list[DueWindow]]
    """By start, oldest first; as never judged."""
    gone: int
    """Starts whose windows are only in their day any more, or nowhere."""


def between(connection: Connection, model: str, since: int, until: int) -> Kept:
    """The windows that start in [since, until), microseconds."""
    c = windows.c
    mine = sa.and_(
        shares.c.model == c.model,
        shares.c.start == c.start,
        shares.c.version == c.version,
        shares.c.segment == c.segment,
    )
    shared = sa.exists().where(mine, shares.c.profile.is_not(None))
    whole = sa.or_(c.rows == 0, c.profile.is_not(None), sa.and_(c.settled == 0, shared)).label(
        "whole"
    )
    query = sa.select(c.start, c.version, c.segment, c.end, c.rows, whole)
    query = query.where(c.model == model, c.start >= since, c.start < until).order_by(
        c.start, c.version, c.segment
    )
    groups, gone = [], 0
    for _, rows in groupby(connection.execute(query), key=lambda row: int(row.start)):
        found = list(rows)
        if all(row.whole for row in found):
            groups.append(
                [
                    DueWindow(
                        WindowKey(model, row.start, row.version, row.segment), row.end, row.rows, 0
                    )
                    for row in found
                ]
            )
        else:
            gone += 1
    return Kept(groups, gone)


def span(connection: Connection, model: str) -> tuple[int, int] | None:
    """Begin of the first and end of the last window, microseconds; None without windows."""
    c = windows.c
    row = connection.execute(
        sa.select(sa.func.min(c.start), sa.func.max(c.end)).where(c.model == model)
    ).one()
    return None if row[0] is None else (int(row[0]), int(row[1]))
