"""Reads objects in further processes of this machine, so that they use more than one core at a time
whatever Python code decodes them.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import ClassVar

from pydantic import Field

from driftline import ExecutorFactory, hookimpl


class Processes(ExecutorFactory):
    """Processes of this machine, each an interpreter of its own (150 MB)."""

    type: ClassVar[str] = "processes"

    workers: int | None = Field(default=None, ge=1)
    """How many processes. Default: one for each core."""

    def create(self) -> Executor:
        """A pool whose processes start with its first tasks."""
        # A process that is forked while threads hold locks may wait for them for ever.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._size, mp_context=context)

    def count_workers(self, executor: Executor) -> int:
        """The number of processes."""
        return self._size

    @property
    def _size(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))


@hookimpl
def register_executors() -> list[type[ExecutorFactory]]:
    """The plugin of this module."""
    return [Processes]
