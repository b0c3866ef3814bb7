"""The baseline of a stream: what its good windows are like, so that a new one can be told to be
unusual.

Windows lie along the first axis, streams along the second. Refuses to choose the windows: those
that stood out are left out by whoever hands them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from driftline import stats

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
HOUR, DAY = 3_600_000_000, 86_400_000_000
MOST_MEMORY, SURE_MEMORY = 0.9, 1.64
"""A memory (autocorrelation) beyond 0.9 is taken as 0.9; it counts from 1.64/sqrt(K) on, its
one-sided 5% limit.
"""
STRONG_CORRELATION = 0.7
"""Correlation of two streams' residuals beyond which they count as moving together."""
TAIL = 3.0
"""Index of the Pareto tail beyond the baseline's largest score: that of a Student t law with 3
degrees of freedom.
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The seasons of windows of one length: hour and weekday where they are shorter than these, and
    the last day of a month.
    """

    length: int
    """Microseconds."""

    def groups(self, starts: Places) -> list[tuple[Places, int]]:
        """For each season, the group of each window and the number of groups."""
        found = []
        if self.length < DAY:
            found.append((starts // HOUR % 24, 24))
        if self.length <= DAY:
            found.append((starts // DAY % 7, 7))
        return found

    def month_ends(self, starts: Places) -> NDArray[np.bool_]:
        """Which windows lie on the last day of a month; none for windows longer than a day."""
        if self.length > DAY:
            return np.zeros(len(starts), np.bool_)
        return np.array([_ends_a_month(day) for day in (starts // DAY).tolist()], np.bool_)


@lru_cache(maxsize=10_000)
def _ends_a_month(day: int) -> bool:
    return (EPOCH + timedelta(days=day + 1)).day == 1


@dataclass(frozen=True, slots=True)
class Season:
    """What the calendar adds to streams of shape (K, J)."""

    effects: Sequence[Floats]
    """One array a season, shape (groups, J)."""
    month_end: Floats
    """Shape (J,)."""

    @classmethod
    def of(cls, values: Floats, starts: Places, calendar: Calendar) -> tuple[Season, Floats]:
        """Estimated on a baseline: month ends first, as they stand out most, then hours, then
        weekdays of what is left; and the values without it.
        """
        marked = calendar.month_ends(starts)
        month_end = stats.mark_effect(values, marked)
        rest = values - np.where(marked[:, None], month_end, 0.0)
        effects = []
        for groups, count in calendar.groups(starts):
            effects.append(stats.season_effects(rest, groups, count))
            rest = rest - effects[-1][groups]
        return cls(effects, month_end), rest

    def at(self, starts: Places, calendar: Calendar) -> Floats:
        """The sum of the effects at each start; shape (len(starts), J)."""
        total = np.where(calendar.month_ends(starts)[:, None], self.month_end, 0.0)
        for effect, (groups, _) in zip(self.effects, calendar.groups(starts), strict=True):
            total = total + effect[groups]
        return total


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a new window stands against the baseline, by stream; shape (J,) each, the p-values (2,
    J): upper, lower.
    """

    p: Floats
    deviation: Floats
    """From what was expected, in standard deviations between windows."""
    effect: Floats
    """Size less the size expected."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Estimates for J streams from K windows."""

    calendar: Calendar
    windows: Floats
    """How many windows of each stream, shape (J,)."""
    season: Season
    mean: Floats
    sd: Floats
    """Between windows, season and memory removed."""
    memory: Floats
    """Lag-1 autocorrelation used, 0 where it can't be told from none."""
    residuals: Floats
    """What season and memory leave, shape (K, J); NaN where a window is not in it."""
    scores: stats.Ranks
    """Externally studentised residuals."""
    size_season: Season
    size_mean: Floats
    size_sd: Floats
    _alike: dict[int, Places] = field(default_factory=dict, compare=False, repr=False)
    """What `alike` found: a change lasts for many windows, and one baseline serves for a day of
    them.
    """

    @classmethod
    def of(cls, levels: Floats, sizes: Floats, starts: Places, length: int) -> Baseline:
        """From levels and sizes of shape (K, J) at rising `starts` (microseconds)."""
        calendar = Calendar(length)
        (season, deviations), (size_season, sized) = (
            Season.of(each, starts, calendar) for each in (levels, sizes)
        )
        mean = stats.nan_mean(deviations)
        deviations = deviations - mean
        windows = np.isfinite(levels).sum(axis=0).astype(np.float64)
        before = np.diff(starts, prepend=starts[:1] - 2 * length) == length
        memory = _memory(deviations, before, windows)
        rests = _forgotten(deviations, before, memory)
        rests = rests - stats.nan_mean(rests)
        return cls(
            calendar, windows, season, mean, np.sqrt(stats.nan_variance(rests)), memory, rests,
            stats.Ranks(stats.studentised(rests)), size_season, stats.nan_mean(sized), np.sqrt(stats.nan_variance(sized)),
        )  # fmt: skip

    def compare(
        self, start: int, level: Floats, size: Floats, before: Floats, least_sd: Floats
    ) -> Comparison:
        """A window from `start`; `before` are the levels of the window right before it (NaN where
        there is none).

        `least_sd` is the spread that the number of rows alone makes: a baseline that varies less
        was lucky.
        """
        at = np.array([start, start - self.calendar.length], np.int64)
        usual = self.season.at(at, self.calendar) + self.mean
        deviation, last = level - usual[0], before - usual[1]
        remembered = np.isfinite(last)
        rest = np.where(
            remembered,
            deviation - self.memory * np.nan_to_num(last),
            deviation * _innovation(self.memory),
        )
        sd = np.maximum(self.sd, least_sd)
        with np.errstate(all="ignore"):
            t = np.nan_to_num(
                rest / (sd * np.sqrt(1 + 1 / np.maximum(self.windows, 1))),
                nan=0.0,
                posinf=1e9,
                neginf=-1e9,
            )
        t = np.where(np.isfinite(level), t, np.nan)
        p = np.stack(self.scores.tails(t, TAIL))
        effect = size - self.size_season.at(at[:1], self.calendar)[0] - self.size_mean
        return Comparison(p, t, effect)

    def correlated_with(self, stream: int) -> Places:
        """The streams that went up and down with this one, or against it, in its good windows."""
        if stream not in self._alike:
            near = np.abs(stats.correlations(self.residuals, stream)) > STRONG_CORRELATION
            near[stream] = False
            self._alike[stream] = np.flatnonzero(near)
        return self._alike[stream]

    @property
    def inflation(self) -> Floats:
        """By how much memory widens the error of a mean over many windows:
        sqrt((1+rho)/(1-rho)).
        """
        widened: Floats = np.sqrt((1 + self.memory) / (1 - self.memory))
        return widened

    def widening(self, windows: Floats) -> Floats:
        """The same over few windows in a row: sqrt(1 + 2 sum of (1-k/n) rho^k for 0 < k < n), in
        closed form.
        """
        rho, n = self.memory, np.maximum(windows, 1)
        widened: Floats = np.sqrt(
            (1 + rho) / (1 - rho) - 2 * rho * (1 - rho**n) / (n * (1 - rho) ** 2)
        )
        return widened


def _memory(deviations: Floats, before: NDArray[np.bool_], windows: Floats) -> Floats:
    """The lag-1 autocorrelation with 1/K added for its bias, 0 where it is no more than chance
    makes.
    """
    last = np.vstack([np.full((1, deviations.shape[1]), np.nan), deviations[:-1]])
    both = before[:, None] & np.isfinite(deviations) & np.isfinite(last)
    product = np.where(both, deviations * np.nan_to_num(last), 0.0).sum(axis=0)
    square = np.nan_to_num(deviations) ** 2
    power = square.sum(axis=0) / np.maximum(windows, 1) * both.sum(axis=0)
    rho = np.where(power > 0, product / np.maximum(power, 1e-300), 0.0) + 1 / np.maximum(windows, 1)
    rho = np.clip(rho, 0.0, MOST_MEMORY)
    return np.where(rho > SURE_MEMORY / np.sqrt(np.maximum(windows, 1)), rho, 0.0)


def _forgotten(deviations: Floats, before: NDArray[np.bool_], memory: Floats) -> Floats:
    """What is new in each window; one without a window before it is scaled to the same spread."""
    last = np.vstack([np.full((1, deviations.shape[1]), np.nan), deviations[:-1]])
    known = before[:, None] & np.isfinite(last)
    rests: Floats = np.where(
        known, deviations - memory * np.nan_to_num(last), deviations * _innovation(memory)
    )
    return rests


def _innovation(memory: Floats) -> Floats:
    share: Floats = np.sqrt(1 - memory**2)
    return share
