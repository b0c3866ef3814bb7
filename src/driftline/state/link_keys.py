"""Stores the keys that sign the links of messages.

The newest key signs. An earlier one is valid until its overlap ends, so that links which were sent
before a rotation go on working for that time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.store import Store
from driftline.state.tables import link_keys
from driftline.types.times import as_micros

MEMORY = timedelta(seconds=5)
"""How long `LinkKeys` signs with a key before it looks for a newer one."""


def load_keys(connection: Connection, now: datetime) -> tuple[bytes, ...]:
    """Load the keys that are valid at `now`, newest first; none before the first was made."""
    c = link_keys.c
    query = sa.select(c.key).where(sa.or_(c.end.is_(None), c.end > as_micros(now)))
    return tuple(bytes(key) for key in connection.execute(query.order_by(c.id.desc())).scalars())


def add_first_key(connection: Connection, key: bytes, now: datetime) -> None:
    """Store `key` unless there is one that signs."""
    c = link_keys.c
    if connection.execute(sa.select(c.id).where(c.end.is_(None)).limit(1)).first() is None:
        connection.execute(link_keys.insert().values(key=key, made=as_micros(now)))


def rotate_key(connection: Connection, key: bytes, now: datetime, overlap: timedelta) -> None:
    """Let `key` sign from now on; the earlier keys end after `overlap`, or when they did before."""
    c, end = link_keys.c, as_micros(now + overlap)
    connection.execute(link_keys.delete().where(c.end <= as_micros(now)))
    connection.execute(
        link_keys.update().where(sa.or_(c.end.is_(None), c.end > end)).values(end=end)
    )
    connection.execute(link_keys.insert().values(key=key, made=as_micros(now)))


class LinkKeys:
    """The keys of one state, for the pages: read anew, since a command may rotate them."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._newest: tuple[datetime, bytes | None] | None = None

    def valid(self) -> tuple[bytes, ...]:
        """Return the keys that are valid now, newest first."""
        now = self._clock()
        with self._store.read() as connection:
            keys = load_keys(connection, now)
        self._newest = now, keys[0] if keys else None
        return keys

    def newest(self) -> bytes | None:
        """Return the key that signs; None before the first was made.

        It is at most `MEMORY` old: a page signs many links.
        """
        known = self._newest
        if known is None or not timedelta(0) <= self._clock() - known[0] < MEMORY:
            keys = self.valid()
            return keys[0] if keys else None
        return known[1]
