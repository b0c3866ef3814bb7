"""The baseline of a set of streams: what their good windows were like.

The windows of a day share a shift. Where windows are shorter than a day, the day is therefore the
unit: weekdays, month ends and memory are estimated from the means of whole days, and the number of
windows that a p-value rests on is reduced by as much as the windows of a day resemble each other.

Shapes: K windows, J streams. An array over both has windows along axis 0 and streams along axis 1;
NaN stands where a window of a stream is missing or not in the baseline. Times are microseconds
since the Unix epoch. The formulas are in docs/statistics.md, "Many tests, many windows"; the choice
of calendar effects and memory is in docs/decisions/0012-evidence-over-windows.md.

Does not choose the windows: the trail leaves those of a change out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.evaluate.evidence.missing import zero_missing
from driftline.types.arrays import Floats, Ints
from driftline.types.times import DAY_MICROS, EPOCH, HOUR_MICROS

SEASON_DAYS = 28
"""Days from which on weekdays and month ends of windows shorter than a day are told apart."""
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

    def groups(self, starts: Ints) -> list[tuple[Ints, int]]:
        """For each season, the group of each window, shape (K,), and the number of groups."""
        groups = []
        if self.length < DAY_MICROS:
            groups.append((starts // HOUR_MICROS % 24, 24))
        if self.length <= DAY_MICROS:
            groups.append((starts // DAY_MICROS % 7, 7))
        return groups

    def month_ends(self, starts: Ints) -> NDArray[np.bool_]:
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
class Days:
    """The days that K windows lie in, in the order of time; D days."""

    starts: Ints
    """Start of each day, shape (D,)."""
    place: Ints
    """Index of the day of each window, shape (K,)."""

    @classmethod
    def of(cls, starts: Ints) -> Days:
        """The days of windows that begin at `starts`, shape (K,), in the order of time."""
        days, place = np.unique(starts // DAY_MICROS * DAY_MICROS, return_inverse=True)
        return cls(days, place.reshape(-1))

    def means(self, values: Floats) -> Floats:
        """The mean of each day over the windows with a value, shape (D, J); NaN without one."""
        if not len(values):
            return np.empty((0, values.shape[1]))
        first = np.searchsorted(self.place, np.arange(len(self.starts)))
        windows = np.diff(first, append=len(values))
        is_finite = np.isfinite(values)
        if is_finite.all():
            means: Floats = _day_sums(values, first, windows) / windows[:, None]
            return means
        total = _day_sums(np.where(is_finite, values, 0.0), first, windows)
        count = _day_sums(is_finite, first, windows)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def spread(self, by_day: Floats) -> Floats:
        """The value of its day for each window, shape (K, J)."""
        values: Floats = by_day[self.place]
        return values

    @property
    def has_previous(self) -> NDArray[np.bool_]:
        """Whether the day before is there, shape (D,)."""
        has_previous: NDArray[np.bool_] = (
            np.diff(self.starts, prepend=self.starts[:1] - 2 * DAY_MICROS) == DAY_MICROS
        )
        return has_previous


def _day_sums(values: NDArray[Any], first: Ints, windows: Ints) -> Floats:
    """Sums over days of `windows` rows from `first` on, shape (D,) each; the result is (D, J)."""
    if (windows == windows[0]).all():
        # Days of equal length: several times as fast.
        sums: Floats = values.reshape(len(windows), windows[0], -1).sum(axis=1, dtype=np.float64)
    else:
        sums = np.add.reduceat(values, first, axis=0, dtype=np.float64)
    return sums


@dataclass(frozen=True, slots=True)
class Season:
    """The calendar effects of J streams."""

    effects: Sequence[Floats]
    """One array a season, shape (groups, J)."""
    month_end: Floats
    """Effect of the last day of a month, shape (J,)."""

    @classmethod
    def estimate(cls, values: Floats, starts: Ints, calendar: Calendar) -> tuple[Season, Floats]:
        """The effects in `values`, shape (K, J), and the values without them.

        Month ends come first, because they stand out most, then weekdays.
        """
        if calendar.length < DAY_MICROS:
            return cls._of_days(values, starts, calendar)
        is_month_end = calendar.month_ends(starts)
        month_end = stats.mark_effect(values, is_month_end)
        remainder = values - np.where(is_month_end[:, None], month_end, 0.0)
        effects = []
        for groups, count in calendar.groups(starts):
            effects.append(stats.season_effects(remainder, groups, count))
            remainder = remainder - effects[-1][groups]
        return cls(effects, month_end), remainder

    @classmethod
    def _of_days(cls, values: Floats, starts: Ints, calendar: Calendar) -> tuple[Season, Floats]:
        """The same for windows shorter than a day.

        Hours are compared within their day. Weekdays and month ends are compared by means of days,
        from four weeks on.
        """
        hours, days = starts // HOUR_MICROS % 24, Days.of(starts)
        hour_effect = stats.season_effects(values, hours, 24)
        for _ in range(2):
            remainder = stats.subtract_effects(values, hour_effect, hours)
            within = values - days.spread(days.means(remainder))
            hour_effect = stats.season_effects(within, hours, 24)
        remainder = stats.subtract_effects(values, hour_effect, hours)
        weekday_effect = np.zeros((7, values.shape[1]))
        month_end = np.zeros(values.shape[1])
        if len(days.starts) >= SEASON_DAYS:
            means, is_month_end = days.means(remainder), calendar.month_ends(days.starts)
            month_end = stats.mark_effect(means, is_month_end)
            means = means - np.where(is_month_end[:, None], month_end, 0.0)
            weekday_effect = stats.season_effects(means, days.starts // DAY_MICROS % 7, 7)
        season = cls([hour_effect, weekday_effect], month_end)
        return season, values - season.at(starts, calendar)

    def at(self, starts: Ints, calendar: Calendar) -> Floats:
        """The sum of the effects at each start, shape (len(starts), J)."""
        total = np.zeros((len(starts), len(self.month_end)))
        for effect, (groups, _) in zip(self.effects, calendar.groups(starts), strict=True):
            total += effect[groups]
        total[calendar.month_ends(starts)] += self.month_end
        return total

    def with_streams(self, streams: NDArray[np.bool_], season: Season) -> Season:
        """These effects, with those of `season` for the marked streams, shape (J,)."""
        effects = [effect.copy() for effect in self.effects]
        for effect, other in zip(effects, season.effects, strict=True):
            effect[:, streams] = other
        month_end = self.month_end.copy()
        month_end[streams] = season.month_end
        return Season(effects, month_end)


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """A new window of J streams against their baseline."""

    p_values: Floats
    """Chance of a level this far up (row 0) or down (row 1) or further, shape (2, J)."""
    deviation: Floats
    """Level less the expected level, in standard deviations between windows, shape (J,)."""
    effect: Floats
    """Size less the expected size, shape (J,)."""
    offset: Floats
    """Level less the level that season and mean expect, shape (J,)."""


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
    evidence_windows: Floats
    """Number of independent windows that the baseline is worth."""
    day_count: Floats
    """Number of days of each stream; that of windows where these are not shorter."""
    day_sd: Floats
    """Standard deviation of means of days, season and memory removed, on the scale of the level."""
    day_scores: stats.Ranks | None
    """Externally studentised means of days; None where windows are not shorter than a day."""
    day_size_sd: Floats
    """Standard deviation of means of days on the scale of the size, season removed."""
    _correlations_cache: dict[int, Ints] = field(default_factory=dict, compare=False, repr=False)
    """Results of `correlated_with`: a change asks for them again in each of its windows."""

    @classmethod
    def estimate(cls, levels: Floats, sizes: Floats, starts: Ints, length: int) -> Baseline:
        """Estimate from levels and sizes, shape (K, J), of windows of one length.

        `starts`, shape (K,), rises; `length` is in microseconds.
        """
        calendar = Calendar(length)
        season, deviations = Season.estimate(levels, starts, calendar)
        size_season, size_deviations = season, deviations
        # Most sizes are the levels themselves.
        has_own_size = ~np.all((sizes == levels) | (np.isnan(sizes) & np.isnan(levels)), axis=0)
        if has_own_size.any():
            own_season, own_deviations = Season.estimate(sizes[:, has_own_size], starts, calendar)
            size_season = season.with_streams(has_own_size, own_season)
            size_deviations = deviations.copy()
            size_deviations[:, has_own_size] = own_deviations
        mean = stats.nan_mean(deviations)
        deviations = deviations - mean
        windows = np.isfinite(levels).sum(axis=0).astype(np.float64)
        size_sd = np.sqrt(stats.nan_variance(size_deviations))
        if length >= DAY_MICROS:
            has_previous = np.diff(starts, prepend=starts[:1] - 2 * length) == length
            memory = _memory(deviations, has_previous, windows)
            residuals = _remove_memory(deviations, has_previous, memory)
            residuals = residuals - stats.nan_mean(residuals)
            sd = np.sqrt(stats.nan_variance(residuals))
            evidence_windows, day_count, day_sd, day_size_sd = windows, windows, sd, size_sd
            day_scores = None
        else:
            days = Days.of(starts)
            day_means = days.means(deviations)
            day_count = np.isfinite(day_means).sum(axis=0).astype(np.float64)
            memory = _memory(day_means, days.has_previous, day_count)
            day_residuals = _remove_memory(day_means, days.has_previous, memory)
            day_residuals = day_residuals - stats.nan_mean(day_residuals)
            day_sd = np.sqrt(stats.nan_variance(day_residuals))
            day_scores = stats.Ranks(stats.studentise(day_residuals))
            carried = np.where(
                days.has_previous[:, None], memory * np.nan_to_num(_shift(day_means)), 0.0
            )
            residuals = deviations - days.spread(carried)
            residuals = residuals - stats.nan_mean(residuals)
            sd = np.sqrt(stats.nan_variance(residuals))
            evidence_windows = _independent_windows(residuals, days)
            day_size_sd = np.sqrt(stats.nan_variance(days.means(size_deviations)))
        return cls(
            calendar=calendar,
            windows=windows,
            season=season,
            mean=mean,
            sd=sd,
            memory=memory,
            residuals=residuals,
            scores=stats.Ranks(stats.studentise(residuals)),
            size_season=size_season,
            size_mean=stats.nan_mean(size_deviations),
            size_sd=size_sd,
            evidence_windows=evidence_windows,
            day_count=day_count,
            day_sd=day_sd,
            day_scores=day_scores,
            day_size_sd=day_size_sd,
        )

    def compare(
        self, start: int, level: Floats, size: Floats, previous_offset: Floats, least_sd: Floats
    ) -> BaselineComparison:
        """Compare the window that begins at `start` with the baseline.

        `level` and `size`, shape (J,), are its numbers. `previous_offset`, shape (J,), is the
        offset of the window right before it, or the mean offset of the day before it where windows
        are shorter than a day; NaN where there is none. `least_sd`, shape (J,), is the standard
        deviation that the number of rows alone makes: a smaller one in the baseline is chance.
        """
        at = np.array([start], np.int64)
        offset = level - self.season.at(at, self.calendar)[0] - self.mean
        scale = 1.0 if self.day_scores is not None else _innovation_scale(self.memory)
        residual = np.where(
            np.isfinite(previous_offset),
            offset - self.memory * zero_missing(previous_offset),
            offset * scale,
        )
        sd = np.maximum(self.sd, least_sd)
        t = _prediction_score(residual, sd, self.evidence_windows)
        t = np.where(np.isfinite(level), t, np.nan)
        p_values = np.stack(self.scores.tails(t, TAIL_INDEX))
        if self.day_scores is not None:
            p_values = _rank_among(p_values, self.windows, self.evidence_windows)
        effect = size - self.size_season.at(at, self.calendar)[0] - self.size_mean
        return BaselineComparison(p_values, t, effect, offset)

    def day_p_values(self, offset: Floats, previous_offset: Floats) -> Floats:
        """The p-values of the mean offset of a whole day, shape (2, J): upwards, downwards.

        `previous_offset`, shape (J,), is that of the day before; NaN where there is none. 1 where
        the baseline has no days to compare with.
        """
        if self.day_scores is None:
            return np.ones((2, len(offset)))
        residual = offset - self.memory * zero_missing(previous_offset)
        least_sd = self.sd / math.sqrt(DAY_MICROS / self.calendar.length)
        sd = np.maximum(self.day_sd, 0.7 * least_sd)
        t = _prediction_score(residual, sd, self.day_count)
        p_values = np.stack(self.day_scores.tails(t, TAIL_INDEX))
        return np.where(np.isfinite(offset) & ~np.isnan(p_values), p_values, 1.0)

    def correlated_with(self, stream: int) -> Ints:
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


def _prediction_score(residual: Floats, sd: Floats, windows: Floats) -> Floats:
    """A residual in standard deviations of the prediction from so many windows, shape (J,)."""
    with np.errstate(all="ignore"):
        score = residual / (sd * np.sqrt(1 + 1 / np.maximum(windows, 1)))
    return np.nan_to_num(score, nan=0.0, posinf=1e9, neginf=-1e9)


def _rank_among(p_values: Floats, windows: Floats, evidence_windows: Floats) -> Floats:
    """P-values of ranks among K windows that are worth fewer independent ones, shape (2, J).

    A rank is kept as a share of the windows; the smallest p-value becomes 1/(n + 1) for n
    independent windows.
    """
    rank = p_values * (windows + 1)
    beyond = np.maximum(rank - 0.5, 0.0) * evidence_windows / np.maximum(windows, 1)
    return np.minimum((beyond + np.minimum(rank, 0.5)) / (evidence_windows + 1), 1.0)


def _independent_windows(residuals: Floats, days: Days) -> Floats:
    """The number of windows less what the windows of a day have in common, shape (J,).

    K / (1 + (n - 1) icc) with n windows a day and the intraclass correlation of a one-way analysis
    of variance (Kish 1965, "Survey Sampling", 5.4).
    """
    means = days.means(residuals)
    count = np.isfinite(residuals).sum(axis=0).astype(np.float64)
    day_count = np.maximum(np.isfinite(means).sum(axis=0), 1)
    per_day = np.maximum(count / day_count, 1)
    within = stats.nan_variance(residuals - days.spread(np.nan_to_num(means)))
    between = np.maximum(stats.nan_variance(means) - within / per_day, 0.0)
    total = between + within
    icc = np.where(total > 0, between / np.maximum(total, 1e-300), 0.0)
    independent: Floats = count / (1 + (per_day - 1) * icc)
    return independent


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
