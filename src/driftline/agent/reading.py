"""Starts the sources of one model when they are needed, and runs its reading tasks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from driftline.agent.services import Services
from driftline.contracts.plugin import Plugin
from driftline.types.errors import DriftlineError, SourceError

if TYPE_CHECKING:
    from driftline.agent.shared_executor import SharedExecutor

P = ParamSpec("P")
T = TypeVar("T")


class ModelReader:
    """The started sources and the executor of one model."""

    def __init__(self, model: str, services: Services, *, in_process: bool = False) -> None:
        """With `in_process`, objects can only be read in this process: a hook changes batches."""
        self._model, self._services, self._in_process = model, services, in_process
        self._executor: Executor | None = None
        self._started: dict[int, Plugin] = {}

    def start(self, source: Plugin) -> None:
        """Start a source unless it runs. Raises SourceError."""
        if id(source) in self._started:
            return
        context = self._services.source_context(self._model)
        try:
            self._services.start_plugin(self._model, source, context)
        except DriftlineError as error:
            raise SourceError(f"{source.type} could not start: {error}") from None
        self._started[id(source)] = source

    def stop(self) -> None:
        """Stop the sources and drop the executor. Safe twice."""
        for source in self._started.values():
            self._services.guard.call(f"{self._model}.stop", source.stop, timeout=1.0)
        self._started.clear()
        if self._executor is not None:
            self.drop_executor()

    @property
    def executor(self) -> Executor:
        """Where objects are read, created on first use. Raises SourceError."""
        shared = self._shared_executor
        if shared is not None:
            return shared.get()
        if self._executor is None:
            self._executor = DaemonThreadExecutor(self._services.workers, f"read-{self._model}")
        return self._executor

    @property
    def _shared_executor(self) -> SharedExecutor | None:
        """The executor of a plugin. Raises SourceError where only this process can read."""
        shared = self._services.shared_executor
        if shared is not None and self._in_process:
            raise SourceError(
                "transform_batch hooks run in this process only: use executor threads, not "
                f"{shared.type}"
            )
        return shared

    def drop_executor(self) -> None:
        """Abandon the executor, with tasks that may hang; the next reading gets a new one."""
        if self._services.shared_executor is not None:
            self._services.shared_executor.drop()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


class DaemonThreadExecutor(Executor):
    """Runs tasks on daemon threads.

    The threads are not joined when the process ends, unlike those of `ThreadPoolExecutor`: a
    plugin that hangs in one must not keep the agent from stopping.
    """

    def __init__(self, workers: int, name: str = "driftline") -> None:
        self._tasks: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._ready = threading.Condition()
        self._closed = False
        for number in range(workers):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` on one of the threads. Raises RuntimeError after `shutdown`."""
        future: Future[T] = Future()
        with self._ready:
            if self._closed:
                raise RuntimeError("the executor is shut down")
            self._tasks.append((future, lambda: fn(*args, **kwargs)))
            self._ready.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks. Never waits: running tasks end by themselves."""
        with self._ready:
            self._closed = True
            while cancel_futures and self._tasks:
                self._tasks.popleft()[0].cancel()
            self._ready.notify_all()

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._tasks and not self._closed:
                    self._ready.wait()
                if not self._tasks:
                    return
                future, call = self._tasks.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
