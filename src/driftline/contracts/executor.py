"""The contract of an executor: make the pool on which log objects are profiled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Executor

from driftline.contracts.plugin import Plugin


class ExecutorFactory(Plugin, ABC):
    """Makes the executor on which objects are profiled."""

    @abstractmethod
    def create(self) -> Executor:
        """Return an executor; the host shuts it down.

        A task whose process ends must break off with `concurrent.futures.BrokenExecutor`: its
        objects are then read again, one at a time. Raises SourceError when there is no executor.
        """

    def count_workers(self, executor: Executor) -> int | None:
        """Return how many tasks `executor` runs at a time; None when that is unknown."""
        return None
