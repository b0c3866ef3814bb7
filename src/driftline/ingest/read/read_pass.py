"""One pass over a source: list, decide, read, commit.

Refuses partial listings: when a page fails, nothing of the pass is read. What is committed is
committed object by object, so a crash loses no finished work and repeats none.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from sqlalchemy.engine import Connection

from driftline.contracts.source import DiscoverContext
from driftline.ingest.read import rotation
from driftline.ingest.read.plan import Work, decide
from driftline.ingest.read.read_object import Job, discover_objects, read_elsewhere, read_objects
from driftline.ingest.read.shards import Shards
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.errors import SourceError
from driftline.types.model import LogObject
from driftline.types.records import GONE, QUARANTINED, WAITING, ReadOutcome

PAGE = 500
TASK_BYTES = 32 << 20
TASK_OBJECTS = 200

Progress = Callable[[int, int], None]
"""Called with objects done and rows so far."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a listing showed, whose last page came."""

    work: list[Work]
    entry_ids: set[int]
    """Ledger rows that are still there."""
    objects: int
    whole: bool
    """Whether all there is was asked for: what is missing then is gone."""
    skipped_objects: list[tuple[str, str]]
    """Some of what is no data on purpose: URI and why."""


@dataclass(slots=True)
class ReadCounts:
    """What one pass came to."""

    objects: int = 0
    rows: int = 0
    responses: int = 0
    """Read apart from their requests: they are no rows of their own."""
    rejected_records: int = 0
    rows_held_back: int = 0
    waiting: int = 0
    quarantined: int = 0
    gone: int = 0
    errors: list[str] = field(default_factory=list)
    """Some sentences about objects that could not be read."""


def list_work(
    store: Store,
    model: str,
    job: Job,
    now: datetime,
    *,
    seal: bool = False,
    cutoff: int | None = None,
    again: bool = False,
    since: datetime | None = None,
    oldest: datetime | None = None,
) -> Listing:
    """List the source and compare with the ledger. With `since`, what lies in older places may be
    left out of the listing; what lies in places older than `oldest` and is not known yet is left
    alone.

    Raises SourceError when a page fails.
    """
    skipped: list[tuple[str, str]] = []

    def skip(uri: str, reason: str) -> None:
        if len(skipped) < 100:
            skipped.append((uri, reason))

    listed = discover_objects(job, DiscoverContext(now=now, since=since, skipped=skip))
    found = Listing([], set(), 0, since is None, skipped)
    wanted: dict[str, Work] = {}  # by URI: an object may be listed twice
    shards, read = Shards(), set[str]()
    count = 0
    for page in _pages(listed, PAGE):
        job.beat()
        count += len(page)
        known = rotation.follow_renames(store, model, job.source, page)
        for obj in page:
            entry = known.get(obj.uri)
            shards.add(obj.uri)
            if entry is not None:
                found.entry_ids.add(entry.id)
            elif oldest is not None and obj.partition is not None and obj.partition < oldest:
                skip(obj.uri, "older than windows.backfill")
                continue
            work = decide(obj, entry, job.spec.digest, now, seal=seal, cutoff=cutoff, again=again)
            if work is not None:
                wanted[obj.uri] = work
                if entry is not None and entry.state != WAITING:
                    read.add(obj.uri)
    for uri, reason in list(shards.waiting_parts(wanted.values(), read, now)):
        skip(uri, reason)
        del wanted[uri]
    # By time, so that a backlog is read in order; the name decides ties, for repeatable runs.
    found.work.extend(wanted.values())
    found.work.sort(key=lambda work: (work.at, work.object.modified, work.object.uri))
    return replace(found, objects=count)


def take_in(
    store: Store,
    model: str,
    job: Job,
    work: Sequence[Work],
    executor: Executor,
    taken: ReadCounts,
    *,
    in_flight: int,
    progress: Progress = lambda done, rows: None,
    stopping: Callable[[], bool] = lambda: False,
    patience: float = 300.0,
    shared: bool = True,
) -> None:
    """Read some work and commit it, task by task, in order; add what it came to to `taken`.

    `patience` is how many seconds a task may go without a single batch before its source counts as
    hanging. `shared` says that the executor runs in this process.
    """
    beats = [time.monotonic()]

    def beat() -> None:
        beats[0] = time.monotonic()

    # A closure can't be sent to another process: there, the end of each task is the only sign of
    # life.
    running = replace(job, beat=beat) if shared else job
    tasks = _tasks(work)
    pending: deque[tuple[list[Work], Future[list[ReadOutcome]]]] = deque()
    while True:
        while len(pending) < in_flight and not stopping():
            task = next(tasks, None)
            if task is None:
                break
            pending.append(
                (task, executor.submit(read_objects if shared else read_elsewhere, running, task))
            )
        if not pending:
            return
        task, future = pending.popleft()
        try:
            outcomes = _result(future, beats, patience)
        except SourceError as error:
            # What hangs counts as a failed attempt, so that it is given up some time; what others
            # finished is kept.
            late = [
                ReadOutcome(work.object, work.start, WAITING, error=str(error)) for work in task
            ]
            finished = (other for _, other in pending if other.done() and other.exception() is None)
            for outcomes in (late, *(other.result() for other in finished)):
                _commit(store, model, job, outcomes, taken)
            raise
        _commit(store, model, job, outcomes, taken)
        progress(taken.objects + taken.waiting + taken.gone, taken.rows)


def note_vanished(store: Store, model: str, listing: Listing) -> int:
    """After all work of a listing was taken in: note what it no longer shows, if it was a whole
    one.
    """
    if not listing.whole:
        return 0
    with store.write() as connection:
        return ledger.vanished(
            connection, model, listing.entry_ids | _ids(connection, model, listing)
        )


def _ids(connection: Connection, model: str, listing: Listing) -> set[int]:
    ids: set[int] = set()
    for page in _pages((work.object for work in listing.work), PAGE):
        ids |= {
            entry.id
            for entry in ledger.entries(connection, model, (obj.uri for obj in page)).values()
        }
    return ids


def _result(
    future: Future[list[ReadOutcome]], beats: list[float], patience: float
) -> list[ReadOutcome]:
    while True:
        try:
            return future.result(timeout=min(patience, 1.0))
        except BrokenExecutor as error:
            raise SourceError(f"the executor broke while it read: {error}") from None
        except FutureTimeout:
            if future.done():
                raise
            if time.monotonic() - beats[0] > patience:
                raise SourceError(f"reading hangs: no record for {patience:g} s") from None


def _commit(
    store: Store, model: str, job: Job, outcomes: list[ReadOutcome], taken: ReadCounts
) -> None:
    with store.write() as connection:
        ledger.record(connection, model, outcomes, job.spec.digest, job.length)
    for outcome in outcomes:
        if outcome.state == WAITING:
            taken.waiting += 1
        elif outcome.state == GONE:
            taken.gone += 1
        else:
            taken.objects += 1
            taken.rows += outcome.rows
            taken.responses += outcome.responses
            taken.rejected_records += outcome.rejected
            taken.rows_held_back += outcome.held
            taken.quarantined += outcome.state == QUARANTINED
        if outcome.error and len(taken.errors) < 20:
            taken.errors.append(f"{outcome.object.uri}: {outcome.error}")


def _tasks(work: Sequence[Work]) -> Iterator[list[Work]]:
    task: list[Work] = []
    size = 0
    for item in work:
        task.append(item)
        size += item.object.size - item.start
        if size >= TASK_BYTES or len(task) >= TASK_OBJECTS:
            yield task
            task, size = [], 0
    if task:
        yield task


def _pages(items: Iterable[LogObject], size: int) -> Iterator[list[LogObject]]:
    running = iter(items)
    while page := list(islice(running, size)):
        yield page
