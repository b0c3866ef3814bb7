"""The contract of an executor: make the pool on which log objects are profiled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Executor

from driftline.contracts.plugin import Plugin


class ExecutorFactory(Plugin, ABC):
    """Makes the executor on which objects are profiled."""

    @abstractmethod
    def create(self) -> Executor:
        """An executor; the host shuts it down."""
