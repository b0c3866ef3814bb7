"""Rows that wait for what comes later by id: predictions for labels, requests for responses, and the other way round.

Refuses to understand them: content is bytes, and ids are 64-bit hashes. What a join makes of them can be made again from
here as often as anything changes, so that it never matters which side came first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from driftline.state.tables import waiting

PREDICTION, LABEL, REQUEST, RESPONSE = "prediction", "label", "request", "response"
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Stub:
    """The waiting rows of one piece of an object, of one window and version."""

    role: str
    start: int
    """Microseconds: of the window; of labels, when they were given."""
    version: str
    hashes: Hashes
    """Shape (rows,), of the ids, in the order of `content`."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of the table, without its content."""

    id: int
    object_id: int
    piece: int
    start: int
    version: str
    rows: int
    joined: int
    removed: int


_STORED = [waiting.c[name] for name in Stored.__dataclass_fields__]


def put(connection: Connection, model: str, object_id: int, piece: int, stubs: Sequence[Stub]) -> None:
    """Keep what one piece of an object brought."""
    rows = [
        {
            "model": model,
            "role": stub.role,
            "object_id": object_id,
            "piece": piece,
            "start": stub.start,
            "version": stub.version,
            "rows": len(stub.hashes),
            "hashes": stub.hashes.astype("<u8").tobytes(),
            "content": stub.content,
        }
        for stub in stubs
    ]
    if rows:
        connection.execute(waiting.insert(), rows)


def take_out(connection: Connection, object_id: int) -> None:
    """What an object brought no longer holds; it is kept, marked, until the joins have dealt with it."""
    connection.execute(
        waiting.update().where(waiting.c.object_id == object_id, waiting.c.removed == 0).values(removed=1, joined=0)
    )


def unjoined(connection: Connection, model: str, role: str) -> list[Stored]:
    """What came or went since the last join, in the order in which it was kept."""
    c = waiting.c
    query = sa.select(*_STORED).where(c.model == model, c.role == role, c.joined == 0).order_by(c.id)
    return [Stored(*row) for row in connection.execute(query)]


def holding(connection: Connection, model: str, role: str, ids: Hashes, *, since: int | None = None) -> Iterator[Stored]:
    """The kept rows of a role, not removed, that hold any of `ids` (sorted); read one by one, in the order of starts."""
    c = waiting.c
    query = sa.select(*_STORED, c.hashes).where(c.model == model, c.role == role, c.removed == 0)
    if since is not None:
        query = query.where(c.start >= since)
    for row in connection.execution_options(yield_per=64).execute(query.order_by(c.start, c.id)):
        if contains(ids, np.frombuffer(row.hashes, "<u8")).any():
            yield Stored(*row[:-1])


def contains(ids: Hashes, asked: Hashes) -> NDArray[np.bool_]:
    """Which of `asked` are among `ids`, which are sorted; shape as `asked`."""
    if not len(ids):
        return np.zeros(len(asked), bool)
    places = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
    found: NDArray[np.bool_] = ids[places] == asked
    return found


def read(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[Stored, Hashes, bytes]]:
    """Hashes and content of some of them."""
    c = waiting.c
    for first in range(0, len(ids), 200):
        query = sa.select(*_STORED, c.hashes, c.content).where(c.id.in_(ids[first : first + 200])).order_by(c.id)
        for row in connection.execution_options(yield_per=16).execute(query):
            yield Stored(*row[:-2]), np.frombuffer(row.hashes, "<u8"), row.content


def mark_joined(connection: Connection, ids: Sequence[int]) -> None:
    """What these say is in the windows; what was removed is forgotten."""
    c = waiting.c
    for first in range(0, len(ids), 500):
        some = ids[first : first + 500]
        connection.execute(waiting.delete().where(c.id.in_(some), c.removed == 1))
        connection.execute(waiting.update().where(c.id.in_(some)).values(joined=1))
