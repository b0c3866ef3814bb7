"""The traces of measurements that are judged by their past: written with the measurements, read
when judging begins.

Refuses to know what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import measurements


class Traced(NamedTuple):
    """One series in one window."""

    start: int
    version: str
    segment: str
    check: str
    name: str
    labels: str
    trace: bytes


def newest(
    connection: Connection, model: str, reference_id: int | None, count: int
) -> Iterator[Traced]:
    """The traces of the newest `count` windows, oldest first: of measurements made with one
    reference.
    """
    c = measurements.c
    mine = sa.and_(
        c.model == model, c.trace.is_not(None), c.reference_id.is_not_distinct_from(reference_id)
    )
    starts = (
        sa.select(c.start).where(mine).distinct().order_by(c.start.desc()).limit(count).subquery()
    )
    since = connection.execute(sa.select(sa.func.min(starts.c.start))).scalar()
    if since is None:
        return
    query = sa.select(c.start, c.version, c.segment, c.check, c.name, c.labels, c.trace)
    for row in connection.execute(query.where(mine, c.start >= since).order_by(c.start)):
        yield Traced(*row)
