"""Begins and ends of changes, from the newest windows of each stream.

Shapes: J streams. An array by side has shape (2, J): row 0 for changes upwards, row 1 for changes
downwards.

Does not add up evidence.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.baseline import Baseline
from driftline.evaluate.evidence.blocks import WHOLE_DAY, clear_evidence
from driftline.evaluate.evidence.missing import zero_missing
from driftline.evaluate.evidence.observation import Panel, StreamNumbers
from driftline.evaluate.evidence.odds import share_of
from driftline.evaluate.evidence.trail import Trail, WindowSizes, WindowTraces
from driftline.types.arrays import Floats
from driftline.types.times import DAY_MICROS

RUN_BOUND, SPAN_BOUND = 2.0, 3.0
"""Standard errors by which an effect must exceed the tolerance: over the whole run; over a span.

A span needs more, because there are several of them to choose from.
"""
SPANS = (2, 4, 7, 14)
"""Newest blocks over which an effect is averaged, beside the whole run or the newest day."""
END_ODDS, END_BLOCKS = 1_000.0, 14
"""Odds of the newest blocks for the end of a change, and the most blocks that are needed for them.

A small change needs more blocks to be over than a large one.
"""
NEWEST = 3
"""Newest windows whose median tells whether a change is over; 24 hours where they are shorter."""
Z = 1.96
"""Standard errors on each side of a 95% interval."""
FAR_OUT = 1 / 8
"""The fast lane needs a p-value below this share of the smallest one that a rank can have.

With a tail of index 3 that is twice the largest deviation of the baseline.
"""


class DayMean(NamedTuple):
    """The mean size of J streams over the windows of a day, each of shape (J,)."""

    size: Floats
    size_error: Floats
    windows: Floats
    """The number of windows with a size."""


class RecentWindows:
    """The newest windows of J streams, the present one included, newest first."""

    def __init__(
        self,
        trail: Trail,
        *,
        start: int,
        columns: NDArray[np.int64],
        traces: NDArray[np.void],
        policy: AlarmPolicy,
    ) -> None:
        """Take the trail before the window at `start`, microseconds, and its traces (J,)."""
        self._trail, self._start, self._columns = trail, start, columns
        self._traces, self._policy = traces, policy

    def effects(self, count: int) -> Floats:
        """The effects of the newest `count` windows, shape (count, J); NaN where there is none."""
        earlier = self._trail.effects_before(self._start, self._columns, count - 1)
        return np.vstack((self._traces["effect"][None], earlier))

    def windows(self, count: int, stream: int) -> WindowTraces:
        """The newest `count` windows of one stream, each field of shape (count,)."""
        column, now = self._columns[stream : stream + 1], self._traces[stream : stream + 1]
        earlier = self._trail.windows_before(self._start, column, count - 1)
        fields = zip(WindowTraces._fields, earlier, strict=True)
        return WindowTraces(*(np.concatenate((now[name], field[:, 0])) for name, field in fields))

    def first_start(self, since: float, stream: int) -> float:
        """The start of the first window of a stream with a size, `since` or later, microseconds."""
        rows = self.windows(2 * self._policy.day_windows, stream)
        starts = rows.start[np.isfinite(rows.size)]
        return float(starts[starts >= since].min(initial=self._start))

    def day_mean(self, days_ago: int) -> DayMean:
        """The mean size of a whole day: the newest 24 hours, or those some days before."""
        if days_ago == 0:
            return self._newest_mean
        end = self._start + self._policy.length - days_ago * DAY_MICROS
        return weighted_mean(self._trail.sizes_since(end - DAY_MICROS, end, self._columns))

    def begin_of_days(self, count: int) -> int:
        """The start of the first known window in the newest `count` times 24 hours."""
        since = self._start + self._policy.length - count * DAY_MICROS
        return self._trail.first_start(since, self._start)

    @cached_property
    def newest(self) -> WindowSizes:
        """The windows that tell whether a change is over."""
        now = WindowSizes(*(self._traces[name][None] for name in WindowSizes._fields))
        if self._policy.has_day_blocks:
            since = self._start + self._policy.length - DAY_MICROS
            earlier = self._trail.sizes_since(since, self._start, self._columns)
            return WindowSizes(*map(np.concatenate, zip(earlier, now, strict=True)))
        earlier = self._trail.sizes_before(self._start, self._columns, NEWEST - 1)
        is_finite = np.isfinite(earlier.size)
        rows = (
            np.concatenate((present, np.where(is_finite, values, present)))
            for values, present in zip(earlier, now, strict=True)
        )
        return WindowSizes(*rows)

    @cached_property
    def _newest_mean(self) -> DayMean:
        return weighted_mean(self.newest)

    @cached_property
    def effect(self) -> Floats:
        """The mean effect of the newest 24 hours, or the median of the newest windows, (J,)."""
        effects = self.newest.effect
        if self._policy.has_day_blocks:
            return _mean(effects)
        median: Floats = np.median(effects, axis=0)
        return median

    @cached_property
    def size(self) -> Floats:
        """The mean size of the newest 24 hours, or the median of the newest windows, (J,)."""
        if self._policy.has_day_blocks:
            return self._newest_mean.size
        median: Floats = np.median(self.newest.size, axis=0)
        return median

    @cached_property
    def size_error(self) -> Floats:
        """The standard error that the rows of these windows make together, shape (J,)."""
        if self._policy.has_day_blocks:
            return self._newest_mean.size_error
        errors = zero_missing(self.newest.size_error)
        error: Floats = np.sqrt((errors**2).sum(axis=0)) / len(errors)
        return error

    def is_home(self, panel: Panel, numbers: StreamNumbers) -> NDArray[np.bool_]:
        """Whether the newest windows are as the reference is, shape (J,).

        Their distance from it is below the tolerance and one standard error. It is false for sizes
        that can't be averaged over a day.
        """
        limit = panel.tolerance + self.size_error
        can_tell = panel.is_additive | (not self._policy.has_day_blocks)
        home: NDArray[np.bool_] = can_tell & (
            np.abs(panel.distance(self.size, numbers.neutral)) < limit
        )
        return home

    def is_in_range(
        self, panel: Panel, numbers: StreamNumbers, baseline: Baseline
    ) -> NDArray[np.bool_]:
        """Whether the newest windows lie in the range of the reference's own weeks or months, (J,).

        They do unless the lower bound of their distance from it reaches the tolerance. It is false
        where the rows of the reference have no times.
        """
        if not panel.has_range.any():
            return panel.has_range
        blocks = 1 if self._policy.has_day_blocks else len(self.newest.size)
        sd = zero_missing(day_sd(baseline, self._policy)) / math.sqrt(blocks)
        error = np.maximum(sd, zero_missing(self.size_error))
        distance = np.abs(panel.distance(self.size, numbers.neutral))
        is_near = distance - RUN_BOUND * error < panel.tolerance
        in_range: NDArray[np.bool_] = panel.has_range & is_near
        return in_range


def weighted_mean(windows: WindowSizes) -> DayMean:
    """Mean size over windows by their rows; NaN without a window."""
    is_finite = np.isfinite(windows.size)
    count = is_finite.sum(axis=0)
    weight = np.where(is_finite, np.maximum(windows.rows, 1.0), 0.0)
    weight = weight / np.where(count > 0, weight.sum(axis=0), np.nan)
    mean = (weight * np.where(is_finite, windows.size, 0.0)).sum(axis=0)
    error = np.sqrt((weight**2 * zero_missing(windows.size_error) ** 2).sum(axis=0))
    return DayMean(mean, error, count.astype(np.float64))


def continue_changes(
    traces: NDArray[np.void],
    previous: NDArray[np.void],
    panel: Panel,
    numbers: StreamNumbers,
    recent: RecentWindows,
    policy: AlarmPolicy,
    baseline: Baseline,
    is_judged: NDArray[np.bool_],
) -> None:
    """Keep a change on until the newest windows are near expectation, or as the reference is."""
    is_on = np.isfinite(previous["since"])
    if not is_on.any():
        return
    near = np.maximum(panel.tolerance / 2, day_sd(baseline, policy))
    is_home = recent.is_home(panel, numbers)
    is_over = (is_judged & (np.abs(recent.effect) < near)) | is_home
    if policy.has_day_blocks:
        # The newest 24 hours must all lie behind the begin.
        is_over &= traces["start"] + policy.length - previous["since"] >= DAY_MICROS
    error = recent.size_error if policy.has_day_blocks else numbers.size_error
    sd = np.fmax(day_sd(baseline, policy), error)
    expected = panel.distance(traces["size"] - traces["effect"], numbers.neutral)
    for stream in np.flatnonzero(is_on & is_over).tolist():
        sign = 1.0 if previous["side"][stream] == 0 else -1.0
        home = -sign * expected[stream] if is_home[stream] else 0.0
        is_over[stream] = _is_nearer_to_end(
            recent,
            policy,
            stream,
            since=previous["since"][stream],
            sign=sign,
            end=home,
            sd=sd[stream],
        )
    stays = is_on & ~is_over
    for name in ("since", "side", "odds"):
        traces[name] = np.where(stays, previous[name], traces[name])
    for stream in np.flatnonzero(is_on).tolist():
        clear_evidence(traces, stream)
        if stays[stream]:
            side = int(previous["side"][stream])
            effect = np.nan_to_num(traces["effect"][stream])
            traces["run_windows"][stream, side] = previous["run_windows"][stream, side] + 1
            traces["run_effects"][stream, side] = previous["run_effects"][stream, side] + (
                effect if side == 0 else -effect
            )
            traces["run_start"][stream, side] = previous["run_start"][stream, side]
            # Above 1, so that the run goes on in the next window.
            traces["run_evidence"][stream, side] = 2.0


def _is_nearer_to_end(
    recent: RecentWindows,
    policy: AlarmPolicy,
    stream: int,
    *,
    since: float,
    sign: float,
    end: float,
    sd: float,
) -> bool:
    """Whether the newest blocks of a stream are those of the end of a change, not of the change.

    The size of the change is the mean effect of the blocks before them. Their likelihood ratio must
    reach `END_ODDS`; after `END_BLOCKS` it is enough that they lie nearer to the end. `sd` is that
    of one block, `sign` that of the change, `end` the effect where it is over. Without this, a
    change that is little larger than the tolerance ends and begins again.
    """
    day = policy.day_windows
    first = 1 if policy.has_day_blocks else NEWEST
    rows = recent.windows(2 * END_BLOCKS * day, stream)
    effects = sign * rows.effect - end
    is_in_change = rows.start >= since
    for blocks in range(first, END_BLOCKS + 1):
        count = blocks * day
        before = effects[count : count + END_BLOCKS * day]
        before = before[is_in_change[count : count + END_BLOCKS * day]]
        size = float(_mean(before[:, None])[0])
        if size <= 0:
            # A change of few windows has none before the first split.
            return blocks == first
        nearer = size / 2 - float(_mean(effects[:count, None])[0])
        if blocks * size * nearer / sd**2 >= math.log(END_ODDS):
            return True
    return nearer > 0


def day_sd(baseline: Baseline, policy: AlarmPolicy) -> Floats:
    """Standard deviation of sizes between blocks, shape (J,)."""
    if not policy.has_day_blocks:
        return baseline.size_sd
    within: Floats = baseline.size_sd / math.sqrt(policy.day_windows)
    return np.maximum(baseline.day_size_sd, within)


def material_sides(
    traces: NDArray[np.void],
    panel: Panel,
    numbers: StreamNumbers,
    recent: RecentWindows,
    policy: AlarmPolicy,
    baseline: Baseline,
    is_judged: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Where the lower bound of the effect reaches the tolerance, shape (2, J).

    The bound is the largest of those over the whole run, or the newest 24 hours where windows are
    shorter than a day, and over each of `SPANS`. A share that was always 0 has no spread in the
    baseline: what chance makes of its rows counts then.
    """
    least_sd = numbers.size_error / math.sqrt(policy.day_windows)
    sd = np.maximum(day_sd(baseline, policy), np.where(panel.is_share, least_sd, 0.0))
    if policy.has_day_blocks:
        lower_bound = _both_sides(recent.effect) - RUN_BOUND * sd
    else:
        windows = traces["run_windows"].T
        error = RUN_BOUND * sd * baseline.widening(windows) / np.sqrt(windows)
        lower_bound = traces["run_effects"].T / windows - error
    effects = recent.effects(SPANS[-1] * policy.day_windows)
    for span in SPANS:
        span_effects = effects[: span * policy.day_windows]
        count = np.maximum(np.isfinite(span_effects).sum(axis=0) / policy.day_windows, 1)
        error = SPAN_BOUND * sd * baseline.widening(count) / np.sqrt(count)
        span_bound = _both_sides(_mean(span_effects)) - error
        is_used = np.full(span_bound.shape, True)
        if not policy.has_day_blocks:
            is_used = span < traces["run_windows"].T
        lower_bound = np.where(is_used, np.maximum(lower_bound, span_bound), lower_bound)
    material: NDArray[np.bool_] = is_judged & (lower_bound >= panel.tolerance)
    if policy.has_day_blocks:
        # What is over already is no change: the newest three hours show it, too.
        newest = _mean(effects[: policy.short_windows])
        material &= _both_sides(newest) >= panel.tolerance
        # A day of its own kind, such as the last of a month, is no change: what is below `obvious`
        # must show a day earlier, too.
        day_before = _mean(effects[policy.day_windows :][: policy.short_windows])
        lasts = _both_sides(day_before) >= panel.tolerance
        material &= lasts | ~np.isfinite(panel.obvious)
    return material


def estimate_begin(recent: RecentWindows, policy: AlarmPolicy, stream: int, side: int) -> float:
    """Estimate when the change of a stream began, microseconds; NaN where its windows are few.

    The begin is where the sum of effects, less half of the newest effect each, is largest when it
    is taken backwards from now (Page 1954).
    """
    rows = recent.windows(SPANS[-1] * policy.day_windows, stream)
    effects = rows.effect if side == 0 else -rows.effect
    is_finite = np.isfinite(effects)
    effects, starts = effects[is_finite], rows.start[is_finite]
    if len(effects) < 2:
        return math.nan
    newest = float(np.median(effects[: max(NEWEST, policy.short_windows)]))
    return float(starts[int(np.argmax(np.cumsum(effects - newest / 2)))])


def returning_sides(
    panel: Panel,
    numbers: StreamNumbers,
    recent: RecentWindows,
    policy: AlarmPolicy,
    baseline: Baseline,
) -> NDArray[np.bool_]:
    """Where a change leads from an unusual baseline towards the reference, shape (2, J).

    It does as long as it is not proven to be beyond the reference on the other side. What counts
    are the newest two windows, or three hours where windows are shorter, without season.
    """
    distance = panel.distance(baseline.size_mean, numbers.neutral)
    count = max(2, policy.short_windows)
    hours = baseline.size_mean + _mean(recent.effects(count))
    between_days = np.minimum(zero_missing(day_sd(baseline, policy)), panel.tolerance)
    error = np.maximum(numbers.size_error, between_days) / np.sqrt(count)
    newest = panel.distance(hours, numbers.neutral)
    limit = panel.tolerance + RUN_BOUND * error
    upwards = (distance < -panel.tolerance) & (newest < limit)
    downwards = (distance > panel.tolerance) & (newest > -limit)
    return np.stack([upwards, downwards])


def begin_obvious_changes(
    traces: NDArray[np.void],
    previous: NDArray[np.void],
    panel: Panel,
    numbers: StreamNumbers,
    recent: RecentWindows,
    policy: AlarmPolicy,
    *,
    least_p_value: Floats,
    p_values: Floats,
    returns: NDArray[np.bool_],
    is_judged: NDArray[np.bool_],
    is_in_range: NDArray[np.bool_],
) -> None:
    """Mark streams as changed that two windows in a row show to be beyond `obvious`.

    The present one must prove it. With a baseline both are compared with what is usual, and the
    present one must lie far outside of all that the baseline holds: `p_values`, shape (2, J), are
    compared with `least_p_value`, shape (J,), the smallest that a rank can have. Without one both
    are compared with the reference, over whole days where windows are shorter than a day.
    `returns`, shape (2, J), are the sides on which a stream returns to the reference.
    """
    can_change = np.isfinite(panel.obvious) & np.isnan(traces["since"]) & ~is_in_range
    is_learning = can_change & ~is_judged & np.isfinite(numbers.neutral)
    is_learning &= np.isfinite(traces["level"])
    before, begin = previous["effect"], previous["start"]
    now, error = traces["effect"], numbers.size_error
    is_far_out = p_values < FAR_OUT * least_p_value
    if policy.has_day_blocks and is_learning.any():
        is_learning &= panel.is_additive
        day, day_before = recent.day_mean(0), recent.day_mean(1)
        is_whole = np.minimum(day.windows, day_before.windows) >= WHOLE_DAY * policy.day_windows
        is_learning &= is_whole
        now = np.where(is_learning, panel.distance(day.size, numbers.neutral), now)
        before = np.where(is_learning, panel.distance(day_before.size, numbers.neutral), before)
        error = np.where(is_learning, day.size_error, error)
        begin = np.where(is_learning, recent.begin_of_days(2), begin)
    usual = np.where(is_learning, numbers.neutral, traces["size"] - traces["effect"])
    is_proven = _distances(usual, now, Z * error, panel) > panel.obvious
    is_repeated = _distances(usual, before, 0.0, panel) > panel.obvious
    has_evidence = is_learning | (can_change & is_judged & is_far_out & ~returns)
    begins = is_proven & is_repeated & has_evidence & panel.sides
    for side, stream in zip(*np.nonzero(begins), strict=True):
        if is_learning[stream] and policy.has_day_blocks:
            # A day is whole without its first windows: a change begins in the first one with rows.
            begin[stream] = recent.first_start(begin[stream], stream)
        clear_evidence(traces, stream)
        traces["since"][stream], traces["side"][stream] = begin[stream], side
        traces["run_start"][stream, side] = begin[stream]
        traces["run_windows"][stream, side] = 2.0
        traces["run_effects"][stream, side] = _both_sides(now + before)[side, stream]
        traces["run_evidence"][stream, side] = 2.0


def _distances(usual: Floats, effect: Floats, margin: Floats | float, panel: Panel) -> Floats:
    """How far a size is from the usual one at least, upwards and downwards, shape (2, J).

    The distance of shares is taken between the shares themselves. `margin` is what chance may add
    to the effect.
    """
    plain = np.stack([effect - margin, -effect - margin])
    if not panel.is_share.any():
        return plain
    usual_share = share_of(usual)
    lower, upper = share_of(usual + effect - margin), share_of(usual + effect + margin)
    return np.where(panel.is_share, np.stack([lower - usual_share, usual_share - upper]), plain)


def _both_sides(effects: Floats) -> Floats:
    """Effects upwards and downwards, shape (2, J)."""
    return np.stack([effects, -effects])


def _mean(effects: Floats) -> Floats:
    """The mean over the windows with an effect, shape (J,); 0 without one."""
    is_finite = np.isfinite(effects)
    count = np.maximum(is_finite.sum(axis=0), 1)
    mean: Floats = np.where(is_finite, effects, 0.0).sum(axis=0) / count
    return mean
