"""Rows that wait for what comes later by id: predictions for labels, requests for responses, and
the other way round.

Refuses to understand them: content is bytes, and ids are 64-bit hashes. What a join makes of them
can be made again from here as often as anything changes, so that it never matters which side came
first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from driftline.state.tables import objects, waiting, windows
from driftline.types.records import Hashes, Stub

PREDICTION, LABEL, REQUEST, RESPONSE = "prediction", "label", "request", "response"
HALVES = (REQUEST, RESPONSE)


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """One row of the table, without its content."""

    id: int
    object_id: int
    piece: int
    start: int
    version: str
    rows: int
    matched_rows: int
    is_joined: int
    is_removed: int


ROW_COLUMNS = [
    waiting.c.id,
    waiting.c.object_id,
    waiting.c.piece,
    waiting.c.start,
    waiting.c.version,
    waiting.c.rows,
    waiting.c.matched,
    waiting.c.joined,
    waiting.c.removed,
]
"""The columns of a `WaitingRow`, in its order."""


def add_stubs(
    connection: Connection, model: str, object_id: int, piece: int, stubs: Sequence[Stub]
) -> None:
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


def mark_removed(connection: Connection, object_id: int) -> None:
    """What an object brought no longer holds; it is kept, marked, until the joins have dealt with
    it.

    Predictions in settled windows stay, as the rows of these do.
    """
    c = waiting.c
    open_yet = sa.or_(c.role != PREDICTION, ~_has_settled_window())
    connection.execute(
        waiting.update()
        .where(c.object_id == object_id, c.removed == 0, open_yet)
        .values(removed=1, joined=0)
    )


def _has_settled_window() -> sa.Exists:
    """Whether the window of a waiting row takes no more rows."""
    w, c = windows.c, waiting.c
    mine = (
        w.model == c.model,
        w.start == c.start,
        w.version == c.version,
        w.segment == "",
        w.settled == 1,
    )
    return sa.exists().where(*mine)


def drop_settled(connection: Connection, model: str) -> None:
    """Forget the predictions of all windows that take no more rows: they were counted by another
    spec than the model's.
    """
    connection.execute(
        waiting.delete().where(
            waiting.c.model == model, waiting.c.role == PREDICTION, _has_settled_window()
        )
    )


def load_unjoined(connection: Connection, model: str, role: str) -> list[WaitingRow]:
    """What came or went since the last join, in the order in which it was kept."""
    c = waiting.c
    query = (
        sa.select(*ROW_COLUMNS)
        .where(c.model == model, c.role == role, c.joined == 0)
        .order_by(c.id)
    )
    return [WaitingRow(*row) for row in connection.execute(query)]


def find_rows_with_ids(
    connection: Connection, model: str, role: str, ids: Hashes, *, since: int | None = None
) -> Iterator[WaitingRow]:
    """The kept rows of a role, not removed, that hold any of `ids` (sorted); read one by one, in
    the order of starts.
    """
    c = waiting.c
    query = sa.select(*ROW_COLUMNS, c.hashes).where(
        c.model == model, c.role == role, c.removed == 0
    )
    if since is not None:
        query = query.where(c.start >= since)
    for row in connection.execution_options(yield_per=64).execute(query.order_by(c.start, c.id)):
        if contains(ids, np.frombuffer(row.hashes, "<u8")).any():
            yield WaitingRow(*row[:-1])


def contains(ids: Hashes, asked: Hashes) -> NDArray[np.bool_]:
    """Which of `asked` are among `ids`, which are sorted; shape as `asked`."""
    if not len(ids):
        return np.zeros(len(asked), bool)
    places = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
    found: NDArray[np.bool_] = ids[places] == asked
    return found


def read_content(
    connection: Connection, ids: Sequence[int]
) -> Iterator[tuple[WaitingRow, Hashes, bytes]]:
    """Hashes and content of some of them."""
    c = waiting.c
    for first in range(0, len(ids), 200):
        query = (
            sa.select(*ROW_COLUMNS, c.hashes, c.content)
            .where(c.id.in_(ids[first : first + 200]))
            .order_by(c.id)
        )
        for row in connection.execution_options(yield_per=16).execute(query):
            yield WaitingRow(*row[:-2]), np.frombuffer(row.hashes, "<u8"), row.content


def mark_joined(connection: Connection, ids: Sequence[int]) -> None:
    """What these say is in the windows; what was removed is forgotten."""
    c = waiting.c
    for first in range(0, len(ids), 500):
        some = ids[first : first + 500]
        connection.execute(waiting.delete().where(c.id.in_(some), c.removed == 1))
        connection.execute(waiting.update().where(c.id.in_(some)).values(joined=1))


def load_labels(connection: Connection, model: str) -> list[WaitingRow]:
    """The kept labels, by URI, place in the object, and order of records."""
    c = waiting.c
    query = sa.select(*ROW_COLUMNS).where(c.model == model, c.role == LABEL, c.removed == 0)
    named = query.join(objects, objects.c.id == c.object_id).order_by(objects.c.uri, c.piece, c.id)
    return [WaitingRow(*row) for row in connection.execute(named)]


def of_same_objects(
    connection: Connection, model: str, some: Sequence[WaitingRow]
) -> list[WaitingRow]:
    """`some` labels, and all others of their objects."""
    c, found = waiting.c, {one.id: one for one in some}
    owners = sorted({one.object_id for one in some})
    for first in range(0, len(owners), 500):
        query = sa.select(*ROW_COLUMNS).where(
            c.model == model, c.role == LABEL, c.object_id.in_(owners[first : first + 500])
        )
        found |= {row.id: WaitingRow(*row) for row in connection.execute(query)}
    return list(found.values())


def load_modified_times(connection: Connection, model: str) -> dict[int, int]:
    """When each object was last changed, as far as it has been read (microseconds)."""
    query = sa.select(objects.c.id, objects.c.modified).where(objects.c.model == model)
    return {row.id: row.modified for row in connection.execute(query)}


def load_predictions(connection: Connection, model: str, starts: Sequence[int]) -> list[WaitingRow]:
    """The kept predictions of the windows that begin then, by start, version, and order of
    keeping.
    """
    found: list[WaitingRow] = []
    c = waiting.c
    for first in range(0, len(starts), 500):
        some = c.start.in_(starts[first : first + 500])
        query = sa.select(*ROW_COLUMNS).where(
            c.model == model, c.role == PREDICTION, c.removed == 0, some
        )
        found += [WaitingRow(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda row: (row.start, row.version, row.id))


def read_content_in_order(
    connection: Connection, stored: Sequence[WaitingRow], rows: int
) -> Iterator[tuple[WaitingRow, Hashes, bytes]]:
    """Hashes and content, in the order of `stored`; about `rows` rows are held at a time."""
    part: list[WaitingRow] = []
    for number, one in enumerate(stored, 1):
        part.append(one)
        if number == len(stored) or len(part) == 200 or sum(row.rows for row in part) >= rows:
            found = {
                row.id: (row, hashes, content)
                for row, hashes, content in read_content(connection, [row.id for row in part])
            }
            yield from (found[row.id] for row in part)
            part = []


def set_matched(connection: Connection, matched: Mapping[int, int]) -> None:
    """Note how many rows found their other half."""
    for id_, count in matched.items():
        connection.execute(waiting.update().where(waiting.c.id == id_).values(matched=count))


def drop_before(connection: Connection, model: str, role: str, before: int) -> int:
    """Forget what began before (microseconds) and note with each object what stayed alone. Returns
    how many rows did.
    """
    c = waiting.c
    old = sa.and_(c.model == model, c.role == role, c.start < before)
    alone = sa.select(c.object_id, sa.func.sum(c.rows - c.matched).label("rows")).where(
        old, c.removed == 0
    )
    found = connection.execute(alone.group_by(c.object_id)).all()
    for row in found:
        mine = objects.c.id == row.object_id
        connection.execute(
            objects.update().where(mine).values(unlabelled=objects.c.unlabelled + int(row.rows))
        )
    connection.execute(waiting.delete().where(old))
    return sum(int(row.rows) for row in found)


def replace_predictions(
    connection: Connection,
    model: str,
    object_id: int,
    piece: int,
    start: int,
    stubs: Sequence[Stub],
) -> None:
    """Keep these predictions in the place of what one piece of an object brought before to one
    window.
    """
    c = waiting.c
    mine = sa.and_(
        c.object_id == object_id,
        c.piece == piece,
        c.start == start,
        c.role == PREDICTION,
        c.removed == 0,
    )
    query = sa.select(c.version, c.hashes, c.content).where(mine).order_by(c.id)
    old = [tuple(row) for row in connection.execute(query)]
    if old != [(stub.version, stub.hashes.astype("<u8").tobytes(), stub.content) for stub in stubs]:
        connection.execute(waiting.update().where(mine).values(removed=1, joined=0))
        add_stubs(connection, model, object_id, piece, stubs)


@dataclass(frozen=True, slots=True)
class WaitingTotals:
    """What is kept of one role of a model."""

    rows: int
    matched_rows: int
    """Rows that found their other half."""
    bytes: int
    """As stored, hashes and content."""


_BYTES = sa.func.length(waiting.c.hashes) + sa.func.length(waiting.c.content)


def load_waiting_totals(connection: Connection, model: str, role: str) -> WaitingTotals:
    """Sums over what waits."""
    c = waiting.c
    sums = (sa.func.coalesce(sa.func.sum(part), 0) for part in (c.rows, c.matched, _BYTES))
    row = connection.execute(
        sa.select(*sums).where(c.model == model, c.role == role, c.removed == 0)
    ).one()
    return WaitingTotals(*(int(value) for value in row))


def find_size_cutoff(connection: Connection, models: Sequence[str], most: int) -> int | None:
    """The start (microseconds) before which rows must go for the rest to be at most so many bytes;
    None when all fit.
    """
    c = waiting.c
    query = sa.select(c.start, sa.func.sum(_BYTES).label("bytes")).where(
        c.model.in_(models), c.role.in_((PREDICTION, LABEL))
    )
    left = most
    newest: int | None = None
    for row in connection.execute(query.group_by(c.start).order_by(c.start.desc())):
        left -= int(row.bytes)
        if left < 0:
            return row.start + 1 if newest is None else newest
        newest = row.start
    return None
