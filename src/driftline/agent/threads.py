"""The default executor: threads that never hold up the end of the process.

Refuses to be joined at exit: a plugin that hangs in one of them must not keep the agent from
stopping.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Executor):
    """`workers` daemon threads and a queue."""

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
        """Take nothing more. Running tasks end by themselves; nobody waits for them."""
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
