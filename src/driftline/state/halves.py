"""Requests and responses while they are kept: in which order, who is still alone, and when they are let go.

Refuses to pair. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import objects, waiting, windows
from driftline.state.waiting import HALVES, REQUEST, RESPONSE, Hashes, Stored

_STORED = [waiting.c[name] for name in Stored.__dataclass_fields__]


def scan(connection: Connection, model: str, role: str) -> Iterator[tuple[Stored, Hashes]]:
    """All kept rows of a role, not removed, by window, then by where they stand: object, piece, place in it."""
    c = waiting.c
    query = sa.select(*_STORED, c.hashes).join(objects, objects.c.id == c.object_id)
    query = query.where(c.model == model, c.role == role, c.removed == 0)
    ordered = query.order_by(c.start, objects.c.uri, c.piece, c.id)
    for row in connection.execution_options(yield_per=64).execute(ordered):
        yield Stored(*row[:-1]), np.frombuffer(row.hashes, "<u8")


def alone(connection: Connection, model: str, until: int) -> dict[str, int]:
    """Requests and responses of windows that begin before `until` (microseconds) and have not found each other."""
    c = waiting.c
    query = sa.select(c.role, sa.func.sum(c.rows - c.matched).label("rows")).where(
        c.model == model, c.role.in_(HALVES), c.removed == 0, c.start < until
    )
    found = {row.role: int(row.rows) for row in connection.execute(query.group_by(c.role))}
    return {role: found.get(role, 0) for role in HALVES}


def let_go(connection: Connection, model: str, before: int, length: int) -> None:
    """Forget the halves of windows that take nothing more; those that are alone are counted with their objects.

    `before` (microseconds) is when windows of `length` have ended that are old enough. A response is kept a window longer
    than every request: the two may be on either side of a border.
    """
    c, w = waiting.c, windows.c
    requests = sa.and_(c.model == model, c.role == REQUEST, c.removed == 0, c.joined == 1)
    starts = [row.start for row in connection.execute(sa.select(c.start).where(requests).distinct().order_by(c.start))]
    states: dict[int, set[int]] = {}
    for first in range(0, len(starts), 500):
        query = sa.select(w.start, w.settled).where(w.model == model, w.start.in_(starts[first : first + 500])).distinct()
        for row in connection.execute(query):
            states.setdefault(row.start, set()).add(row.settled)
    over = {at for at in starts if 1 in states.get(at, ()) or (at + length <= before and at not in states)}
    for at in sorted(over):
        _forget(connection, sa.and_(requests, c.start == at))
    oldest = next((at for at in starts if at not in over), before)
    responses = sa.and_(c.model == model, c.role == RESPONSE, c.removed == 0, c.joined == 1)
    _forget(connection, sa.and_(responses, c.start + 2 * length <= min(before, oldest)))


def _forget(connection: Connection, which: sa.ColumnElement[bool]) -> None:
    c = waiting.c
    query = sa.select(c.object_id, sa.func.sum(c.rows - c.matched).label("rows")).where(which).group_by(c.object_id)
    for row in connection.execute(query).all():
        if row.rows:
            unpaired = objects.c.unpaired + int(row.rows)
            connection.execute(objects.update().where(objects.c.id == row.object_id).values(unpaired=unpaired))
    connection.execute(waiting.delete().where(which))
