"""Reads listed work on an executor and commits it, task by task, in order.

Each object is committed in the transaction of its task, so that a crash loses no finished work and
repeats none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import read_in_other_process, read_objects
from driftline.kit.stores.short_uri import shorten_uri
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.errors import SourceError
from driftline.types.loss_reasons import LossReasons
from driftline.types.records import GONE, QUARANTINED, WAITING, ReadOutcome

TASK_BYTES = 32 << 20
TASK_OBJECTS = 200
ERRORS_SHOWN = 20

ReportObjects = Callable[[int, int], None]
"""Called with objects read and rows so far."""


@dataclass(slots=True, kw_only=True)
class ReadCounts:
    """Counts of one pass over a source."""

    objects: int = 0
    rows: int = 0
    responses: int = 0
    """Logged apart from their requests, so that they are no rows of their own."""
    rejected_records: int = 0
    rejected_reasons: LossReasons = field(default_factory=LossReasons)
    rows_held_back: int = 0
    held_reasons: LossReasons = field(default_factory=LossReasons)
    waiting: int = 0
    """Objects to be tried again."""
    quarantined: int = 0
    gone: int = 0
    errors: list[str] = field(default_factory=list)
    """Some sentences about objects that could not be read."""

    def add(self, outcome: ReadOutcome) -> None:
        """Count one object."""
        if outcome.state == WAITING:
            self.waiting += 1
        elif outcome.state == GONE:
            self.gone += 1
        else:
            self.objects += 1
            self.rows += outcome.rows
            self.responses += outcome.responses
            self.rejected_records += outcome.rejected
            self.rejected_reasons.merge(outcome.rejected_reasons, outcome.object.uri, outcome.piece)
            self.rows_held_back += outcome.held
            self.held_reasons.merge(outcome.held_reasons, outcome.object.uri, outcome.piece)
            self.quarantined += outcome.state == QUARANTINED
        if outcome.error and len(self.errors) < ERRORS_SHOWN:
            uri = outcome.object.uri
            named = uri in outcome.error or shorten_uri(uri) in outcome.error
            self.errors.append(outcome.error if named else f"{shorten_uri(uri)}: {outcome.error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPass:
    """How the work of one listing is read and committed."""

    store: Store
    model: str
    """The name under which the ledger keeps the objects."""
    job: Job
    executor: Executor
    clock: Callable[[], datetime]
    """For sources in other processes, to which it is sent."""
    monotonic: Callable[[], float]
    in_flight: int
    """Tasks that are submitted at a time."""
    shared: bool = True
    """Whether the executor runs in this process."""
    progress: ReportObjects = lambda objects, rows: None
    beat: Callable[[], None] = lambda: None
    stopping: Callable[[], bool] = lambda: False
    """Asked before each task; when true, no further task is submitted."""
    patience: float = 300.0
    """Seconds without a batch after which the source counts as hanging."""

    def run(self, work: Sequence[Work], counts: ReadCounts) -> None:
        """Read some work, commit it and add to `counts`.

        Raises SourceError when the source hangs or the executor breaks; finished tasks are
        committed before.
        """
        beats = [self.monotonic()]

        def beat() -> None:
            beats[0] = self.monotonic()
            self.beat()

        # A closure can't be sent to another process: there the end of a task is the only heartbeat.
        job = replace(self.job, beat=beat) if self.shared else self.job
        read = read_objects if self.shared else partial(read_in_other_process, self.clock)
        tasks = _tasks(work)
        pending: deque[tuple[list[Work], Future[list[ReadOutcome]]]] = deque()
        while True:
            while len(pending) < self.in_flight and not self.stopping():
                task = next(tasks, None)
                if task is None:
                    break
                pending.append((task, self.executor.submit(read, job, task)))
            if not pending:
                return
            task, future = pending.popleft()
            try:
                outcomes = self._result(future, beats)
            except SourceError as error:
                # A hanging read is a failed attempt, so that the object is given up some time.
                self._commit(
                    [
                        ReadOutcome(
                            object=work.object, piece=work.start, state=WAITING, error=str(error)
                        )
                        for work in task
                    ],
                    counts,
                )
                for _, other_future in pending:
                    if other_future.done() and other_future.exception() is None:
                        self._commit(other_future.result(), counts)
                raise
            self._commit(outcomes, counts)
            self.progress(counts.objects + counts.waiting + counts.gone, counts.rows)

    def _result(self, future: Future[list[ReadOutcome]], beats: list[float]) -> list[ReadOutcome]:
        while True:
            try:
                return future.result(timeout=min(self.patience, 1.0))
            except BrokenExecutor as error:
                raise SourceError(f"the executor broke while it read: {error}") from None
            except FutureTimeout:
                if future.done():
                    raise
                if self.monotonic() - beats[0] > self.patience:
                    raise SourceError(f"reading hangs: no record for {self.patience:g} s") from None

    def _commit(self, outcomes: list[ReadOutcome], counts: ReadCounts) -> None:
        with self.store.write() as connection:
            ledger.record_outcomes(
                connection, self.model, outcomes, self.job.spec.digest, self.job.length
            )
        for outcome in outcomes:
            counts.add(outcome)


def _tasks(works: Sequence[Work]) -> Iterator[list[Work]]:
    task: list[Work] = []
    size = 0
    for work in works:
        task.append(work)
        size += work.object.size - work.start
        if size >= TASK_BYTES or len(task) >= TASK_OBJECTS:
            yield task
            task, size = [], 0
    if task:
        yield task
