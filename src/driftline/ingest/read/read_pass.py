"""Reads listed work on an executor and commits it, task by task, in order.

Each object is committed in the transaction of its task, so that a crash loses no finished work and
repeats none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import read_in_other_process, read_objects
from driftline.kit.stores.short_uri import shorten_uri
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.errors import SourceError
from driftline.types.loss_reasons import LossReasons
from driftline.types.records import GONE, QUARANTINED, WAITING, ReadOutcome

if TYPE_CHECKING:
    from driftline.ingest.read.packed_job import PackedJob

TASK_BYTES = 32 << 20
TASK_OBJECTS = 200
ERRORS_SHOWN = 20
DEATHS = 3
"""Ends of worker processes after which the object that they read is quarantined."""

ReadWork = Callable[[Sequence[Work]], list[ReadOutcome]]
Submitted = tuple[list[Work], "Future[list[ReadOutcome]]"]
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
    renew_executor: Callable[[], Executor] | None = None
    """Drops an executor that broke and returns the next one; None where none can break."""
    make_executor: Callable[[], Executor] | None = None
    """Makes an executor that no one else uses, to find the object that ends processes."""
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

        When a worker process ends, what was under way is read again, one object at a time, so that
        only the object that ended it is given up. Raises SourceError when the source hangs or the
        executor fails; finished tasks are committed before.
        """
        beats = [self.monotonic()]

        def beat() -> None:
            beats[0] = self.monotonic()
            self.beat()

        if self.shared:
            read = partial(read_objects, replace(self.job, beat=beat))
        else:
            # A closure can't be sent: there the end of a task is the only heartbeat.
            read = partial(read_in_other_process, self.clock, self._pack_job())
        tasks = _tasks(work)
        executor = self.executor

        pending: deque[Submitted] = deque()
        while True:
            try:
                while len(pending) < self.in_flight and not self.stopping():
                    task = next(tasks, None)
                    if task is None:
                        break
                    # First in the list: where `submit` fails, its objects are read again, too.
                    pending.append((task, Future()))
                    pending[-1] = (task, _submit(executor, read, task))
                if not pending:
                    return
                outcomes = self._result(pending[0][1], beats)
            except BrokenExecutor as error:
                if self.renew_executor is None or self.make_executor is None:
                    raise SourceError(f"the executor broke while it read: {error}") from None
                executor = self.renew_executor()
                self._read_alone(self._commit_finished(pending, counts), counts, read, beats)
            except SourceError as error:
                if isinstance(error, ReadingHangs):
                    # It is a failed attempt, so that the object is given up some time.
                    task, _ = pending.popleft()
                    self._commit([_waiting(work, str(error)) for work in task], counts)
                self._commit_finished(pending, counts)
                raise
            else:
                pending.popleft()
                self._commit(outcomes, counts)
            self.progress(counts.objects + counts.waiting + counts.gone, counts.rows)

    def _pack_job(self) -> PackedJob:
        from driftline.ingest.read.packed_job import pack_job

        try:
            return pack_job(self.job)
        except Exception as error:
            raise SourceError(f"the job can't be sent to another process: {error}") from error

    def _commit_finished(self, pending: deque[Submitted], counts: ReadCounts) -> list[Work]:
        """Commit the tasks that are finished and return the work of the others; none is pending."""
        unfinished: list[Work] = []
        while pending:
            task, future = pending.popleft()
            if future.done() and not future.cancelled() and future.exception() is None:
                self._commit(future.result(), counts)
            else:
                unfinished += task
        return unfinished

    def _read_alone(
        self,
        suspects: Sequence[Work],
        counts: ReadCounts,
        read: ReadWork,
        beats: list[float],
    ) -> None:
        """Read objects one at a time; one whose reading ends `DEATHS` processes is quarantined."""
        assert self.make_executor is not None
        executor = self.make_executor()
        try:
            for work in suspects:
                if self.stopping():
                    return
                outcomes = [_deadly(work)]
                for _ in range(DEATHS):
                    beats[0] = self.monotonic()
                    try:
                        outcomes = self._result(_submit(executor, read, [work]), beats)
                        break
                    except BrokenExecutor:
                        executor.shutdown(wait=False, cancel_futures=True)
                        executor = self.make_executor()
                self._commit(outcomes, counts)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def _result(self, future: Future[list[ReadOutcome]], beats: list[float]) -> list[ReadOutcome]:
        while True:
            try:
                return future.result(timeout=min(self.patience, 1.0))
            except FutureTimeout as error:
                if future.done():
                    raise SourceError(f"the executor failed: {error}") from None
                if self.monotonic() - beats[0] > self.patience:
                    raise ReadingHangs(
                        f"reading hangs: no record for {self.patience:g} s"
                    ) from None
            except (BrokenExecutor, SourceError):
                raise
            except CancelledError:
                raise SourceError("the executor was shut down while it read") from None
            except Exception as error:
                # A task that can't be sent, or a worker that can't load it: no object is at fault.
                raise SourceError(f"the executor failed: {error}") from error

    def _commit(self, outcomes: list[ReadOutcome], counts: ReadCounts) -> None:
        with self.store.write() as connection:
            ledger.record_outcomes(
                connection, self.model, outcomes, self.job.spec.digest, self.job.length
            )
        for outcome in outcomes:
            counts.add(outcome)


class ReadingHangs(SourceError):
    """No record came for a long time while an object was read."""


def _submit(executor: Executor, read: ReadWork, task: Sequence[Work]) -> Future[list[ReadOutcome]]:
    """Submit a task. Raises BrokenExecutor, or SourceError when the executor was shut down."""
    try:
        return executor.submit(read, task)
    except BrokenExecutor:
        raise
    except RuntimeError as error:
        raise SourceError(f"the executor takes no task: {error}") from None


def _waiting(work: Work, error: str) -> ReadOutcome:
    """An object to be tried again."""
    return ReadOutcome(object=work.object, piece=work.start, state=WAITING, error=error)


def _deadly(work: Work) -> ReadOutcome:
    """An object whose reading ended its process as often as it was tried."""
    error = f"{DEATHS} processes ended while they read this object"
    return ReadOutcome(
        object=work.object, piece=work.start, state=QUARANTINED, error=error, broken=True
    )


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
