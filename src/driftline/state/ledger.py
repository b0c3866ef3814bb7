"""Stores the ledger: how far each object was read, and its contribution to each window.

An outcome is written completely, in the caller's transaction, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state import waiting
from driftline.state.tables import models, objects, rejects, shares, windows
from driftline.types.model import LogObject
from driftline.types.records import GONE, QUARANTINED, WAITING, LedgerEntry, ReadOutcome, Stub
from driftline.types.times import as_micros

ATTEMPTS = 20
"""Failed attempts to read an object after which it is quarantined.

Windows no longer wait for it then.
"""


Key = tuple[int, str, str]
"""Start, version and segment of a window."""
RowChanges = dict[Key, int]
"""Rows that are added to windows, or taken out (negative)."""

_ENTRY = [objects.c[name] for name in LedgerEntry.__dataclass_fields__]


def load_entries(connection: Connection, model: str, uris: Iterable[str]) -> dict[str, LedgerEntry]:
    """Load the entries of some URIs, by URI."""
    query = sa.select(*_ENTRY).where(objects.c.model == model, objects.c.uri.in_(list(uris)))
    return {row.uri: LedgerEntry(**row._mapping) for row in connection.execute(query)}


def find_entries_by_lineage(
    connection: Connection, model: str, lineages: Iterable[str]
) -> list[LedgerEntry]:
    """Find the entries of some lineages, the newest first."""
    lineage_list = list(lineages)
    query = (
        sa.select(*_ENTRY)
        .where(objects.c.model == model, objects.c.lineage.in_(lineage_list))
        .order_by(objects.c.id.desc())
    )
    return (
        [LedgerEntry(**row._mapping) for row in connection.execute(query)] if lineage_list else []
    )


def find_uris_by_end(connection: Connection, model: str, end: str, limit: int) -> list[str]:
    """Find URIs of entries that end with `end`, the newest first."""
    query = (
        sa.select(objects.c.uri)
        .where(objects.c.model == model, objects.c.uri.endswith(end, autoescape=True))
        .order_by(objects.c.id.desc())
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def follow_copy(connection: Connection, entry: LedgerEntry, obj: LogObject) -> None:
    """Note that what `entry` was read from is the start of `obj`, or all of it, from now on."""
    version = obj.version if obj.size == entry.size else entry.version
    connection.execute(
        objects.update()
        .where(objects.c.id == entry.id)
        .values(uri=obj.uri, lineage=obj.lineage, version=version)
    )


def set_entry_uri(connection: Connection, entry_id: int, uri: str) -> None:
    """Note that the object of an entry is at `uri` now."""
    connection.execute(objects.update().where(objects.c.id == entry_id).values(uri=uri))


def has_entries_below(connection: Connection, model: str, folder: str) -> bool:
    """Return whether an entry lies below `folder` (with `/` at its end)."""
    below = objects.c.uri.startswith(folder, autoescape=True)
    query = sa.select(objects.c.id).where(objects.c.model == model, below).limit(1)
    return connection.execute(query).first() is not None


def find_marked_entries(connection: Connection, model: str, folder: str) -> list[LedgerEntry]:
    """Find the entries below `folder` (with `/` at its end) that have a mark, the newest first."""
    query = (
        sa.select(*_ENTRY)
        .where(
            objects.c.model == model,
            objects.c.uri.startswith(folder, autoescape=True),
            objects.c.mark != "",
        )
        .order_by(objects.c.id.desc())
    )
    return [LedgerEntry(**row._mapping) for row in connection.execute(query)]


def move_entry(connection: Connection, entry_id: int, obj: LogObject, *, is_read: bool) -> None:
    """Note that `obj`, which does not grow, holds what an entry was read from.

    With `is_read` it holds nothing more; otherwise it is read again as a whole.
    """
    values: dict[str, Any] = {"uri": obj.uri, "lineage": obj.lineage}
    if is_read:
        values |= {"version": obj.version, "size": obj.size, "offset": 0, "mark": ""}
    connection.execute(objects.update().where(objects.c.id == entry_id).values(values))


def record_outcomes(
    connection: Connection,
    model: str,
    outcomes: Sequence[ReadOutcome],
    spec_digest: str,
    length: int,
) -> None:
    """Write some outcomes (a few hundred): entries, shares, and the windows to judge.

    A piece that starts at 0 replaces everything that the object contributed before. `length` is the
    length of the windows in microseconds.
    """
    known_entries = load_entries(connection, model, {outcome.object.uri for outcome in outcomes})
    starts = {share.start for outcome in outcomes for share in outcome.shares}
    starts |= {stub.start for outcome in outcomes for stub in outcome.stubs}
    settled_keys = find_settled_keys(connection, model, starts)
    changes: RowChanges = {}
    written_uris: set[str] = set()
    for outcome in outcomes:
        uri = outcome.object.uri
        if uri in written_uris:  # listed twice
            known_entries |= load_entries(connection, model, [uri])
        _record(
            connection,
            model,
            outcome,
            entry=known_entries.get(uri),
            spec_digest=spec_digest,
            settled_keys=settled_keys,
            changes=changes,
        )
        written_uris.add(uri)
    change_rows(connection, model, changes, length)
    newest = max(
        (outcome.last_event for outcome in outcomes if outcome.last_event is not None), default=None
    )
    if newest is not None:
        newer = sa.or_(models.c.last_event.is_(None), models.c.last_event < newest)
        connection.execute(
            models.update().where(models.c.name == model, newer).values(last_event=newest)
        )


def _record(
    connection: Connection,
    model: str,
    outcome: ReadOutcome,
    entry: LedgerEntry | None,
    spec_digest: str,
    settled_keys: set[Key],
    changes: RowChanges,
) -> None:
    if outcome.state == WAITING:
        _record_failed_attempt(connection, model, outcome, entry)
        return
    if outcome.state == GONE:
        if entry is None:
            connection.execute(objects.insert().values(**_new_row(model, outcome.object, GONE)))
        else:
            connection.execute(objects.update().where(objects.c.id == entry.id).values(state=GONE))
        return
    object_id = _upsert(connection, model, outcome, entry, spec_digest)
    settled_rows: RowChanges = {}
    if outcome.piece == 0 and entry is not None:
        _remove_shares(connection, object_id, outcome.cutoff, changes)
        waiting.mark_removed(connection, object_id)
        settled_rows = _load_rows_by_window(connection, object_id)
        connection.execute(rejects.delete().where(rejects.c.object_id == object_id))
    late_rows = _add_shares(
        connection,
        model,
        object_id,
        outcome,
        settled_keys=settled_keys,
        settled_rows=settled_rows,
        changes=changes,
    )
    was_read = outcome.piece == 0 and entry is not None and entry.version != ""
    late_rows += _add_stubs(
        connection,
        model,
        object_id,
        outcome,
        settled_keys=settled_keys,
        settled_rows=settled_rows,
        was_read=was_read,
    )
    if late_rows:
        connection.execute(
            objects.update()
            .where(objects.c.id == object_id)
            .values(held=objects.c.held + late_rows)
        )
    if outcome.samples:
        rows = [
            {"object_id": object_id, "position": p, "reason": r, "sample": s}
            for p, r, s in outcome.samples
        ]
        connection.execute(rejects.insert(), rows)


def _record_failed_attempt(
    connection: Connection, model: str, outcome: ReadOutcome, entry: LedgerEntry | None
) -> None:
    """Count a failed attempt; rows that were read before stay."""
    obj = outcome.object
    if entry is not None:
        values: dict[str, object] = {"attempts": entry.attempts + 1, "error": outcome.error}
        if entry.state in (GONE, QUARANTINED):
            values["state"] = WAITING
        if entry.attempts + 1 >= ATTEMPTS:
            values |= {"state": QUARANTINED, "version": obj.version, "size": obj.size}
        connection.execute(objects.update().where(objects.c.id == entry.id).values(**values))
        return
    row = _new_row(model, obj, WAITING)
    connection.execute(objects.insert().values(**row, error=outcome.error, attempts=1))


def _new_row(model: str, obj: LogObject, state: str) -> dict[str, object]:
    """The row of an object that was not read yet."""
    return {
        "model": model,
        "uri": obj.uri,
        "version": "",
        "size": 0,
        "modified": as_micros(obj.modified),
        "partition": None if obj.partition is None else as_micros(obj.partition),
        "state": state,
    }


def _upsert(
    connection: Connection,
    model: str,
    outcome: ReadOutcome,
    entry: LedgerEntry | None,
    spec_digest: str,
) -> int:
    obj = outcome.object
    fresh = outcome.piece == 0 or entry is None
    values: dict[str, object] = {
        "version": obj.version,
        "lineage": obj.lineage,
        "size": obj.size,
        "modified": as_micros(obj.modified),
        "partition": None if obj.partition is None else as_micros(obj.partition),
        "state": outcome.state,
        "offset": outcome.offset,
        "mark": outcome.mark,
        "spec_digest": spec_digest,
        "error": outcome.error,
        "attempts": ATTEMPTS if outcome.broken else 0,
    }
    for name in ("rows", "rejected", "held"):
        values[name] = getattr(outcome, name) if fresh else objects.c[name] + getattr(outcome, name)
    if fresh:
        values |= {"first_event": outcome.first_event, "last_event": outcome.last_event}
    elif outcome.last_event is not None:
        values["last_event"] = sa.case(
            (objects.c.last_event > outcome.last_event, objects.c.last_event),
            else_=outcome.last_event,
        )
    if entry is not None:
        connection.execute(objects.update().where(objects.c.id == entry.id).values(**values))
        return entry.id
    result = connection.execute(objects.insert().values(model=model, uri=obj.uri, **values))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def _remove_shares(
    connection: Connection, object_id: int, cutoff: int | None, changes: RowChanges
) -> None:
    old = sa.and_(shares.c.object_id == object_id, shares.c.profile.is_not(None))
    if cutoff is not None:
        old = sa.and_(old, shares.c.start >= cutoff)
    query = sa.select(shares.c.start, shares.c.version, shares.c.segment, shares.c.rows).where(old)
    for row in connection.execute(query):
        key = (row.start, row.version, row.segment)
        changes[key] = changes.get(key, 0) - row.rows
    connection.execute(shares.delete().where(old))


def _load_rows_by_window(connection: Connection, object_id: int) -> RowChanges:
    """Load the rows of an object in each window that are left: those of settled windows."""
    c = shares.c
    query = sa.select(c.start, c.version, c.segment, sa.func.sum(c.rows).label("rows")).where(
        c.object_id == object_id
    )
    groups = connection.execute(query.group_by(c.start, c.version, c.segment))
    return {(row.start, row.version, row.segment): int(row.rows) for row in groups}


def _add_shares(
    connection: Connection,
    model: str,
    object_id: int,
    outcome: ReadOutcome,
    settled_keys: set[Key],
    settled_rows: RowChanges,
    changes: RowChanges,
) -> int:
    """Write the shares of an outcome; return the number of rows that came too late.

    Rows are too late when their window is settled and does not have them already.
    """
    late_rows, rows = 0, []
    for share in outcome.shares:
        if outcome.cutoff is not None and share.start < outcome.cutoff:
            continue
        key = (share.start, share.version, share.segment)
        if key in settled_keys:
            late_rows += max(0, share.rows - settled_rows.get(key, 0)) if not share.segment else 0
            continue
        rows.append(
            {
                "object_id": object_id,
                "piece": outcome.piece,
                "start": share.start,
                "version": share.version,
                "segment": share.segment,
                "model": model,
                "rows": share.rows,
                "profile": share.profile,
            }
        )
        changes[key] = changes.get(key, 0) + share.rows
    if rows:
        connection.execute(shares.insert(), rows)
    return late_rows


def _add_stubs(
    connection: Connection,
    model: str,
    object_id: int,
    outcome: ReadOutcome,
    settled_keys: set[Key],
    settled_rows: RowChanges,
    was_read: bool,
) -> int:
    """Store the stubs of an outcome; return the number of requests that came too late.

    Stubs of settled windows are not stored. With `was_read` the object was read before: its
    responses for settled windows have been counted already.
    """
    settled_starts = {start for start, _, _ in settled_keys}
    late_stubs: list[Stub] = []
    new_stubs: list[Stub] = []
    for stub in outcome.stubs:
        if stub.role in waiting.HALVES:
            (late_stubs if stub.start in settled_starts else new_stubs).append(stub)
        elif stub.role != waiting.PREDICTION or _is_new_prediction(stub, outcome, settled_keys):
            new_stubs.append(stub)
    waiting.add_stubs(connection, model, object_id, outcome.piece, new_stubs)
    late_requests: dict[int, int] = {}
    unpaired_rows = 0
    for stub in late_stubs:
        if stub.role == waiting.REQUEST:
            late_requests[stub.start] = late_requests.get(stub.start, 0) + len(stub.hashes)
        elif not was_read:
            unpaired_rows += len(stub.hashes)
    if unpaired_rows:
        connection.execute(
            objects.update()
            .where(objects.c.id == object_id)
            .values(unpaired=objects.c.unpaired + unpaired_rows)
        )
    counted_rows = {
        start: sum(
            rows for (at, _, segment), rows in settled_rows.items() if at == start and not segment
        )
        for start in late_requests
    }
    return sum(max(0, rows - counted_rows[start]) for start, rows in late_requests.items())


def _is_new_prediction(stub: Stub, outcome: ReadOutcome, settled_keys: set[Key]) -> bool:
    """Whether the rows of a stub are counted now, and not in a settled window before."""
    return (outcome.cutoff is None or stub.start >= outcome.cutoff) and (
        stub.start,
        stub.version,
        "",
    ) not in settled_keys


def find_settled_keys(connection: Connection, model: str, starts: set[int]) -> set[Key]:
    """Find the settled windows among those with these starts."""
    keys: set[Key] = set()
    c, start_list = windows.c, sorted(starts)
    for first in range(0, len(start_list), 500):
        query = sa.select(c.start, c.version, c.segment).where(
            c.model == model, c.settled == 1, c.start.in_(start_list[first : first + 500])
        )
        keys |= {(row.start, row.version, row.segment) for row in connection.execute(query)}
    return keys


def change_rows(connection: Connection, model: str, changes: RowChanges, length: int) -> None:
    """Change the row counts of windows; create missing windows, and mark all to be judged."""
    c = windows.c
    for (start, version, segment), rows in changes.items():
        key = sa.and_(
            c.model == model, c.start == start, c.version == version, c.segment == segment
        )
        result = connection.execute(windows.update().where(key).values(rows=c.rows + rows, dirty=1))
        if result.rowcount == 0:
            row = {
                "model": model,
                "start": start,
                "version": version,
                "segment": segment,
                "end": start + length,
                "rows": rows,
            }
            connection.execute(windows.insert().values(**row))


def mark_gone(connection: Connection, model: str, present_ids: set[int]) -> int:
    """Mark the objects that a complete listing no longer has; return how many."""
    query = sa.select(objects.c.id).where(objects.c.model == model, objects.c.state != GONE)
    missing_ids = [row.id for row in connection.execute(query) if row.id not in present_ids]
    for first in range(0, len(missing_ids), 500):
        part = missing_ids[first : first + 500]
        connection.execute(objects.update().where(objects.c.id.in_(part)).values(state=GONE))
    return len(missing_ids)
