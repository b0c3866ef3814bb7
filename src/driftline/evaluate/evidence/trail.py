"""The trail of a model: what each watched series was in each window, and what it had added up to by
then.

Refuses to judge. Whatever judging needs of the past is in these rows, so that a restart, or another
agent, goes on from them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.evaluate.evidence.baseline import Baseline, Floats

TRACE = np.dtype(
    [
        ("level", "<f8"),  # the number on the scale on which its spread is even
        (
            "size",
            "<f8",
        ),  # the number on the scale on which changes are told and compared with what matters
        ("effect", "<f8"),  # size less what was expected
        (
            "deviation",
            "<f8",
        ),  # level less what was expected, in standard deviations between windows
        ("total", "<f8", (2, 2)),  # evidence so far: by calibrator, upper and lower side
        ("capital", "<f8", (2,)),  # of the run: evidence since it began, by side
        ("windows", "<f8", (2,)),  # of the run
        ("effects", "<f8", (2,)),  # their sum over the run
        ("began", "<f8", (2,)),  # start of the run, microseconds
        ("judged", "<f8"),  # windows judged since the evidence began to add up
        ("since", "<f8"),  # begin of the change that is on, NaN without one
        ("side", "<f8"),  # of the change that is on: 0 upper, 1 lower
        ("odds", "<f8"),  # against chance, when it was found
    ]
)
"""One stream in one window; all floats, so that a row is 160 bytes that any machine reads alike."""
OUTLYING = 10.0
"""Standard deviations beyond which a window stays out of the baseline even when the change went
away by itself.
"""
SHORT = 3
"""Windows that a change may last at most and still be part of normal life, once it went away by
itself.
"""
KEPT = 400
"""Windows beyond those that a baseline takes that are held, so that quarantined ones have their
substitutes.
"""


SPARE = 500
"""Windows by which it grows, and for which it goes on before it forgets what is of no use."""


class Stream(NamedTuple):
    """One series that is watched."""

    version: str
    segment: str
    check: str
    name: str
    labels: str
    """JSON with sorted keys."""


class Trail:
    """The newest windows of a model, those of one start in a row; in memory a matrix of windows by
    streams.
    """

    def __init__(self, length: int, baseline: int, lag: int) -> None:
        self.length = length
        """Of a window, microseconds."""
        self.baseline_windows = baseline
        """At most so many windows are the baseline."""
        self.lag = lag
        """So many newest windows are not in it."""
        self._starts: list[int] = []
        self._places: dict[Stream, int] = {}
        self._rows = np.full((64, 8), np.nan, TRACE)
        self._newest = np.full(8, -1, np.int64)
        """The row of each column's newest trace."""
        self._asked: tuple[object, NDArray[np.int64]] = ((), np.empty(0, np.int64))
        self._baseline: tuple[object, Baseline] | None = None
        self._revised = 0

    @property
    def capacity(self) -> int:
        """The most windows that are of use."""
        return self.baseline_windows + self.lag + KEPT

    def write(self, start: int, streams: Sequence[Stream], traces: NDArray[np.void]) -> None:
        """Write a window; streams without a level are left out."""
        row, columns = self._row(start), self.columns_of(streams)
        given = np.isfinite(traces["level"])
        columns = columns[given]
        self._rows[row, columns] = traces[given]
        self._newest[columns] = np.maximum(self._newest[columns], row)
        if row + 1 < len(self._starts):
            self._revised += 1
        if len(self._starts) > self.capacity + SPARE:
            self._forget()

    def restore(self, rows: Iterable[tuple[int, Stream, bytes]]) -> None:
        """Write what was kept, oldest first. Rows of another form than today's are left out."""
        for start, group in groupby(rows, key=itemgetter(0)):
            kept = [(stream, trace) for _, stream, trace in group if len(trace) == TRACE.itemsize]
            self.write(
                start,
                [stream for stream, _ in kept],
                np.frombuffer(b"".join(trace for _, trace in kept), TRACE),
            )

    def columns_of(self, streams: Sequence[Stream]) -> NDArray[np.int64]:
        """The column of each stream."""
        if self._asked[0] is not streams:
            found = [self._places.setdefault(stream, len(self._places)) for stream in streams]
            self._asked = (streams, np.array(found, np.int64))
            more = len(self._places) - self._rows.shape[1]
            if more > 0:
                more += more // 4
                self._rows = np.concatenate(
                    (self._rows, np.full((len(self._rows), more), np.nan, TRACE)), axis=1
                )
                self._newest = np.concatenate((self._newest, np.full(more, -1)))
        return self._asked[1]

    def newest_before(self, start: int, columns: NDArray[np.int64]) -> NDArray[np.void]:
        """Each stream's newest trace before the window `start`; NaN where there is none."""
        end, newest = bisect_left(self._starts, start), self._newest[columns]
        found = self._rows[newest, columns]
        found[newest < 0] = np.full((), np.nan, TRACE)
        for place in np.flatnonzero(newest >= end):
            level = self._rows["level"][:end, columns[place]]
            known = np.flatnonzero(np.isfinite(level))
            found[place] = (
                self._rows[known[-1], columns[place]] if len(known) else np.full((), np.nan, TRACE)
            )
        return found

    def levels_before(self, start: int, columns: NDArray[np.int64]) -> Floats:
        """The levels of the window that ended when `start` began; NaN where there are none."""
        place = bisect_left(self._starts, start - self.length)
        if place < len(self._starts) and self._starts[place] == start - self.length:
            found: Floats = self._rows["level"][place, columns].copy()
            return found
        return np.full(len(columns), np.nan)

    def effects_before(self, start: int, columns: NDArray[np.int64], count: int) -> Floats:
        """The effects of the newest `count` windows before `start`, newest first; NaN where there
        is none.
        """
        end = bisect_left(self._starts, start)
        found = np.full((count, len(columns)), np.nan)
        rows = self._rows["effect"][max(0, end - count) : end, columns]
        found[: len(rows)] = rows[::-1]
        return found

    def baseline(
        self, start: int, streams: Sequence[Stream], kin: Sequence[bool], needed: int, every: int
    ) -> Baseline:
        """Of good windows up to the lag before `start`, rounded down to a multiple of `every`
        microseconds.

        A stream with fewer than `needed` windows of its own takes those of another model version,
        where `kin` allows it.
        """
        cut = start // every * every if every else start
        key = (cut, tuple(streams), self._revised)
        if self._baseline is not None and self._baseline[0] == key:
            return self._baseline[1]
        end = bisect_left(self._starts, cut - self.lag * self.length)
        begin = max(0, end - self.baseline_windows - KEPT)
        if not np.isfinite(self._rows["since"][begin:end]).any():
            begin = max(begin, end - self.baseline_windows)
        columns = self.columns_of(streams)
        rows = self._rows[begin:end]
        starts = np.array(self._starts[begin:end], np.int64)
        until = self._rows[begin : bisect_left(self._starts, cut)]
        all_starts = np.array(self._starts[begin : begin + len(until)], np.int64)
        good = np.isfinite(rows["level"]) & ~_quarantined(until, all_starts)[: len(rows)]
        good &= np.cumsum(good[::-1], axis=0)[::-1] <= self.baseline_windows
        columns = self._kin(streams, kin, columns, good.sum(axis=0), needed)
        kept = np.flatnonzero(good[:, columns].any(axis=1))
        first = kept[0] if len(kept) else len(rows)
        use = good[first:, columns]
        levels, sizes = (
            np.where(use, rows[name][first:, columns], np.nan) for name in ("level", "size")
        )
        made = Baseline.of(levels, sizes, starts[first:], self.length)
        self._baseline = (key, made)
        return made

    def _kin(
        self,
        streams: Sequence[Stream],
        kin: Sequence[bool],
        columns: NDArray[np.int64],
        known: NDArray[np.int64],
        needed: int,
    ) -> NDArray[np.int64]:
        chosen = columns.copy()
        for place, (stream, shared) in enumerate(zip(streams, kin, strict=True)):
            if not shared or known[columns[place]] >= needed:
                continue
            others = [at for other, at in self._places.items() if other[1:] == stream[1:]]
            chosen[place] = max(others, key=lambda at: (known[at], -at))
        return chosen

    def _row(self, start: int) -> int:
        place = bisect_left(self._starts, start)
        if place < len(self._starts) and self._starts[place] == start:
            return place
        if len(self._starts) == len(self._rows):
            more = min(len(self._rows), SPARE)
            self._rows = np.concatenate(
                (self._rows, np.full((more, self._rows.shape[1]), np.nan, TRACE))
            )
        self._starts.insert(place, start)
        if place + 1 < len(self._starts):
            self._rows[place + 1 : len(self._starts)] = self._rows[
                place : len(self._starts) - 1
            ].copy()
            self._rows[place] = np.full(self._rows.shape[1], np.nan, TRACE)
            self._newest[self._newest >= place] += 1
        return place

    def _forget(self) -> None:
        gone = len(self._starts) - self.capacity
        self._starts = self._starts[gone:]
        self._rows = np.concatenate(
            (self._rows[gone:], np.full((gone, self._rows.shape[1]), np.nan, TRACE))
        )
        self._newest = np.maximum(self._newest - gone, -1)


def _quarantined(rows: NDArray[np.void], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Windows of a change, from its begin on; of one that was short and went away by itself only
    what lay far out.
    """
    since = rows["since"]
    held = np.zeros(since.shape, np.bool_)
    for column in np.flatnonzero(np.isfinite(since).any(axis=0)):
        on = np.isfinite(since[:, column])
        edges = np.flatnonzero(np.diff(np.concatenate(([False], on, [False]))))
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            begin = min(int(np.searchsorted(starts, since[first, column])), first)
            span = slice(begin, end)
            passed = end < len(on) and end - begin <= SHORT + 1
            held[span, column] |= (
                np.abs(rows["deviation"][span, column]) > OUTLYING if passed else True
            )
    return held
