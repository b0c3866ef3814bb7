"""The windows of one stream that the rule `loss` judges, and the evidence that follows from them.

The evidence is computed forward from the oldest window that changed: a window that late labels
restate changes that of all windows after it, as they are judged again or for the first time.

Does not know what a metric means.
"""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.loss_evidence import (
    SETTLED_BLOCKS,
    SPANS,
    Anchor,
    Begin,
    BlockSoFar,
    Drop,
    LossAlarm,
    LossState,
    LossTerms,
    close_block,
    judge_block,
    loss_since,
)
from driftline.types.arrays import Floats
from driftline.types.times import DAY_MICROS, HOUR_MICROS

SHAPE_DAYS, FEWEST_SHAPE_DAYS = 28, 14
"""The most and the fewest days that the shape of a day is estimated from."""
BEGIN_WINDOWS = 400
"""The most windows in which the begin of a loss is looked for."""
SPARE = 500
"""Windows that are collected before the oldest ones are forgotten."""
LOSS_TRACE = np.dtype(
    [
        ("start", "<f8"),
        # Difference to the reference, rows, standard errors of both, and share of the budget.
        ("difference", "<f8"),
        ("rows", "<f8"),
        ("error", "<f8"),
        ("reference_error", "<f8"),
        ("weight", "<f8"),
        # Checksum of the windows before its block.
        ("checksum", "<f8"),
        # The state before the block of the window; see `LossState`.
        ("first", "<f8", (3,)),
        ("good", "<f8", (4,)),
        ("begin_start", "<f8"),
        ("begin_anchor", "<f8", (3,)),
        ("totals", "<f8", (2, 4)),
        ("run", "<f8", (2, 4)),
        ("run_start", "<f8", (2, 4)),
        # The loss that was on; NaN without one.
        ("since", "<f8"),
        ("found", "<f8"),
        ("side", "<f8"),
        ("odds", "<f8"),
        ("size", "<f8"),
        ("doublings", "<f8"),
        ("alarm_anchor", "<f8", (3,)),
    ]
)
"""One stream in one window: little-endian floats, the same on every machine."""


class LossWindow(NamedTuple):
    """The numbers of one window, on the scale of the rule."""

    start: int
    difference: float
    """The drop against the reference."""
    rows: float
    error: float
    """Standard error of the metric."""
    reference_error: float
    """That of the reference; infinite without a reference."""
    weight: float
    """Share of the budget."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedLoss:
    """The evidence after one window."""

    before: LossState
    """The state before this window."""
    state: LossState
    """The state after it."""
    block: BlockSoFar
    trace: bytes
    begin: int | None
    """Start of the window in which the loss began; None without a loss."""


class Checkpoint(NamedTuple):
    """The state before one block."""

    block: int
    """Its start."""
    state: LossState
    checksum: int
    """Of the terms and all windows before the block."""


class LossSeries:
    """The windows of one stream, and the state before each of their blocks."""

    def __init__(self, policy: AlarmPolicy, capacity: int, *, has_reference: bool) -> None:
        """Make an empty series that holds at least the newest `capacity` windows.

        Args:
            policy: The length of windows and the budget.
            capacity: Windows that are held.
            has_reference: Whether drops are taken from a reference.
        """
        self.has_reference = has_reference
        self._policy, self._capacity = policy, capacity
        self._windows: list[LossWindow] = []
        self._starts: list[int] = []
        self._checkpoints: list[Checkpoint] = []
        """The state before each block that has been reached, oldest first."""
        self._stored: dict[int, NDArray[np.void]] = {}
        """A stored trace of each block that has not been reached, by its start."""
        self._cursor: tuple[int, LossTerms, JudgedLoss] | None = None
        """The newest window judged, its terms and its evidence."""
        self._shape: tuple[int, Floats | None] = (-1, None)

    def restore(self, trace: NDArray[np.void]) -> None:
        """Add a stored window with the state before its block; windows come oldest first."""
        names = LossWindow._fields[1:]
        window = LossWindow(int(trace["start"]), *(float(trace[name]) for name in names))
        self._stored[self._policy.block_start(window.start)] = trace
        self._windows.append(window)
        self._starts.append(window.start)

    def judge(self, window: LossWindow, terms: LossTerms) -> JudgedLoss:
        """Add a window, in place of an earlier one with its start, and judge it."""
        self._use_stored(terms)
        self._put(window)
        block = self._policy.block_start(window.start)
        _, before_block, checksum = self._checkpoint(block, terms)
        first = bisect_left(self._starts, block)
        end = bisect_right(self._starts, window.start)
        state, cursor = before_block, self._cursor
        if cursor is not None and cursor[1] == terms and block <= cursor[0] < window.start:
            first, state = bisect_right(self._starts, cursor[0]), cursor[2].state
        before = state
        for place in range(first, end):
            before = state
            so_far = self._block_so_far(block, place)
            state = judge_block(state, so_far, terms)
        trace = _make_trace(window, before_block, checksum)
        result = JudgedLoss(
            before=before,
            state=state,
            block=so_far,
            trace=trace.tobytes(),
            begin=self._find_begin(state, so_far, terms),
        )
        self._cursor = (window.start, terms, result)
        self._forget_oldest()
        return result

    def _put(self, window: LossWindow) -> None:
        """Insert a window, and forget what followed from the windows before without it."""
        place = bisect_left(self._starts, window.start)
        if place < len(self._starts) and self._starts[place] == window.start:
            if self._windows[place] == window:
                return
            self._windows[place] = window
        else:
            self._windows.insert(place, window)
            self._starts.insert(place, window.start)
        block = self._policy.block_start(window.start)
        if self._checkpoints and self._checkpoints[0].block > block:
            self._checkpoints = []
        while len(self._checkpoints) > 1 and self._checkpoints[-1].block > block:
            self._checkpoints.pop()
        if self._cursor is not None and self._cursor[0] >= window.start:
            self._cursor = None

    def _use_stored(self, terms: LossTerms) -> None:
        """Take the states of stored traces: the oldest, and the newest that the windows lead to.

        A state is out of date where a window before it was restated after it was stored.
        """
        if not self._stored:
            return
        block, trace = next(iter(self._stored.items()))
        checksum = int(trace["checksum"])
        self._checkpoints = [Checkpoint(block, _parse_state(trace), checksum)]
        newest: Checkpoint | None = None
        checksum = checksum or _checksum(terms)
        for following, trace in list(self._stored.items())[1:]:
            checksum = self._extend_checksum(checksum, block)
            is_whole = trace["good"][3] >= SETTLED_BLOCKS or not trace["first"][2]
            if int(trace["checksum"]) == checksum and is_whole:
                newest = Checkpoint(following, _parse_state(trace), checksum)
            block = following
        self._stored = {}
        if newest is not None:
            recent = self._finished_blocks(newest.block)
            state = replace(newest.state, recent=recent)
            self._checkpoints.append(newest._replace(state=state))

    def _finished_blocks(self, before: int) -> tuple[Drop, ...]:
        """The newest blocks before one, as `LossState.recent` has them."""
        blocks: list[Drop] = []
        end = bisect_left(self._starts, before)
        while end and len(blocks) < SPANS[-1]:
            block = self._policy.block_start(self._starts[end - 1])
            blocks.append(self._block_so_far(block, end - 1).drop)
            end = bisect_left(self._starts, block)
        return tuple(reversed(blocks))

    def _extend_checksum(self, checksum: int, block: int) -> int:
        """The checksum with the windows of one block."""
        first, end = (bisect_left(self._starts, t) for t in (block, block + self._block_length))
        return zlib.crc32(np.array(self._windows[first:end]).tobytes(), checksum)

    def _checkpoint(self, block: int, terms: LossTerms) -> Checkpoint:
        """The state before a block; the blocks up to it are closed."""
        if not self._checkpoints:
            oldest = self._policy.block_start(self._starts[0])
            self._checkpoints = [Checkpoint(oldest, LossState(), _checksum(terms))]
        place = bisect_right(self._checkpoints, block, key=lambda item: item.block) - 1
        at, state, checksum = self._checkpoints[max(place, 0)]
        while at < block:
            first, end = (bisect_left(self._starts, t) for t in (at, at + self._block_length))
            for index in range(first, end):
                so_far = self._block_so_far(at, index)
                state = judge_block(state, so_far, terms)
            if first < end:
                state = close_block(state, so_far, terms)
            checksum = self._extend_checksum(checksum, at)
            at = min(block, self._policy.block_start(self._starts[end]))
            self._checkpoints.append(Checkpoint(at, state, checksum))
        return Checkpoint(at, state, checksum)

    def _find_begin(self, state: LossState, block: BlockSoFar, terms: LossTerms) -> int | None:
        """Find the window of the first block of a loss in which it began.

        It is the cut between the usual drop and the drop of the loss that has the largest
        likelihood.
        """
        if state.alarm is None or state.alarm_anchor is None:
            return None
        first_block = self._policy.block_start(state.alarm.since)
        first, end = (
            bisect_left(self._starts, t) for t in (first_block, first_block + self._block_length)
        )
        if end - first < 2:
            return state.alarm.since
        shape, usual = self._shape_of_day(block.drop.start), state.alarm_anchor.offset
        loss, _ = loss_since(state, block, terms)
        drops = [self._adjusted(window, shape) for window in self._windows[first:end]]
        gains = [
            ((drop.drop - usual) ** 2 - (drop.drop - usual - loss) ** 2) / max(drop.variance, 1e-18)
            for drop in drops
        ]
        gains_from = np.cumsum(gains[::-1])[::-1]
        return drops[int(np.argmax(gains_from))].start

    @property
    def _block_length(self) -> int:
        return self._policy.block_length

    def _block_so_far(self, block: int, place: int) -> BlockSoFar:
        """The block that begins at `block`, up to the window at `place`."""
        newest = self._windows[place]
        shape = self._shape_of_day(block)
        drops = [
            self._adjusted(window, shape)
            for window in self._windows[bisect_left(self._starts, block) : place + 1]
        ]
        rows = np.array(
            [window.rows for window in self._windows[place + 1 - len(drops) : place + 1]]
        )
        rows = rows / rows.sum()
        has_days = self._policy.has_day_blocks
        is_over = not has_days or newest.start + self._policy.length >= block + self._block_length
        pooled = Drop(
            block,
            float(rows @ [drop.drop for drop in drops]),
            float(rows**2 @ [drop.variance for drop in drops]),
        )
        return BlockSoFar(
            drop=pooled,
            reference_error=newest.reference_error,
            weight=newest.weight,
            counts=is_over or shape is not None,
            is_over=is_over,
            windows=partial(self._newest_drops, place, shape),
        )

    def _newest_drops(self, place: int, shape: Floats | None) -> list[Drop]:
        """The newest windows up to the one at `place`, without the shape of the day."""
        windows = self._windows[max(0, place + 1 - BEGIN_WINDOWS) : place + 1]
        return [self._adjusted(window, shape) for window in windows]

    def _adjusted(self, window: LossWindow, shape: Floats | None) -> Drop:
        usual = 0.0 if shape is None else float(shape[_hour(window.start)])
        return Drop(window.start, window.difference - usual, window.error**2)

    def _shape_of_day(self, block: int) -> Floats | None:
        """How much each hour usually differs from its day, shape (24,).

        None where windows are no shorter than a day, or too few days are known. It is shrunk by
        the part of the differences that the number of rows makes.
        """
        if not self._policy.has_day_blocks:
            return None
        if self._shape[0] != block:
            self._shape = (block, self._estimate_shape(block))
        return self._shape[1]

    def _estimate_shape(self, block: int) -> Floats | None:
        first = bisect_left(self._starts, block - SHAPE_DAYS * DAY_MICROS)
        windows = self._windows[first : bisect_left(self._starts, block)]
        if not windows:
            return None
        start, drop, rows, error = np.array([window[:4] for window in windows]).T
        days, day = np.unique(start // DAY_MICROS, return_inverse=True)
        if len(days) < FEWEST_SHAPE_DAYS:
            return None
        hour = (start % DAY_MICROS // HOUR_MICROS).astype(np.int64)
        day_mean = np.bincount(day, rows * drop) / np.bincount(day, rows)
        hour_rows = np.maximum(np.bincount(hour, rows, 24), 1e-9)
        effect = np.bincount(hour, rows * (drop - day_mean[day]), 24) / hour_rows
        variance = np.bincount(hour, (rows * error) ** 2, 24) / hour_rows**2
        of_effects = float(hour_rows @ effect**2)
        if of_effects <= 0:
            return np.zeros(24)
        effects: Floats = effect * max(0.0, 1 - float(hour_rows @ variance) / of_effects)
        return effects

    def _forget_oldest(self) -> None:
        if len(self._windows) <= self._capacity + SPARE:
            return
        block = self._policy.block_start(self._starts[len(self._starts) - self._capacity])
        first = bisect_left(self._starts, block)
        place = bisect_left(self._checkpoints, block, key=lambda item: item.block)
        if place == len(self._checkpoints):
            return
        self._windows, self._starts = self._windows[first:], self._starts[first:]
        self._checkpoints = self._checkpoints[place:]


def _checksum(terms: LossTerms) -> int:
    """The checksum before the first window; other terms make another one."""
    return zlib.crc32(repr(terms).encode()) or 1


def _hour(start: int) -> int:
    return start % DAY_MICROS // HOUR_MICROS


def _make_trace(window: LossWindow, state: LossState, checksum: int) -> NDArray[np.void]:
    """The trace of a window, with the state before its block."""
    trace = np.full((), np.nan, LOSS_TRACE)
    for name in LossWindow._fields:
        trace[name] = getattr(window, name)
    trace["checksum"] = checksum
    trace["first"], trace["good"] = state.first, state.good
    if state.begins:
        newest = state.begins[-1]
        totals = sum(begin.totals for begin in state.begins)
        sides, margins = newest.totals.shape
        trace["begin_start"], trace["begin_anchor"] = newest.start, newest.anchor
        trace["totals"][:sides, :margins] = totals
    if state.run is not None and state.run_start is not None:
        sides, margins = state.run.shape
        trace["run"][:sides, :margins] = state.run
        trace["run_start"][:sides, :margins] = state.run_start
    if state.alarm is not None:
        alarm = state.alarm
        trace["since"], trace["found"], trace["side"] = alarm.since, alarm.block, alarm.side
        trace["odds"], trace["size"] = alarm.odds, alarm.size
        trace["doublings"], trace["alarm_anchor"] = alarm.doublings, state.alarm_anchor
    return trace


def _parse_state(trace: NDArray[np.void]) -> LossState:
    """The state before the block of a stored window.

    Begins within the first blocks are taken together.
    """
    first, good = trace["first"].tolist(), trace["good"].tolist()
    begins: tuple[Begin, ...] = ()
    if not math.isnan(trace["begin_start"]):
        begins = (
            Begin(
                start=int(trace["begin_start"]),
                anchor=_parse_anchor(trace["begin_anchor"]),
                totals=_without_padding(trace["totals"]),
                is_open=True,
            ),
        )
    alarm = None
    if not math.isnan(trace["since"]):
        alarm = LossAlarm(
            since=int(trace["since"]),
            block=int(trace["found"]),
            side=float(trace["side"]),
            odds=float(trace["odds"]),
            size=float(trace["size"]),
            doublings=int(trace["doublings"]),
        )
    has_run = not math.isnan(trace["run"][0, 0])
    return LossState(
        first=(first[0], first[1], int(first[2])),
        good=(good[0], good[1], good[2], int(good[3])),
        begins=begins,
        run=_without_padding(trace["run"]) if has_run else None,
        run_start=_without_padding(trace["run_start"]) if has_run else None,
        alarm=alarm,
        alarm_anchor=None if alarm is None else _parse_anchor(trace["alarm_anchor"]),
    )


def _parse_anchor(values: Floats) -> Anchor:
    return Anchor(float(values[0]), float(values[1]), is_proven=bool(values[2]))


def _without_padding(values: Floats) -> Floats:
    is_used = ~np.isnan(values)
    used: Floats = values[is_used.any(axis=1)][:, is_used.any(axis=0)].copy()
    return used
