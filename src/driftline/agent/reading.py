"""What one model reads with: its sources, started when they are needed, and its executor.

Refuses to wait for what hangs: its threads are left to themselves, and the next reading gets new
ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from driftline.agent.parts import Parts
from driftline.agent.threads import Threads
from driftline.contracts.plugin import Plugin
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_pass import ReadCounts, ReadPass
from driftline.types.errors import DriftlineError, SourceError

if TYPE_CHECKING:
    from driftline.agent.tick import Hooks


class Reader:
    """The reading side of one model."""

    def __init__(self, model: str, parts: Parts, hooks: Hooks) -> None:
        self._model, self._parts, self._hooks = model, parts, hooks
        self._executor: Executor | None = None
        self._started: dict[int, Plugin] = {}

    def start(self, plugin: Plugin) -> None:
        """Start a source unless it runs. Raises SourceError."""
        if id(plugin) not in self._started:
            try:
                context = self._parts.start_context(self._model)
                self._parts.guard.call(
                    f"{self._model}.start",
                    plugin.start,
                    context,
                    timeout=self._parts.patience.probe,
                )
            except DriftlineError as error:
                raise SourceError(f"{plugin.type} could not start: {error}") from None
            self._started[id(plugin)] = plugin

    def take_in(
        self, name: str, job: Job, work: Sequence[Work], taken: ReadCounts, stage: str, total: int
    ) -> None:
        """Read and commit some work of a listing of `total`, and add what it came to to `taken`.

        `name` is the ledger's, `stage` that of the progress.
        """
        parts = self._parts
        reading = ReadPass(
            store=parts.store,
            model=name,
            job=job,
            executor=self._threads(),
            in_flight=parts.workers + 1,
            shared=parts.executor is None,
            progress=lambda done, rows: self._hooks.progress(stage, done, total, rows),
            stopping=self._hooks.stopping,
            patience=parts.patience.reading,
        )
        try:
            reading.run(work, taken)
        except SourceError:
            self._drop_executor()  # the threads that hang are left to themselves
            raise

    def stop(self) -> None:
        """Let go of the sources and the threads. Safe twice."""
        for plugin in self._started.values():
            self._parts.guard.call(f"{self._model}.stop", plugin.stop, timeout=1.0)
        self._started.clear()
        self._drop_executor()

    def _threads(self) -> Executor:
        if self._executor is None:
            factory = self._parts.executor
            if factory is not None and self._hooks.transform is not None:
                raise SourceError(
                    f"transform_batch hooks run in this process only: use executor threads, not {factory.type}"
                )
            self._executor = (
                factory.create() if factory else Threads(self._parts.workers, f"read-{self._model}")
            )
        return self._executor

    def _drop_executor(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
