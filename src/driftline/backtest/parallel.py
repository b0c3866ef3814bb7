"""Runs pieces of work side by side, in processes that inherit their memory by forking.

Only results are pickled: checks, stores and histories are inherited. Where processes cannot fork,
or one process is asked for, the pieces run one after the other.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")
ReportProgress = Callable[[int], None]
"""Takes the number of steps that are done."""
POLL_SECONDS = 0.2
"""Time between two progress reports."""

_inherited_work: Callable[[int], Any]


def run_parallel(
    work: Callable[[int, ReportProgress], T],
    count: int,
    processes: int,
    progress: ReportProgress = lambda steps: None,
) -> list[T]:
    """Run `work(index, report_progress)` for each index below `count`; results in that order.

    `progress` gets the sum of the steps that all pieces have reported.
    """
    if min(processes, count) < 2 or "fork" not in multiprocessing.get_all_start_methods():
        steps_done = [0] * count

        def reporter_of(index: int) -> ReportProgress:
            def report_progress(steps: int) -> None:
                steps_done[index] = steps
                progress(sum(steps_done))

            return report_progress

        return [work(index, reporter_of(index)) for index in range(count)]
    context = multiprocessing.get_context("fork")
    shared_steps = context.Array("q", count)

    def work_in_child(index: int) -> T:
        def report_progress(steps: int) -> None:
            shared_steps[index] = steps

        return work(index, report_progress)

    global _inherited_work
    _inherited_work = work_in_child
    with ProcessPoolExecutor(min(processes, count), context) as pool:
        futures = [pool.submit(_run_inherited, index) for index in range(count)]
        while wait(futures, POLL_SECONDS).not_done:
            progress(sum(shared_steps[:]))
        return [future.result() for future in futures]


def _run_inherited(index: int) -> Any:
    """Run one piece in a child: a pool pickles only functions of a module, no closures."""
    return _inherited_work(index)
