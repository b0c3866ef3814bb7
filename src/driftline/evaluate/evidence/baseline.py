"""The baseline of a set of streams: what their good windows were like.

Shapes: K windows, J streams. An array over both has windows along axis 0 and streams along axis 1;
NaN stands where a window of a stream is missing or not in the baseline. Times are microseconds
since the Unix epoch. The formulas are in docs/statistics.md, "Many tests, many windows"; the choice
of calendar effects and memory is in docs/decisions/0012-evidence-over-windows.md.

Does not choose the windows: the trail leaves those of a change out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.types.arrays import Floats
from driftline.types.times import DAY_MICROS, EPOCH, HOUR_MICROS

Places = NDArray[np.int64]
MAX_MEMORY = 0.9
"""Upper limit of the autocorrelation that is used."""
MEMORY_QUANTILE = 1.64
"""Autocorrelation counts from 1.64/sqrt(K) on: its one-sided 5% limit under independence."""
STRONG_CORRELATION = 0.7
"""Correlation of residuals from which two streams count as moving together."""
TAIL_INDEX = 3.0
"""Index of the Pareto tail beyond the largest score of a baseline: that of Student's t(3)."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The calendar effects of windows of one length: hour, weekday, last day of a month.

    An effect exists only where windows are not longer than what it is about.
    """

    length: int
    """Length of a window, microseconds."""

    def groups(self, starts: Places) -> list[tuple[Places, int]]:
        """For each season, the group of each window, shape (K,), and the number of groups."""
        groups = []
        if self.length < DAY_MICROS:
            groups.append((starts // HOUR_MICROS % 24, 24))
        if self.length <= DAY_MICROS:
            groups.append((starts // DAY_MICROS % 7, 7))
        return groups

    def month_ends(self, starts: Places) -> NDArray[np.bool_]:
        """Whether each window lies on the last day of a month, shape (K,)."""
        if self.length > DAY_MICROS:
            return np.zeros(len(starts), np.bool_)
        return np.array(
            [_is_last_of_month(day) for day in (starts // DAY_MICROS).tolist()], np.bool_
        )


@lru_cache(maxsize=10_000)
def _is_last_of_month(day: int) -> bool:
    return (EPOCH + timedelta(days=day + 1)).day == 1


@dataclass(frozen=True, slots=True)
class Season:
    """The calendar effects of J streams."""

    effects: Sequence[Floats]
    """One array a season, shape (groups, J)."""
    month_end: Floats
    """Effect of the last day of a month, shape (J,)."""

    @classmethod
    def estimate(cls, values: Floats, starts: Places, calendar: Calendar) -> tuple[Season, Floats]:
        """The effects in `values`, shape (K, J), and the values without them.

        Month ends come first, because they stand out most, then hours, then weekdays.
        """
        is_month_end = calendar.month_ends(starts)
        month_end = stats.mark_effect(values, is_month_end)
        remainder = values - np.where(is_month_end[:, None], month_end, 0.0)
        effects = []
        for groups, count in calendar.groups(starts):
            effects.append(stats.season_effects(remainder, groups, count))
            remainder = remainder - effects[-1][groups]
        return cls(effects, month_end), remainder

    def at(self, starts: Places, calendar: Calendar) -> Floats:
        """The sum of the effects at each start, shape (len(starts), J)."""
        total = np.where(calendar.month_ends(starts)[:, None], self.month_end, 0.0)
        for effect, (groups, _) in zip(self.effects, calendar.groups(starts), strict=True):
            total = total + effect[groups]
        return total


@dataclass(frozen=True, slots=True)
class Comparison:
    """A new window of J streams against their baseline."""

    p_values: Floats
    """Chance of a level this far up (row 0) or down (row 1) or further, shape (2, J)."""
    deviation: Floats
    """Level less the expected level, in standard deviations between windows, shape (J,)."""
    effect: Floats
    """Size less the expected size, shape (J,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Estimates for J streams from K windows; shape (J,) each where nothing else is said."""

    calendar: Calendar
    windows: Floats
    """Number of windows of each stream."""
    season: Season
    """Calendar effects of the level."""
    mean: Floats
    """Mean level, season removed."""
    sd: Floats
    """Standard deviation of levels between windows, season and memory removed."""
    memory: Floats
    """Lag-1 autocorrelation rho of levels; 0 where chance alone may make it."""
    residuals: Floats
    """Levels without season and memory, shape (K, J)."""
    scores: stats.Ranks
    """Externally studentised residuals."""
    size_season: Season
    """Calendar effects of the size."""
    size_mean: Floats
    """Mean size, season removed."""
    size_sd: Floats
    """Standard deviation of sizes between windows, season removed."""
    _correlations_cache: dict[int, Places] = field(default_factory=dict, compare=False, repr=False)
    """Results of `correlated_with`: a change asks for them again in each of its windows."""

    @classmethod
    def estimate(cls, levels: Floats, sizes: Floats, starts: Places, length: int) -> Baseline:
        """Estimate from levels and sizes, shape (K, J), of windows of one length.

        `starts`, shape (K,), rises; `length` is in microseconds.
        """
        calendar = Calendar(length)
        season, deviations = Season.estimate(levels, starts, calendar)
        size_season, size_deviations = Season.estimate(sizes, starts, calendar)
        mean = stats.nan_mean(deviations)
        deviations = deviations - mean
        windows = np.isfinite(levels).sum(axis=0).astype(np.float64)
        has_previous = np.diff(starts, prepend=starts[:1] - 2 * length) == length
        memory = _memory(deviations, has_previous, windows)
        residuals = _remove_memory(deviations, has_previous, memory)
        residuals = residuals - stats.nan_mean(residuals)
        return cls(
            calendar=calendar,
            windows=windows,
            season=season,
            mean=mean,
            sd=np.sqrt(stats.nan_variance(residuals)),
            memory=memory,
            residuals=residuals,
            scores=stats.Ranks(stats.studentise(residuals)),
            size_season=size_season,
            size_mean=stats.nan_mean(size_deviations),
            size_sd=np.sqrt(stats.nan_variance(size_deviations)),
        )

    def compare(
        self, start: int, level: Floats, size: Floats, previous_level: Floats, least_sd: Floats
    ) -> Comparison:
        """Compare the window that begins at `start` with the baseline.

        `level` and `size`, shape (J,), are its numbers; `previous_level`, shape (J,), are the
        levels of the window right before it, NaN where there is none. `least_sd`, shape (J,), is
        the standard deviation that the number of rows alone makes: a smaller one in the baseline
        is chance.
        """
        at = np.array([start, start - self.calendar.length], np.int64)
        expected = self.season.at(at, self.calendar) + self.mean
        deviation, previous = level - expected[0], previous_level - expected[1]
        residual = np.where(
            np.isfinite(previous),
            deviation - self.memory * np.nan_to_num(previous),
            deviation * _innovation_scale(self.memory),
        )
        sd = np.maximum(self.sd, least_sd)
        with np.errstate(all="ignore"):
            t = np.nan_to_num(
                residual / (sd * np.sqrt(1 + 1 / np.maximum(self.windows, 1))),
                nan=0.0,
                posinf=1e9,
                neginf=-1e9,
            )
        t = np.where(np.isfinite(level), t, np.nan)
        p_values = np.stack(self.scores.tails(t, TAIL_INDEX))
        effect = size - self.size_season.at(at[:1], self.calendar)[0] - self.size_mean
        return Comparison(p_values, t, effect)

    def correlated_with(self, stream: int) -> Places:
        """The streams whose residuals are strongly correlated with those of `stream`."""
        if stream not in self._correlations_cache:
            is_strong = np.abs(stats.correlations(self.residuals, stream)) > STRONG_CORRELATION
            is_strong[stream] = False
            self._correlations_cache[stream] = np.flatnonzero(is_strong)
        return self._correlations_cache[stream]

    @property
    def inflation(self) -> Floats:
        """Factor by which memory widens the error of a mean of many windows, shape (J,).

        sqrt((1 + rho) / (1 - rho)).
        """
        inflation: Floats = np.sqrt((1 + self.memory) / (1 - self.memory))
        return inflation

    def widening(self, windows: Floats) -> Floats:
        """The same factor for the mean of n `windows` in a row; the result has their shape.

        sqrt(1 + 2 sum of (1 - k/n) rho^k for 0 < k < n), in closed form.
        """
        rho, n = self.memory, np.maximum(windows, 1)
        widening: Floats = np.sqrt(
            (1 + rho) / (1 - rho) - 2 * rho * (1 - rho**n) / (n * (1 - rho) ** 2)
        )
        return widening


def _memory(deviations: Floats, has_previous: NDArray[np.bool_], windows: Floats) -> Floats:
    """The lag-1 autocorrelation, shape (J,); 0 where it is below its limit under independence.

    1/K is added, because the estimate is too small by that on average.
    """
    previous = _shift(deviations)
    is_pair = has_previous[:, None] & np.isfinite(deviations) & np.isfinite(previous)
    product = np.where(is_pair, deviations * np.nan_to_num(previous), 0.0).sum(axis=0)
    square = np.nan_to_num(deviations) ** 2
    power = square.sum(axis=0) / np.maximum(windows, 1) * is_pair.sum(axis=0)
    rho = np.where(power > 0, product / np.maximum(power, 1e-300), 0.0) + 1 / np.maximum(windows, 1)
    rho = np.clip(rho, 0.0, MAX_MEMORY)
    return np.where(rho > MEMORY_QUANTILE / np.sqrt(np.maximum(windows, 1)), rho, 0.0)


def _remove_memory(deviations: Floats, has_previous: NDArray[np.bool_], memory: Floats) -> Floats:
    """The innovations of an AR(1), shape (K, J).

    A window without one before it is scaled to the same spread.
    """
    previous = _shift(deviations)
    residuals: Floats = np.where(
        has_previous[:, None] & np.isfinite(previous),
        deviations - memory * np.nan_to_num(previous),
        deviations * _innovation_scale(memory),
    )
    return residuals


def _shift(values: Floats) -> Floats:
    """The row before each row; NaN for the first."""
    return np.vstack([np.full((1, values.shape[1]), np.nan), values[:-1]])


def _innovation_scale(memory: Floats) -> Floats:
    """Standard deviation of the innovations of an AR(1) over that of its values."""
    scale: Floats = np.sqrt(1 - memory**2)
    return scale
