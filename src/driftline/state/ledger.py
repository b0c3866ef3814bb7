"""The ledger: which object was read how far, and what it contributed to which window.

Refuses half steps: an outcome is written whole, in the caller's transaction, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state import waiting
from driftline.state.tables import as_micros, models, objects, rejects, shares, windows
from driftline.types.records import GONE, QUARANTINED, WAITING, LedgerEntry, ReadOutcome, Stub

ATTEMPTS = 20
"""Readings that failed on the source's side after which windows no longer wait for the object: it
is quarantined.
"""


Key = tuple[int, str, str]
"""Start, version and segment of a window."""
RowChanges = dict[Key, int]
"""Rows that come to windows, or go."""

_ENTRY = [objects.c[name] for name in LedgerEntry.__dataclass_fields__]


def load_entries(connection: Connection, model: str, uris: Iterable[str]) -> dict[str, LedgerEntry]:
    """The rows for these URIs (a page of them), by URI."""
    query = sa.select(*_ENTRY).where(objects.c.model == model, objects.c.uri.in_(list(uris)))
    return {row.uri: LedgerEntry(*row) for row in connection.execute(query)}


def find_entries_by_lineage(
    connection: Connection, model: str, lineages: Iterable[str]
) -> list[LedgerEntry]:
    """The rows of these lineages (a page of them), newest first."""
    asked = list(lineages)
    query = (
        sa.select(*_ENTRY)
        .where(objects.c.model == model, objects.c.lineage.in_(asked))
        .order_by(objects.c.id.desc())
    )
    return [LedgerEntry(*row) for row in connection.execute(query)] if asked else []


def set_entry_uri(connection: Connection, entry_id: int, uri: str) -> None:
    """What a row was read from lies at `uri` now."""
    connection.execute(objects.update().where(objects.c.id == entry_id).values(uri=uri))


def record_outcomes(
    connection: Connection,
    model: str,
    outcomes: Sequence[ReadOutcome],
    spec_digest: str,
    length: int,
) -> None:
    """Write some outcomes (a few hundred): the ledger rows, their shares, and which windows must be
    judged (again).

    A piece that starts at 0 replaces everything the object contributed before. `length` is the
    windows' in microseconds.
    """
    known = load_entries(connection, model, {outcome.object.uri for outcome in outcomes})
    starts = {share.start for outcome in outcomes for share in outcome.shares}
    starts |= {stub.start for outcome in outcomes for stub in outcome.stubs}
    settled = find_settled_keys(connection, model, starts)
    touched: RowChanges = {}
    written: set[str] = set()
    for outcome in outcomes:
        uri = outcome.object.uri
        if uri in written:  # listed twice
            known |= load_entries(connection, model, [uri])
        _record(connection, model, outcome, known.get(uri), spec_digest, settled, touched)
        written.add(uri)
    change_rows(connection, model, touched, length)
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
    settled: set[Key],
    touched: RowChanges,
) -> None:
    if outcome.state == WAITING:
        _wait(connection, model, outcome, entry)
        return
    if outcome.state == GONE:
        if entry is not None:
            connection.execute(objects.update().where(objects.c.id == entry.id).values(state=GONE))
        return
    object_id = _upsert(connection, model, outcome, entry, spec_digest)
    kept: RowChanges = {}
    if outcome.piece == 0 and entry is not None:
        _take_out(connection, object_id, outcome.cutoff, touched)
        waiting.mark_removed(connection, object_id)
        kept = _load_rows_by_window(connection, object_id)
        connection.execute(rejects.delete().where(rejects.c.object_id == object_id))
    late = _put_in(connection, model, object_id, outcome, settled, kept, touched)
    known = outcome.piece == 0 and entry is not None and entry.version != ""
    late += _keep(connection, model, object_id, outcome, settled, kept, known)
    if late:
        connection.execute(
            objects.update().where(objects.c.id == object_id).values(held=objects.c.held + late)
        )
    if outcome.samples:
        rows = [
            {"object_id": object_id, "position": p, "reason": r, "sample": s}
            for p, r, s in outcome.samples
        ]
        connection.execute(rejects.insert(), rows)


def _wait(
    connection: Connection, model: str, outcome: ReadOutcome, entry: LedgerEntry | None
) -> None:
    """Remember the failed attempt; what was read before stays."""
    obj = outcome.object
    if entry is not None:
        values: dict[str, object] = {"attempts": entry.attempts + 1, "error": outcome.error}
        if entry.state in (GONE, QUARANTINED):
            values["state"] = WAITING
        if entry.attempts + 1 >= ATTEMPTS:
            values |= {"state": QUARANTINED, "version": obj.version, "size": obj.size}
        connection.execute(objects.update().where(objects.c.id == entry.id).values(**values))
        return
    row = {
        "model": model,
        "uri": obj.uri,
        "version": "",
        "size": 0,
        "modified": as_micros(obj.modified),
        "partition": None if obj.partition is None else as_micros(obj.partition),
        "state": WAITING,
    }
    connection.execute(objects.insert().values(**row, error=outcome.error, attempts=1))


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
    made = connection.execute(objects.insert().values(model=model, uri=obj.uri, **values))
    return int(made.inserted_primary_key[0])  # type: ignore[index]


def _take_out(
    connection: Connection, object_id: int, cutoff: int | None, touched: RowChanges
) -> None:
    old = sa.and_(shares.c.object_id == object_id, shares.c.profile.is_not(None))
    if cutoff is not None:
        old = sa.and_(old, shares.c.start >= cutoff)
    query = sa.select(shares.c.start, shares.c.version, shares.c.segment, shares.c.rows).where(old)
    for row in connection.execute(query):
        key = (row.start, row.version, row.segment)
        touched[key] = touched.get(key, 0) - row.rows
    connection.execute(shares.delete().where(old))


def _load_rows_by_window(connection: Connection, object_id: int) -> RowChanges:
    """The rows of an object that settled windows hold for good."""
    c = shares.c
    query = sa.select(c.start, c.version, c.segment, sa.func.sum(c.rows).label("rows")).where(
        c.object_id == object_id
    )
    grouped = connection.execute(query.group_by(c.start, c.version, c.segment))
    return {(row.start, row.version, row.segment): int(row.rows) for row in grouped}


def _put_in(
    connection: Connection,
    model: str,
    object_id: int,
    outcome: ReadOutcome,
    settled: set[Key],
    kept: RowChanges,
    touched: RowChanges,
) -> int:
    """Returns the rows that came too late: their windows are settled, and they are not among what
    these hold.
    """
    late, rows = 0, []
    for share in outcome.shares:
        if outcome.cutoff is not None and share.start < outcome.cutoff:
            continue
        key = (share.start, share.version, share.segment)
        if key in settled:
            late += max(0, share.rows - kept.get(key, 0)) if not share.segment else 0
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
        touched[key] = touched.get(key, 0) + share.rows
    if rows:
        connection.execute(shares.insert(), rows)
    return late


def _keep(
    connection: Connection,
    model: str,
    object_id: int,
    outcome: ReadOutcome,
    settled: set[Key],
    kept: RowChanges,
    known: bool,
) -> int:
    """Keep what waits for its other half, unless its window takes nothing more. Returns the
    requests that came too late.

    `known` says that the object was read before: then its responses to settled windows were counted
    before.
    """
    over = {start for start, _, _ in settled}
    late: list[Stub] = []
    waits: list[Stub] = []
    for stub in outcome.stubs:
        if stub.role in waiting.HALVES:
            (late if stub.start in over else waits).append(stub)
        elif stub.role != waiting.PREDICTION or _is_new_prediction(stub, outcome, settled):
            waits.append(stub)
    waiting.add_stubs(connection, model, object_id, outcome.piece, waits)
    requests: dict[int, int] = {}
    alone = 0
    for stub in late:
        if stub.role == waiting.REQUEST:
            requests[stub.start] = requests.get(stub.start, 0) + len(stub.hashes)
        elif not known:
            alone += len(stub.hashes)
    if alone:
        connection.execute(
            objects.update()
            .where(objects.c.id == object_id)
            .values(unpaired=objects.c.unpaired + alone)
        )
    held = {
        start: sum(rows for (at, _, segment), rows in kept.items() if at == start and not segment)
        for start in requests
    }
    return sum(max(0, rows - held[start]) for start, rows in requests.items())


def _is_new_prediction(stub: Stub, outcome: ReadOutcome, settled: set[Key]) -> bool:
    """Predictions wait where their rows are counted: what a settled window holds already waits
    there as it did.
    """
    return (outcome.cutoff is None or stub.start >= outcome.cutoff) and (
        stub.start,
        stub.version,
        "",
    ) not in settled


def find_settled_keys(connection: Connection, model: str, starts: set[int]) -> set[Key]:
    """Of the windows that begin there, those that take nothing more."""
    found: set[Key] = set()
    c, ordered = windows.c, sorted(starts)
    for first in range(0, len(ordered), 500):
        query = sa.select(c.start, c.version, c.segment).where(
            c.model == model, c.settled == 1, c.start.in_(ordered[first : first + 500])
        )
        found |= {(row.start, row.version, row.segment) for row in connection.execute(query)}
    return found


def change_rows(connection: Connection, model: str, touched: RowChanges, length: int) -> None:
    """Change the rows of windows, made where there is none yet, and mark them to be judged."""
    c = windows.c
    for (start, version, segment), rows in touched.items():
        key = sa.and_(
            c.model == model, c.start == start, c.version == version, c.segment == segment
        )
        changed = connection.execute(
            windows.update().where(key).values(rows=c.rows + rows, dirty=1)
        )
        if changed.rowcount == 0:
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
    """Note every object that a complete listing no longer shows; returns how many are newly
    gone.
    """
    query = sa.select(objects.c.id).where(objects.c.model == model, objects.c.state != GONE)
    gone = [row.id for row in connection.execute(query) if row.id not in present_ids]
    for first in range(0, len(gone), 500):
        part = gone[first : first + 500]
        connection.execute(objects.update().where(objects.c.id.in_(part)).values(state=GONE))
    return len(gone)
