"""Pairing requests and responses across objects: what came since the last time changes the rows of
its other halves.

Refuses to depend on order: the rows of a request's window and piece are always made again from all
halves that are kept, so that repeats, crashes and what comes first change nothing. Whether a pair
was late is nothing it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from driftline.ingest.pairs.match_pairs import (
    CACHED_PARTS,
    Places,
    join_responses,
    match_responses,
    unpack_batch,
)
from driftline.ingest.read.job import Job
from driftline.ingest.read.profile_rows import profile_rows
from driftline.ingest.read.read_object import describe_failure
from driftline.state import pair_rows, waiting
from driftline.state.store import Store
from driftline.state.tables import moment, objects
from driftline.state.waiting import REQUEST, RESPONSE, Stored
from driftline.types.model import LogObject
from driftline.types.records import QUARANTINED, Hashes, ReadOutcome

AT_ONCE = 2_000_000
"""New halves that are looked at in one go, 8 bytes each; of more, the oldest first."""
GROUP = 200
"""Pieces of objects that are written in one transaction."""

Unit = tuple[int, int, int]
"""Object, piece and window whose requests are counted together."""


@dataclass(slots=True)
class _Plan:
    """Which requests to count anew, and what belongs to them."""

    units: dict[Unit, list[int]]
    """The places of their requests in `requests`."""
    requests: list[Stored]
    places: list[Places]
    """See `match_responses`."""
    responses: list[Stored]
    ends: Places
    matched: dict[int, int] = field(default_factory=dict)
    """Of responses."""


def pair_halves(
    store: Store, model: str, job: Job, stopping: Callable[[], bool] = lambda: False
) -> list[str]:
    """Bring the windows of a model up to what halves are there; returns sentences about objects
    that can't be counted.

    Does nothing where nothing came or went. Cut short by `stopping`, it goes on the next time.
    """
    errors: list[str] = []
    while not stopping():
        with store.read() as connection:
            todo = _todo(connection, model)
            if not todo:
                break
            plan = _plan(connection, model, todo)
        units = list(plan.units)
        for first in range(0, len(units), GROUP):
            if stopping():
                return errors
            _count(store, model, job, plan, units[first : first + GROUP], errors)
        with store.write() as connection:
            waiting.set_matched(connection, plan.matched)
            waiting.mark_joined(connection, [stub.id for stub in todo])
    return errors


def paired_rows(store: Store, model: str, job: Job, start: int) -> Iterator[pa.RecordBatch]:
    """The rows of all requests kept of the window that begins at `start` (microseconds), with their
    responses.
    """
    with store.read() as connection:
        stubs = [
            stub for stub, _ in pair_rows.scan(connection, model, REQUEST) if stub.start == start
        ]
        plan = _plan(connection, model, stubs) if stubs else None
    for unit in plan.units if plan is not None else ():
        if unit[2] == start:
            assert plan is not None
            yield from _joined(store, job, plan, unit, {})


def _todo(connection: Connection, model: str) -> list[Stored]:
    new = [stub for role in waiting.HALVES for stub in waiting.unjoined(connection, model, role)]
    new.sort(key=lambda stub: (stub.start, stub.id))
    taken = np.cumsum([stub.rows for stub in new])
    return new[: max(1, int(np.searchsorted(taken, AT_ONCE, side="right")))]


def _plan(connection: Connection, model: str, todo: list[Stored]) -> _Plan:
    ids = _union(hashes for _, hashes, _ in waiting.read(connection, [stub.id for stub in todo]))
    touched = {
        _unit(stub)
        for stub, hashes in pair_rows.scan(connection, model, REQUEST)
        if _any(ids, hashes)
    }
    mine = (
        hashes
        for stub, hashes in pair_rows.scan(connection, model, REQUEST)
        if _unit(stub) in touched
    )
    ids = _union((ids, *mine))
    # Others that share an id have a say in which response is whose.
    requests = [
        (stub, hashes)
        for stub, hashes in pair_rows.scan(connection, model, REQUEST)
        if _any(ids, hashes)
    ]
    responses = [
        (stub, hashes)
        for stub, hashes in pair_rows.scan(connection, model, RESPONSE)
        if _any(ids, hashes)
    ]
    units: dict[Unit, list[int]] = {}
    for place, (stub, _) in enumerate(requests):
        if _unit(stub) in touched:
            units.setdefault(_unit(stub), []).append(place)
    lengths = [len(hashes) for _, hashes in responses]
    plan = _Plan(
        units,
        [stub for stub, _ in requests],
        match_responses([hashes for _, hashes in requests], [hashes for _, hashes in responses]),
        [stub for stub, _ in responses],
        np.cumsum(lengths, dtype=np.int64),
    )
    asked = _union(hashes for _, hashes in responses)
    known = np.zeros(len(asked), bool)
    for _, hashes in pair_rows.scan(connection, model, REQUEST):
        known[np.searchsorted(asked, hashes[waiting.contains(asked, hashes)])] = True
    # Of requests that were let go a response may know more than what is still here.
    lost = any(stub.removed for stub in todo)
    for stub, hashes in responses:
        found = int(known[np.searchsorted(asked, hashes)].sum())
        plan.matched[stub.id] = found if lost else max(found, stub.matched)
    return plan


def _count(
    store: Store, model: str, job: Job, plan: _Plan, units: list[Unit], errors: list[str]
) -> None:
    with store.read() as connection:
        places = {unit[0]: unit for unit in units}
        c = objects.c
        query = sa.select(c.id, c.uri, c.modified).where(c.id.in_(list(places)))
        known = {
            row.id: LogObject(row.uri, "", 0, moment(row.modified))
            for row in connection.execute(query)
        }
    outcomes, matched = [], dict[int, int]()
    for unit in units:
        outcome = ReadOutcome(known[unit[0]], unit[1])
        try:
            profile_rows(job, _joined(store, job, plan, unit, matched), outcome, window=unit[2])
        except Exception as error:
            outcome.state, outcome.error, outcome.shares = (
                QUARANTINED,
                describe_failure(error),
                (),
            )
            errors.append(f"{outcome.object.uri}: {outcome.error}")
        outcomes.append(outcome)
    with store.write() as connection:
        for unit, outcome in zip(units, outcomes, strict=True):
            pair_rows.renew(connection, model, unit[0], outcome, unit[2], job.length)
            if outcome.error:
                pair_rows.spoil(connection, unit[0], outcome.error)
        waiting.set_matched(connection, matched)


def _joined(
    store: Store, job: Job, plan: _Plan, unit: Unit, matched: dict[int, int]
) -> Iterator[pa.RecordBatch]:
    @lru_cache(CACHED_PARTS)
    def response(part: int) -> pa.RecordBatch:
        return _content(store, plan.responses[part])

    for place in plan.units[unit]:
        stub = plan.requests[place]
        matched[stub.id] = 0
        for batch, whole in join_responses(
            _content(store, stub), plan.places[place], plan.ends, response
        ):
            matched[stub.id] += len(batch) if whole else 0
            job.beat()
            yield batch if job.transform is None else job.transform(batch)


def _content(store: Store, stub: Stored) -> pa.RecordBatch:
    with store.read() as connection:
        [(_, _, content)] = waiting.read(connection, [stub.id])
    return unpack_batch(content)


def _unit(stub: Stored) -> Unit:
    return stub.object_id, stub.piece, stub.start


def _any(ids: Hashes, asked: Hashes) -> bool:
    return bool(waiting.contains(ids, asked).any())


def _union(parts: Iterable[Hashes]) -> NDArray[np.uint64]:
    return np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))
