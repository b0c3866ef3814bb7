"""The executor of a plugin, which the models of an agent share."""

from __future__ import annotations

import threading
from concurrent.futures import Executor

from driftline.contracts.executor import ExecutorFactory
from driftline.types.errors import DriftlineError, SourceError


class SharedExecutor:
    """Makes the executor at its first use and again after it was dropped."""

    def __init__(self, factory: ExecutorFactory) -> None:
        self._factory = factory
        self._lock = threading.Lock()
        self._executor: Executor | None = None

    @property
    def type(self) -> str:
        """The name of the plugin."""
        return self._factory.type

    def count_workers(self, executor: Executor, default: int) -> int:
        """Return how many tasks run at a time, `default` where the plugin does not know."""
        return self._factory.count_workers(executor) or default

    def get(self) -> Executor:
        """Return the executor. Raises SourceError when it can't be made."""
        with self._lock:
            if self._executor is None:
                self._executor = self.make()
            return self._executor

    def make(self) -> Executor:
        """Make another executor, which the caller shuts down. Raises SourceError."""
        try:
            return self._factory.create()
        except DriftlineError:
            raise
        except Exception as error:
            raise SourceError(f"the executor {self.type} could not start: {error}") from error

    def drop(self) -> None:
        """Abandon the executor: it broke or hangs. Safe twice."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    def renew(self) -> Executor:
        """Drop the executor and return the next one. Raises SourceError when it can't be made."""
        self.drop()
        return self.get()
