"""Stores the folders for which a pattern of the configuration has a model each."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import discovered_models as table


def load_parts(connection: Connection) -> dict[str, list[str]]:
    """Load the parts of each pattern, sorted."""
    parts: dict[str, list[str]] = {}
    query = sa.select(table.c.pattern, table.c.part).order_by(table.c.pattern, table.c.part)
    for pattern, part in connection.execute(query):
        parts.setdefault(pattern, []).append(part)
    return parts


def save_parts(
    connection: Connection, pattern: str, parts: Iterable[str], *, now: int, drop_before: int
) -> None:
    """Note which parts a listing has now, and forget those last seen before `drop_before`.

    Times are microseconds.
    """
    own = table.c.pattern == pattern
    known = set(connection.execute(sa.select(table.c.part).where(own)).scalars())
    listed = set(parts)
    if listed & known:
        connection.execute(
            sa.update(table).where(own, table.c.part.in_(listed & known)).values(last_seen=now)
        )
    new = [
        {"pattern": pattern, "part": part, "first_seen": now, "last_seen": now}
        for part in sorted(listed - known)
    ]
    if new:
        connection.execute(sa.insert(table), new)
    connection.execute(sa.delete(table).where(own, table.c.last_seen < drop_before))
