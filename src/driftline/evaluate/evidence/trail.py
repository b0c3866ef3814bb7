"""The trail of a model: the trace that each stream left in each of the newest windows.

A trace holds all that judging later windows needs of this one, so that an agent goes on from the
stored traces after a restart. Times are microseconds since the Unix epoch.

Does not judge.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.evaluate.evidence.baseline import Baseline
from driftline.types.arrays import Floats, Ints
from driftline.types.labels import labels_json
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import DAY_MICROS

TRACE = np.dtype(
    [
        # The number on the scale where its spread is even.
        ("level", "<f8"),
        # The number on the scale where changes are compared with the tolerance.
        ("size", "<f8"),
        # Size less the expected size.
        ("effect", "<f8"),
        # Level less the expected level, in standard deviations between windows.
        ("deviation", "<f8"),
        # Evidence before the present block: by calibrator, then upper and lower side.
        ("total", "<f8", (2, 2)),
        # The run that each side is in: its evidence, windows, sum of effects, and start.
        ("run_evidence", "<f8", (2,)),
        ("run_windows", "<f8", (2,)),
        ("run_effects", "<f8", (2,)),
        ("run_start", "<f8", (2,)),
        # Windows judged since the total began.
        ("judged", "<f8"),
        # Of the change that is on: estimated start (NaN without one), side (0 upper, 1 lower), and
        # odds of the change when it was found.
        ("since", "<f8"),
        ("side", "<f8"),
        ("odds", "<f8"),
        # Start of the window.
        ("start", "<f8"),
        # Rows of the window, and the standard error of the size that they make.
        ("rows", "<f8"),
        ("size_error", "<f8"),
        # Level less the expected level.
        ("offset", "<f8"),
        # Of the present block: sum of e-values (by calibrator, then side), their number, and the
        # sum of offsets.
        ("block_total", "<f8", (2, 2)),
        ("block_windows", "<f8"),
        ("block_offset", "<f8"),
        # Mean offset of the block before; NaN without one.
        ("previous_offset", "<f8"),
    ]
)
"""One stream in one window: little-endian floats, the same on every machine."""
NO_TRACE = np.full((), np.nan, TRACE)
FIELDS = TRACE.names or ()
FIRST_TRACE = np.dtype(TRACE.descr[:13])
"""The trace that versions before 0.2 wrote: the first fields only."""
OUTLYING = 10.0
"""Standard deviations beyond which a window never enters the baseline."""
SHORT_CHANGE = 3
"""Windows that a change may last at most to enter the baseline once it has gone away by itself."""
SUBSTITUTES = 400
"""Windows beyond those of a baseline that are held, to stand in for the windows of a change."""
SPARE = 500
"""Windows by which the trail grows, and that it collects before it forgets the oldest ones."""


class WindowSizes(NamedTuple):
    """The sizes of J streams in several windows, each of shape (windows, J)."""

    size: Floats
    effect: Floats
    size_error: Floats
    rows: Floats


class WindowTraces(NamedTuple):
    """What judging reads of J streams in several windows, each of shape (windows, J)."""

    start: Floats
    size: Floats
    effect: Floats


class Stream(NamedTuple):
    """The identity of one stream."""

    version: str
    segment: str
    check: str
    name: str
    labels: str
    """JSON with sorted keys."""


def stream_of(key: WindowKey, row: JudgedMeasurement) -> Stream:
    """Return the stream that a measurement continues."""
    m = row.measurement
    return Stream(key.version, key.segment, row.check, m.name, labels_json(m.labels))


class Trail:
    """The traces of the newest windows of a model, as a matrix of windows by streams."""

    def __init__(self, length: int, baseline_windows: int, lag: int) -> None:
        """Make an empty trail.

        `length` is that of a window in microseconds, `baseline_windows` the most windows of a
        baseline, `lag` the number of newest windows that are not in it.
        """
        self.length, self.baseline_windows, self.lag = length, baseline_windows, lag
        self._starts: list[int] = []
        self._columns: dict[Stream, int] = {}
        self._columns_of_series: dict[tuple[str, ...], list[int]] = {}
        """The columns of the streams that differ in nothing but the version."""
        self._fields = {name: _missing(64, 8, name) for name in FIELDS}
        """Windows by streams, field by field: a field of many windows is read in one piece."""
        self._newest = np.full(8, -1, np.int64)
        """The row of each column's newest trace; -1 without one."""
        self._newest_traces = np.full(8, np.nan, TRACE)
        """The newest trace of each column."""
        self._columns_cache: tuple[object, Ints] = ((), np.empty(0, np.int64))
        self._selection_cache: tuple[object, slice | Ints] = (None, slice(0))
        self._baseline_cache: tuple[object, Baseline] | None = None
        self._revisions = 0

    @property
    def capacity(self) -> int:
        """The most windows that are of use."""
        return self.baseline_windows + self.lag + SUBSTITUTES

    def write(self, start: int, streams: Sequence[Stream], traces: NDArray[np.void]) -> None:
        """Write the traces of one window, shape (J,); streams without a level are left out."""
        row, columns = self._row(start), self.columns_of(streams)
        has_level = np.isfinite(traces["level"])
        if not has_level.all():
            columns, traces = columns[has_level], traces[has_level]
        selection = self._selection(columns)
        for name, values in self._fields.items():
            values[row, selection] = traces[name]
        is_newest = self._newest[selection] <= row
        if is_newest.all():
            self._newest[selection], self._newest_traces[selection] = row, traces
        else:
            columns = columns[is_newest]
            self._newest[columns], self._newest_traces[columns] = row, traces[is_newest]
        if row + 1 < len(self._starts):
            self._revisions += 1
        if len(self._starts) > self.capacity + SPARE:
            self._forget_oldest()

    def restore(self, rows: Iterable[tuple[int, Stream, bytes]]) -> None:
        """Write stored traces: start, stream and bytes, oldest first.

        Bytes of a length that no version wrote are left out.
        """
        for start, group in groupby(rows, key=itemgetter(0)):
            traces = [
                (stream, trace)
                for _, stream, trace in group
                if len(trace) in (TRACE.itemsize, FIRST_TRACE.itemsize)
            ]
            self.write(
                start,
                [stream for stream, _ in traces],
                np.array([self._parse(trace, start) for _, trace in traces], TRACE),
            )

    def _parse(self, trace: bytes, start: int) -> NDArray[np.void]:
        """The trace of stored bytes; one of an older version is a block that is over."""
        if len(trace) == TRACE.itemsize:
            newest: NDArray[np.void] = np.frombuffer(trace, TRACE)[0]
            return newest
        stored = np.frombuffer(trace, FIRST_TRACE)[0]
        parsed = np.full((), np.nan, TRACE)
        for name in FIRST_TRACE.names or ():
            parsed[name] = stored[name]
        parsed["start"], parsed["total"], parsed["block_windows"] = start, 0.0, 1.0
        parsed["block_total"] = stored["total"] if self.length >= DAY_MICROS else 0.0
        parsed["block_offset"] = 0.0
        return parsed

    def columns_of(self, streams: Sequence[Stream]) -> Ints:
        """The column of each stream; a new stream gets a new column."""
        if self._columns_cache[0] is not streams:
            columns = [self._column_of(stream) for stream in streams]
            self._columns_cache = (streams, np.array(columns, np.int64))
            more = len(self._columns) - len(self._newest)
            if more > 0:
                more += more // 4
                for name, values in self._fields.items():
                    added = _missing(len(values), more, name)
                    self._fields[name] = np.concatenate((values, added), axis=1)
                self._newest = np.concatenate((self._newest, np.full(more, -1)))
                self._newest_traces = np.concatenate(
                    (self._newest_traces, np.full(more, np.nan, TRACE))
                )
        return self._columns_cache[1]

    def _column_of(self, stream: Stream) -> int:
        column = self._columns.get(stream)
        if column is None:
            column = self._columns[stream] = len(self._columns)
            self._columns_of_series.setdefault(stream[1:], []).append(column)
        return column

    def _selection(self, columns: Ints) -> slice | Ints:
        """An index of these columns: a slice where they are neighbours, which copies nothing."""
        if self._selection_cache[0] is not columns:
            first = int(columns[0]) if len(columns) else 0
            span = np.arange(first, first + len(columns))
            is_span = np.array_equal(columns, span)
            selection = slice(first, first + len(columns)) if is_span else columns
            self._selection_cache = (columns, selection)
        return self._selection_cache[1]

    def newest_before(self, start: int, columns: Ints) -> NDArray[np.void]:
        """The newest trace of each column before the window at `start`; NaN without one."""
        end, newest = bisect_left(self._starts, start), self._newest[columns]
        traces = self._newest_traces[columns]
        traces[newest < 0] = NO_TRACE
        # A restated window has newer ones behind it.
        for place in np.flatnonzero(newest >= end):
            column = columns[place : place + 1]
            rows = np.flatnonzero(np.isfinite(self._fields["level"][:end, column[0]]))
            traces[place] = self._traces(rows[-1], column)[0] if len(rows) else NO_TRACE
        return traces

    def _traces(self, row: int, columns: Ints) -> NDArray[np.void]:
        """The traces of one window, shape (J,)."""
        traces = np.empty(len(columns), TRACE)
        for name, values in self._fields.items():
            traces[name] = values[row, columns]
        return traces

    def window_before(self, start: int, columns: Ints) -> NDArray[np.void]:
        """The traces of the window that ends at `start`; NaN where there is none."""
        row = bisect_left(self._starts, start - self.length)
        if row < len(self._starts) and self._starts[row] == start - self.length:
            return self._traces(row, columns)
        return np.full(len(columns), np.nan, TRACE)

    def offset_before(self, start: int, columns: Ints) -> Floats:
        """The offsets of the window that ends at `start`, shape (J,); NaN where there is none."""
        row = bisect_left(self._starts, start - self.length)
        if row < len(self._starts) and self._starts[row] == start - self.length:
            offset: Floats = self._fields["offset"][row, columns]
            return offset
        return np.full(len(columns), np.nan)

    def windows_before(self, start: int, columns: Ints, count: int) -> WindowTraces:
        """What is known of the newest `count` windows before `start`, newest first.

        Each field has shape (count, J); NaN where there is none.
        """
        return WindowTraces(
            *(self._before(name, start, columns, count) for name in WindowTraces._fields)
        )

    def sizes_before(self, start: int, columns: Ints, count: int) -> WindowSizes:
        """The sizes of the newest `count` windows before `start`, newest first; NaN where none."""
        return WindowSizes(
            *(self._before(name, start, columns, count) for name in WindowSizes._fields)
        )

    def effects_before(self, start: int, columns: Ints, count: int) -> Floats:
        """The effects of the `count` windows before `start`, newest first, shape (count, J).

        NaN where there is none.
        """
        return self._before("effect", start, columns, count)

    def _before(self, name: str, start: int, columns: Ints, count: int) -> Floats:
        end = bisect_left(self._starts, start)
        rows = self._fields[name][max(0, end - count) : end, self._selection(columns)]
        values = np.empty((count, len(columns)))
        values[: len(rows)], values[len(rows) :] = rows[::-1], np.nan
        return values

    def first_start(self, since: int, start: int) -> int:
        """The start of the first window in [since, start); `start` where there is none."""
        place = bisect_left(self._starts, since)
        return min(start, self._starts[place]) if place < len(self._starts) else start

    def sizes_since(self, since: int, start: int, columns: Ints) -> WindowSizes:
        """The sizes of the windows in [since, start), oldest first."""
        first, end = bisect_left(self._starts, since), bisect_left(self._starts, start)
        selection = self._selection(columns)
        return WindowSizes(
            *(self._fields[name][first:end, selection] for name in WindowSizes._fields)
        )

    def baseline(
        self,
        start: int,
        streams: Sequence[Stream],
        shared_by_versions: Sequence[bool],
        min_windows: int,
        refresh_interval: int,
    ) -> Baseline:
        """The baseline for the window at `start`: good windows that are older than the lag.

        While these are fewer than `min_windows`, the next ones after them take part as well: a new
        stream is judged as soon as it has so many windows. A baseline serves for `refresh_interval`
        microseconds; with 0, for one window. A stream with fewer than `min_windows` windows takes
        those of another model version, where it is shared.
        """
        cut = start // refresh_interval * refresh_interval if refresh_interval else start
        key = (cut, tuple(streams), self._revisions)
        if self._baseline_cache is not None and self._baseline_cache[0] == key:
            return self._baseline_cache[1]
        lag_start = bisect_left(self._starts, cut - self.lag * self.length)
        begin = max(0, lag_start - self.baseline_windows - SUBSTITUTES)
        end, known = bisect_left(self._starts, cut), len(self._columns)
        if not np.isfinite(self._fields["since"][begin:lag_start, :known]).any():
            begin = max(begin, lag_start - self.baseline_windows)
        columns = self.columns_of(streams)
        starts = np.array(self._starts[begin:end], np.int64)
        since, deviation, level, size = (
            self._fields[name][begin:end, :known]
            for name in ("since", "deviation", "level", "size")
        )
        good = np.isfinite(level)
        is_on = np.isfinite(since)
        if is_on.any():
            good &= ~_quarantined_windows(since, deviation, starts, is_on)
        old = lag_start - begin
        good[old:] &= good[:old].sum(axis=0) + np.cumsum(good[old:], axis=0) <= min_windows
        if (good.sum(axis=0) > self.baseline_windows).any():
            good &= np.cumsum(good[::-1], axis=0)[::-1] <= self.baseline_windows
        columns = self._baseline_columns(
            streams, shared_by_versions, columns, good.sum(axis=0), min_windows
        )
        selection = self._selection(columns)
        good = good[:, selection]
        good_rows = np.flatnonzero(good.any(axis=1))
        first = good_rows[0] if len(good_rows) else len(good)
        good = good[first:]
        levels, sizes = (
            np.where(good, values[first:, selection], np.nan) for values in (level, size)
        )
        baseline = Baseline.estimate(levels, sizes, starts[first:], self.length)
        self._baseline_cache = (key, baseline)
        return baseline

    def _baseline_columns(
        self,
        streams: Sequence[Stream],
        shared_by_versions: Sequence[bool],
        columns: Ints,
        good_windows: NDArray[np.int64],
        min_windows: int,
    ) -> Ints:
        """The column that the baseline of each stream is made of: its own or another version's.

        `good_windows` is by column; of several versions, that with the most windows is taken.
        """
        baseline_columns = columns.copy()
        for place, (stream, is_shared) in enumerate(zip(streams, shared_by_versions, strict=True)):
            if not is_shared or good_windows[columns[place]] >= min_windows:
                continue
            baseline_columns[place] = max(
                self._columns_of_series[stream[1:]],
                key=lambda column: (good_windows[column], -column),
            )
        return baseline_columns

    def _row(self, start: int) -> int:
        """The row of the window at `start`; rows are inserted in the order of time."""
        row = bisect_left(self._starts, start)
        if row < len(self._starts) and self._starts[row] == start:
            return row
        count = len(self._starts)
        if count == len(self._fields["level"]):
            more = min(count, SPARE)
            for name, values in self._fields.items():
                added = _missing(more, values.shape[1], name)
                self._fields[name] = np.concatenate((values, added))
        self._starts.insert(row, start)
        if row < count:
            for values in self._fields.values():
                values[row + 1 : count + 1] = values[row:count].copy()
                values[row] = np.nan
            self._newest[self._newest >= row] += 1
        return row

    def _forget_oldest(self) -> None:
        count = len(self._starts) - self.capacity
        self._starts = self._starts[count:]
        for values in self._fields.values():
            values[: len(self._starts)] = values[count : count + len(self._starts)]
            values[len(self._starts) :] = np.nan
        self._newest = np.maximum(self._newest - count, -1)


def _missing(windows: int, streams: int, name: str) -> Floats:
    """Missing values of one field of traces, shape (windows, streams, ...)."""
    return np.full((windows, streams, *TRACE[name].shape), np.nan)


def _quarantined_windows(
    since: Floats, deviation: Floats, starts: Ints, is_on: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether each window of each stream belongs to a change, from its estimated begin on.

    A short change that went away by itself keeps only the windows that lie far out. `since` and
    `deviation` are fields of traces, `is_on` says where a change is on; all have the shape of the
    result.
    """
    in_quarantine = np.zeros(since.shape, np.bool_)
    for column in np.flatnonzero(is_on.any(axis=0)):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], is_on[:, column], [False]))))
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            begin = min(int(np.searchsorted(starts, since[first, column])), first)
            span = slice(begin, end)
            is_short = end < len(starts) and end - begin <= SHORT_CHANGE + 1
            in_quarantine[span, column] |= (
                np.abs(deviation[span, column]) > OUTLYING if is_short else True
            )
    return in_quarantine
