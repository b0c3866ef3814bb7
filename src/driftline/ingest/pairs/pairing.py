"""Pairs requests and responses across objects, and counts the pairs in the requests' windows.

The rows of one window and piece are always made anew from all stored halves, so that repeats,
crashes and the order of arrival change nothing. Does not know whether a pair was late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from driftline.ingest.pairs.match_pairs import (
    CACHED_PARTS,
    join_responses,
    match_responses,
    unpack_batch,
)
from driftline.ingest.read.job import Job
from driftline.ingest.read.profile_rows import profile_rows
from driftline.ingest.read.read_object import describe_failure
from driftline.state import pair_rows, waiting
from driftline.state.store import Store
from driftline.state.tables import objects
from driftline.state.waiting import REQUEST, RESPONSE, WaitingRow
from driftline.types.arrays import Hashes, Ints
from driftline.types.errors import StateError
from driftline.types.model import LogObject
from driftline.types.records import QUARANTINED, ReadOutcome
from driftline.types.times import from_micros

if TYPE_CHECKING:
    import pyarrow as pa

HALVES_AT_A_TIME = 2_000_000
"""New halves that are paired in one round, 8 bytes of memory each; the oldest first."""
UNITS_PER_COMMIT = 200

Unit = tuple[int, int, int]
"""Object id, piece (byte offset) and window (microseconds) whose requests are counted together."""


@dataclass(slots=True, kw_only=True)
class _Plan:
    """The requests to count anew, and the halves that belong to them."""

    units: dict[Unit, list[int]]
    """For each unit, the places of its requests in `requests`."""
    requests: list[WaitingRow]
    places: list[Ints]
    """For each request stub, the result of `match_responses`."""
    responses: list[WaitingRow]
    ends: Ints
    """Where each response stub ends among all responses."""
    response_matches: dict[int, int] = field(default_factory=dict)
    """Responses that have a request, by id of the stub."""


def pair_halves(
    store: Store, model: str, job: Job, stopping: Callable[[], bool] = lambda: False
) -> list[str]:
    """Count the pairs of all stored halves; returns sentences about objects that can't be counted.

    Does nothing when no half came or went. When `stopping` ends it early, the next call continues.
    """
    errors: list[str] = []
    while not stopping():
        with store.read() as connection:
            new_stubs = _new_stubs(connection, model)
            if not new_stubs:
                break
            plan = _plan(connection, model, new_stubs)
        units = list(plan.units)
        for first in range(0, len(units), UNITS_PER_COMMIT):
            if stopping():
                return errors
            group = units[first : first + UNITS_PER_COMMIT]
            errors += _PairReader(store, job, plan).count(model, group)
        with store.write() as connection:
            waiting.set_matched(connection, plan.response_matches)
            waiting.mark_joined(connection, [stub.id for stub in new_stubs])
    return errors


def paired_rows(store: Store, model: str, job: Job, start: int) -> Iterator[pa.RecordBatch]:
    """The rows of all stored requests of the window at `start` (microseconds), with responses."""
    with store.read() as connection:
        stubs = [
            stub
            for stub, _ in pair_rows.scan_rows(connection, model, REQUEST)
            if stub.start == start
        ]
        if not stubs:
            return
        plan = _plan(connection, model, stubs)
    reader = _PairReader(store, job, plan)
    for unit in plan.units:
        if unit[2] == start:
            yield from reader.rows(unit, {})


def _new_stubs(connection: Connection, model: str) -> list[WaitingRow]:
    stubs = [
        stub for role in waiting.HALVES for stub in waiting.load_unjoined(connection, model, role)
    ]
    stubs.sort(key=lambda stub: (stub.start, stub.id))
    totals = np.cumsum([stub.rows for stub in stubs])
    return stubs[: max(1, int(np.searchsorted(totals, HALVES_AT_A_TIME, side="right")))]


def _plan(connection: Connection, model: str, stubs: list[WaitingRow]) -> _Plan:
    ids = _union(
        hashes for _, hashes, _ in waiting.read_content(connection, [stub.id for stub in stubs])
    )
    affected_units = {
        _unit(stub)
        for stub, hashes in pair_rows.scan_rows(connection, model, REQUEST)
        if _overlap(ids, hashes)
    }
    request_ids = (
        hashes
        for stub, hashes in pair_rows.scan_rows(connection, model, REQUEST)
        if _unit(stub) in affected_units
    )
    ids = _union((ids, *request_ids))
    # All requests that share an id decide which response belongs to which request.
    requests = [
        (stub, hashes)
        for stub, hashes in pair_rows.scan_rows(connection, model, REQUEST)
        if _overlap(ids, hashes)
    ]
    responses = [
        (stub, hashes)
        for stub, hashes in pair_rows.scan_rows(connection, model, RESPONSE)
        if _overlap(ids, hashes)
    ]
    units: dict[Unit, list[int]] = {}
    for place, (stub, _) in enumerate(requests):
        if _unit(stub) in affected_units:
            units.setdefault(_unit(stub), []).append(place)
    lengths = [len(hashes) for _, hashes in responses]
    plan = _Plan(
        units=units,
        requests=[stub for stub, _ in requests],
        places=match_responses([ids for _, ids in requests], [ids for _, ids in responses]),
        responses=[stub for stub, _ in responses],
        ends=np.cumsum(lengths, dtype=np.int64),
    )
    response_ids = _union(hashes for _, hashes in responses)
    has_request = np.zeros(len(response_ids), bool)
    for _, hashes in pair_rows.scan_rows(connection, model, REQUEST):
        common_ids = hashes[waiting.contains(response_ids, hashes)]
        has_request[np.searchsorted(response_ids, common_ids)] = True
    # A stored count may include requests that have expired: it falls only when stubs were removed.
    has_removals = any(stub.is_removed for stub in stubs)
    for stub, hashes in responses:
        matches = int(has_request[np.searchsorted(response_ids, hashes)].sum())
        plan.response_matches[stub.id] = (
            matches if has_removals else max(matches, stub.matched_rows)
        )
    return plan


@dataclass(frozen=True, slots=True)
class _PairReader:
    """Reads and counts the pairs of a plan."""

    store: Store
    job: Job
    plan: _Plan

    def count(self, model: str, units: list[Unit]) -> list[str]:
        """Profile the rows of some units and commit them; returns the errors."""
        with self.store.read() as connection:
            c = objects.c
            query = sa.select(c.id, c.uri, c.modified).where(c.id.in_([unit[0] for unit in units]))
            log_objects = {
                row.id: LogObject(
                    uri=row.uri, version="", size=0, modified=from_micros(row.modified)
                )
                for row in connection.execute(query)
            }
        outcomes, errors, request_matches = list[ReadOutcome](), list[str](), dict[int, int]()
        for unit in units:
            outcome = ReadOutcome(object=log_objects[unit[0]], piece=unit[1])
            try:
                profile_rows(self.job, self.rows(unit, request_matches), outcome, window=unit[2])
            except StateError:
                raise
            except Exception as error:
                outcome.state, outcome.shares = QUARANTINED, ()
                outcome.error = describe_failure(error)
                errors.append(f"{outcome.object.uri}: {outcome.error}")
            outcomes.append(outcome)
        with self.store.write() as connection:
            for unit, outcome in zip(units, outcomes, strict=True):
                pair_rows.replace_shares(
                    connection, model, unit[0], outcome, unit[2], self.job.length
                )
                if outcome.error:
                    pair_rows.quarantine_object(connection, unit[0], outcome.error)
            waiting.set_matched(connection, request_matches)
        return errors

    def rows(self, unit: Unit, request_matches: dict[int, int]) -> Iterator[pa.RecordBatch]:
        """The rows of one unit; adds to `request_matches` how many have a response, by stub id."""

        @lru_cache(CACHED_PARTS)
        def response(part: int) -> pa.RecordBatch:
            return self._content(self.plan.responses[part])

        for place in self.plan.units[unit]:
            stub = self.plan.requests[place]
            request_matches[stub.id] = 0
            for batch, is_paired in join_responses(
                self._content(stub), self.plan.places[place], self.plan.ends, response
            ):
                request_matches[stub.id] += len(batch) if is_paired else 0
                self.job.beat()
                yield batch if self.job.transform is None else self.job.transform(batch)

    def _content(self, stub: WaitingRow) -> pa.RecordBatch:
        with self.store.read() as connection:
            [(_, _, content)] = waiting.read_content(connection, [stub.id])
        return unpack_batch(content)


def _unit(stub: WaitingRow) -> Unit:
    return stub.object_id, stub.piece, stub.start


def _overlap(ids: Hashes, hashes: Hashes) -> bool:
    return bool(waiting.contains(ids, hashes).any())


def _union(parts: Iterable[Hashes]) -> NDArray[np.uint64]:
    return np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))
