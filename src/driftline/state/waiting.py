"""Stores rows that wait for others with the same id: predictions, labels, requests, responses.

Content is bytes and ids are 64-bit hashes here. A join can be repeated from these rows whenever
anything changes, so the order of arrival does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection, RowMapping

from driftline.state.tables import objects, waiting, windows
from driftline.types.arrays import Hashes
from driftline.types.records import Stub

PREDICTION, LABEL, REQUEST, RESPONSE = "prediction", "label", "request", "response"
HALVES = (REQUEST, RESPONSE)


@dataclass(frozen=True, slots=True, kw_only=True)
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
    waiting.c.matched.label("matched_rows"),
    waiting.c.joined.label("is_joined"),
    waiting.c.removed.label("is_removed"),
]
"""The columns of a `WaitingRow`, with the names of its fields."""


def make_row(row: RowMapping) -> WaitingRow:
    """Make a `WaitingRow` of a result with `ROW_COLUMNS`; other columns are left out."""
    return WaitingRow(**{column.name: row[column.name] for column in ROW_COLUMNS})


def add_stubs(
    connection: Connection, model: str, object_id: int, piece: int, stubs: Sequence[Stub]
) -> None:
    """Store the stubs of one piece of an object."""
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
    """Mark the rows of an object as removed; the next join deletes them.

    Predictions in settled windows stay, like the rows of these windows.
    """
    c = waiting.c
    is_changeable = sa.or_(c.role != PREDICTION, ~_has_settled_window())
    connection.execute(
        waiting.update()
        .where(c.object_id == object_id, c.removed == 0, is_changeable)
        .values(removed=1, joined=0)
    )


def _has_settled_window() -> sa.Exists:
    """The SQL condition that the window of a waiting row is settled."""
    w, c = windows.c, waiting.c
    conditions = (
        w.model == c.model,
        w.start == c.start,
        w.version == c.version,
        w.segment == "",
        w.settled == 1,
    )
    return sa.exists().where(*conditions)


def drop_settled(connection: Connection, model: str) -> None:
    """Delete the predictions of all settled windows: they have another spec than the model."""
    connection.execute(
        waiting.delete().where(
            waiting.c.model == model, waiting.c.role == PREDICTION, _has_settled_window()
        )
    )


def load_unjoined(connection: Connection, model: str, role: str) -> list[WaitingRow]:
    """Load the rows that were added or removed since the last join, by id."""
    c = waiting.c
    query = (
        sa.select(*ROW_COLUMNS)
        .where(c.model == model, c.role == role, c.joined == 0)
        .order_by(c.id)
    )
    return [make_row(row._mapping) for row in connection.execute(query)]


def find_rows_with_ids(
    connection: Connection, model: str, role: str, ids: Hashes, *, since: int | None = None
) -> Iterator[WaitingRow]:
    """Find the rows of a role, not removed, that have any of `ids` (sorted), by start."""
    c = waiting.c
    query = sa.select(*ROW_COLUMNS, c.hashes).where(
        c.model == model, c.role == role, c.removed == 0
    )
    if since is not None:
        query = query.where(c.start >= since)
    for row in connection.execution_options(yield_per=64).execute(query.order_by(c.start, c.id)):
        if contains(ids, np.frombuffer(row.hashes, "<u8")).any():
            yield make_row(row._mapping)


def contains(ids: Hashes, hashes: Hashes) -> NDArray[np.bool_]:
    """Which of `hashes` are among `ids`, which are sorted; shape as `hashes`."""
    if not len(ids):
        return np.zeros(len(hashes), bool)
    places = np.minimum(np.searchsorted(ids, hashes), len(ids) - 1)
    is_contained: NDArray[np.bool_] = ids[places] == hashes
    return is_contained


def read_content(
    connection: Connection, ids: Sequence[int]
) -> Iterator[tuple[WaitingRow, Hashes, bytes]]:
    """Read hashes and content of some rows."""
    c = waiting.c
    for first in range(0, len(ids), 200):
        query = (
            sa.select(*ROW_COLUMNS, c.hashes, c.content)
            .where(c.id.in_(ids[first : first + 200]))
            .order_by(c.id)
        )
        for row in connection.execution_options(yield_per=16).execute(query):
            yield make_row(row._mapping), np.frombuffer(row.hashes, "<u8"), row.content


def mark_joined(connection: Connection, ids: Sequence[int]) -> None:
    """Mark rows as joined, and delete those that were removed."""
    c = waiting.c
    for first in range(0, len(ids), 500):
        batch = ids[first : first + 500]
        connection.execute(waiting.delete().where(c.id.in_(batch), c.removed == 1))
        connection.execute(waiting.update().where(c.id.in_(batch)).values(joined=1))


def load_labels(connection: Connection, model: str) -> list[WaitingRow]:
    """Load the labels, by URI, place in the object, and order of records."""
    c = waiting.c
    query = sa.select(*ROW_COLUMNS).where(c.model == model, c.role == LABEL, c.removed == 0)
    ordered_query = query.join(objects, objects.c.id == c.object_id).order_by(
        objects.c.uri, c.piece, c.id
    )
    return [make_row(row._mapping) for row in connection.execute(ordered_query)]


def add_labels_of_same_objects(
    connection: Connection, model: str, labels: Sequence[WaitingRow]
) -> list[WaitingRow]:
    """Return `labels`, and all other labels of their objects."""
    c, rows = waiting.c, {label.id: label for label in labels}
    object_ids = sorted({label.object_id for label in labels})
    for first in range(0, len(object_ids), 500):
        query = sa.select(*ROW_COLUMNS).where(
            c.model == model, c.role == LABEL, c.object_id.in_(object_ids[first : first + 500])
        )
        rows |= {row.id: make_row(row._mapping) for row in connection.execute(query)}
    return list(rows.values())


def load_modified_times(connection: Connection, model: str) -> dict[int, int]:
    """Load the time of the last change of each object that was read (microseconds)."""
    query = sa.select(objects.c.id, objects.c.modified).where(objects.c.model == model)
    return {row.id: row.modified for row in connection.execute(query)}


def load_predictions(connection: Connection, model: str, starts: Sequence[int]) -> list[WaitingRow]:
    """Load the predictions of the windows with these starts, by start, version and id."""
    rows: list[WaitingRow] = []
    c = waiting.c
    for first in range(0, len(starts), 500):
        has_start = c.start.in_(starts[first : first + 500])
        query = sa.select(*ROW_COLUMNS).where(
            c.model == model, c.role == PREDICTION, c.removed == 0, has_start
        )
        rows += [make_row(row._mapping) for row in connection.execute(query)]
    return sorted(rows, key=lambda row: (row.start, row.version, row.id))


def read_content_in_order(
    connection: Connection, stubs: Sequence[WaitingRow], rows: int
) -> Iterator[tuple[WaitingRow, Hashes, bytes]]:
    """Read hashes and content in the order of `stubs`, about `rows` rows at a time."""
    batch: list[WaitingRow] = []
    for number, stub in enumerate(stubs, 1):
        batch.append(stub)
        if number == len(stubs) or len(batch) == 200 or sum(item.rows for item in batch) >= rows:
            contents = {
                item.id: (item, hashes, content)
                for item, hashes, content in read_content(connection, [item.id for item in batch])
            }
            yield from (contents[item.id] for item in batch)
            batch = []


def set_matched(connection: Connection, matched_rows: Mapping[int, int]) -> None:
    """Store how many rows found a match, by id."""
    for id_, count in matched_rows.items():
        connection.execute(waiting.update().where(waiting.c.id == id_).values(matched=count))


def drop_before(connection: Connection, model: str, role: str, before: int) -> int:
    """Delete the rows that start before `before` (microseconds).

    Counts the rows without a match with their objects, and returns their number.
    """
    c = waiting.c
    condition = sa.and_(c.model == model, c.role == role, c.start < before)
    unmatched_query = sa.select(c.object_id, sa.func.sum(c.rows - c.matched).label("rows")).where(
        condition, c.removed == 0
    )
    groups = connection.execute(unmatched_query.group_by(c.object_id)).all()
    for row in groups:
        owner = objects.c.id == row.object_id
        connection.execute(
            objects.update().where(owner).values(unlabelled=objects.c.unlabelled + int(row.rows))
        )
    connection.execute(waiting.delete().where(condition))
    return sum(int(row.rows) for row in groups)


def replace_predictions(
    connection: Connection,
    model: str,
    object_id: int,
    piece: int,
    start: int,
    stubs: Sequence[Stub],
) -> None:
    """Replace the predictions of one piece of an object in one window."""
    c = waiting.c
    condition = sa.and_(
        c.object_id == object_id,
        c.piece == piece,
        c.start == start,
        c.role == PREDICTION,
        c.removed == 0,
    )
    query = sa.select(c.version, c.hashes, c.content).where(condition).order_by(c.id)
    old = [tuple(row) for row in connection.execute(query)]
    if old != [(stub.version, stub.hashes.astype("<u8").tobytes(), stub.content) for stub in stubs]:
        connection.execute(waiting.update().where(condition).values(removed=1, joined=0))
        add_stubs(connection, model, object_id, piece, stubs)


@dataclass(frozen=True, slots=True)
class WaitingTotals:
    """Totals of the rows of one role of a model."""

    rows: int
    matched_rows: int
    """Rows that found a match."""
    bytes: int
    """Size of the stored hashes and contents."""


_BYTES = sa.func.length(waiting.c.hashes) + sa.func.length(waiting.c.content)


def load_waiting_totals(connection: Connection, model: str, role: str) -> WaitingTotals:
    """Sum the rows of one role of a model."""
    c = waiting.c
    sums = (sa.func.coalesce(sa.func.sum(part), 0) for part in (c.rows, c.matched, _BYTES))
    row = connection.execute(
        sa.select(*sums).where(c.model == model, c.role == role, c.removed == 0)
    ).one()
    return WaitingTotals(*(int(value) for value in row))


def find_size_cutoff(connection: Connection, models: Sequence[str], most: int) -> int | None:
    """Find the start (microseconds) before which rows must go to keep at most `most` bytes.

    The result is None when all rows fit.
    """
    c = waiting.c
    query = sa.select(c.start, sa.func.sum(_BYTES).label("bytes")).where(
        c.model.in_(models), c.role.in_((PREDICTION, LABEL))
    )
    remaining_bytes = most
    newest: int | None = None
    for row in connection.execute(query.group_by(c.start).order_by(c.start.desc())):
        remaining_bytes -= int(row.bytes)
        if remaining_bytes < 0:
            return row.start + 1 if newest is None else newest
        newest = row.start
    return None
