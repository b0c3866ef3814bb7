"""Pieces of work on all processors, in processes that find what they need in their memory.

Refuses to pickle anything but results: checks, stores and histories are inherited by forking. Where
processes can't fork, or one is asked for, the pieces are done one after the other.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")
ReportProgress = Callable[[int], None]
"""Takes how far a piece is."""
PAUSE = 0.2
"""Seconds between two looks at how far the pieces are."""

_work: Callable[[int], Any]


def run_parallel(
    work: Callable[[int, ReportProgress], T],
    count: int,
    processes: int,
    progress: ReportProgress = lambda done: None,
) -> list[T]:
    """`work(place, note)` for each place below `count`, in order; `progress` is told the sum of
    what all of them noted.
    """
    if min(processes, count) < 2 or "fork" not in multiprocessing.get_all_start_methods():
        done = [0] * count

        def note_here(place: int) -> ReportProgress:
            def note(far: int) -> None:
                done[place] = far
                progress(sum(done))

            return note

        return [work(place, note_here(place)) for place in range(count)]
    context = multiprocessing.get_context("fork")
    shared = context.Array("q", count)

    def noting(place: int) -> T:
        def note(far: int) -> None:
            shared[place] = far

        return work(place, note)

    global _work
    _work = noting
    with ProcessPoolExecutor(min(processes, count), context) as pool:
        running = [pool.submit(_run, place) for place in range(count)]
        while wait(running, PAUSE).not_done:
            progress(sum(shared[:]))
        return [one.result() for one in running]


def _run(place: int) -> Any:
    return _work(place)
