"""Stores requests and responses that wait to be paired, and the shares of their pairs.

Does not pair. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state import ledger
from driftline.state import waiting as rows_waiting
from driftline.state.tables import objects, shares, waiting, windows
from driftline.state.waiting import HALVES, REQUEST, RESPONSE, ROW_COLUMNS, WaitingRow, make_row
from driftline.types.arrays import Hashes
from driftline.types.records import QUARANTINED, ReadOutcome
from driftline.types.times import from_micros


def scan_rows(connection: Connection, model: str, role: str) -> Iterator[tuple[WaitingRow, Hashes]]:
    """Scan the rows of a role, not removed, by window, object, piece and place."""
    c = waiting.c
    query = sa.select(*ROW_COLUMNS, c.hashes).join(objects, objects.c.id == c.object_id)
    query = query.where(c.model == model, c.role == role, c.removed == 0)
    ordered_query = query.order_by(c.start, objects.c.uri, c.piece, c.id)
    for row in connection.execution_options(yield_per=64).execute(ordered_query):
        yield make_row(row._mapping), np.frombuffer(row.hashes, "<u8")


def replace_shares(
    connection: Connection,
    model: str,
    object_id: int,
    outcome: ReadOutcome,
    start: int,
    length: int,
) -> None:
    """Replace the shares of the requests of one piece of an object in one window.

    Equal shares stay untouched, so that windows are not judged again without need. Settled windows
    stay as they are.
    """
    if ledger.find_settled_keys(connection, model, {start}):
        return
    c = shares.c
    condition = sa.and_(c.object_id == object_id, c.piece == outcome.piece, c.start == start)
    query = sa.select(c.version, c.segment, c.rows, c.profile).where(condition)
    old = {
        (start, row.version, row.segment): (row.rows, row.profile)
        for row in connection.execute(query)
    }
    new = {
        (start, share.version, share.segment): (share.rows, share.profile)
        for share in outcome.shares
    }
    changes: ledger.RowChanges = {}
    for key in sorted({*old, *new}):
        if old.get(key) == new.get(key):
            continue
        changes[key] = new.get(key, (0, b""))[0] - old.get(key, (0, b""))[0]
        connection.execute(
            shares.delete().where(condition, c.version == key[1], c.segment == key[2])
        )
        if key in new:
            rows, profile = new[key]
            row = dict(zip(("start", "version", "segment"), key, strict=True)) | {
                "rows": rows,
                "profile": profile,
            }
            connection.execute(
                shares.insert().values(object_id=object_id, piece=outcome.piece, model=model, **row)
            )
    ledger.change_rows(connection, model, changes, length)
    rows_waiting.replace_predictions(
        connection,
        model,
        object_id=object_id,
        piece=outcome.piece,
        start=start,
        stubs=outcome.stubs,
    )
    w = windows.c
    for _, version, segment in changes.keys() - new.keys():
        # A response named another version, so all rows moved to another window.
        empty = sa.and_(w.rows == 0, w.revision == 0, w.version == version, w.segment == segment)
        connection.execute(windows.delete().where(w.model == model, w.start == start, empty))


def quarantine_object(connection: Connection, object_id: int, error: str) -> None:
    """Quarantine an object whose rows made a plugin fail later; it is read again from its start."""
    values = {"state": QUARANTINED, "error": error, "attempts": ledger.ATTEMPTS, "offset": 0}
    connection.execute(objects.update().where(objects.c.id == object_id).values(**values))


def find_first_unjudged(connection: Connection, model: str) -> int:
    """Find the end of the judged windows (microseconds): earlier halves had time to be paired."""
    c = windows.c
    newest = sa.select(sa.func.max(c.end)).where(c.model == model, c.revision > 0)
    return connection.execute(newest).scalar() or 0


def count_unpaired(connection: Connection, model: str, until: int) -> dict[str, int]:
    """Count unpaired requests and responses of windows that begin before `until`."""
    c = waiting.c
    query = sa.select(c.role, sa.func.sum(c.rows - c.matched).label("rows")).where(
        c.model == model, c.role.in_(HALVES), c.removed == 0, c.start < until
    )
    counts = {row.role: int(row.rows) for row in connection.execute(query.group_by(c.role))}
    return {role: counts.get(role, 0) for role in HALVES}


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """The requests of the newest window, and whether earlier requests had responses."""

    start: datetime
    """Of the window, UTC."""
    requests: int
    unpaired_requests: int
    """Requests without a response."""
    earlier_had_responses: bool


def load_request_counts(connection: Connection, model: str, until: int) -> RequestCounts | None:
    """Count the requests of the newest window that begins before `until`; None without any."""
    c = waiting.c
    counts = (sa.func.sum(c.rows).label("rows"), sa.func.sum(c.matched).label("matched"))
    query = sa.select(c.start, *counts).where(
        c.model == model, c.role == REQUEST, c.removed == 0, c.start < until
    )
    newest, *earlier = connection.execute(
        query.group_by(c.start).order_by(c.start.desc())
    ).all() or (None,)
    if newest is None:
        return None
    return RequestCounts(
        start=from_micros(newest.start),
        requests=int(newest.rows),
        unpaired_requests=int(newest.rows) - int(newest.matched),
        earlier_had_responses=any(row.matched for row in earlier),
    )


def drop_finished(connection: Connection, model: str, before: int, length: int) -> None:
    """Delete the halves of settled windows; unpaired ones are counted with their objects.

    Windows of `length` that ended by `before` count as settled, too. A response is kept one window
    longer than the requests: the two may be on both sides of a border.
    """
    c, w = waiting.c, windows.c
    requests = sa.and_(c.model == model, c.role == REQUEST, c.removed == 0, c.joined == 1)
    starts = [
        row.start
        for row in connection.execute(
            sa.select(c.start).where(requests).distinct().order_by(c.start)
        )
    ]
    states: dict[int, set[int]] = {}
    for first in range(0, len(starts), 500):
        query = (
            sa.select(w.start, w.settled)
            .where(w.model == model, w.start.in_(starts[first : first + 500]))
            .distinct()
        )
        for row in connection.execute(query):
            states.setdefault(row.start, set()).add(row.settled)
    finished_starts = {
        start
        for start in starts
        if 1 in states.get(start, ()) or (start + length <= before and start not in states)
    }
    for start in sorted(finished_starts):
        _delete_rows(connection, sa.and_(requests, c.start == start))
    oldest = next((start for start in starts if start not in finished_starts), before)
    responses = sa.and_(c.model == model, c.role == RESPONSE, c.removed == 0, c.joined == 1)
    _delete_rows(connection, sa.and_(responses, c.start + 2 * length <= min(before, oldest)))


def _delete_rows(connection: Connection, condition: sa.ColumnElement[bool]) -> None:
    c = waiting.c
    query = (
        sa.select(c.object_id, sa.func.sum(c.rows - c.matched).label("rows"))
        .where(condition)
        .group_by(c.object_id)
    )
    for row in connection.execute(query).all():
        if row.rows:
            count = objects.c.unpaired + int(row.rows)
            connection.execute(
                objects.update().where(objects.c.id == row.object_id).values(unpaired=count)
            )
    connection.execute(waiting.delete().where(condition))
