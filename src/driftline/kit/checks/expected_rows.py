"""Expects the rows of a window from those of earlier windows and from the calendar.

Does not judge: the check compares the rows with what is expected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np

from driftline import stats
from driftline.types.arrays import Floats

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ORIGIN = datetime(1, 1, 1, tzinfo=UTC)
"""A Monday; the clock of a model is written as UTC."""
SPANS = (1, 2, 3, 6, 12, 24)
"""Spans that are judged together, in twenty-fourths of a day."""
LONG_SPANS = (1, 2, 7)
"""Windows that are judged together, where one is a day or longer."""
MIN_DAYS, SEASON_DAYS = 14, 56
"""The fewest days before a forecast, and the days that show hours."""
STEADY_WINDOWS = 200
"""Windows without any silence that show steady traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRows:
    """Earlier rows of one model."""

    length: timedelta
    start: datetime
    """Start of the window, on the clock of the model."""
    windows: dict[datetime, float]
    """Rows of earlier windows by their start on the clock of the model, oldest first."""
    hours: dict[datetime, float]
    """Rows of earlier hours, where windows are shorter."""
    days: dict[int, float]
    """Rows of earlier days, by their number."""
    holidays: frozenset[int]

    @property
    def first(self) -> datetime:
        """Start of the oldest window."""
        oldest = [min(part) for part in (self.windows, self.hours) if part]
        days = [ORIGIN + (min(self.days) - 1) * DAY] if self.days else []
        return min(oldest + days)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRows:
    """Rows expected in the newest windows, the judged one last; each shape (windows,)."""

    rows: Sequence[float]
    low: Sequence[float]
    """The fewest rows that a holiday makes usual; `rows` on other days."""
    high: Sequence[float]
    counts: Sequence[float]
    window_variance: float
    """Relative variance of one window, without that of small counts."""
    day_variance: float
    """The part of it that the windows of a day share."""
    is_steady: bool
    """Whether no earlier window with half as many rows expected was empty."""


def expect_days(past: PastRows, rows: int) -> ExpectedRows | None:
    """Expect the rows of windows of a day or longer; `rows` are those of the judged window.

    None on a holiday while the rows of two earlier holidays are not known.
    """
    by_weekday = past.length == DAY

    def number(when: datetime) -> int:
        return when.toordinal() if by_weekday else (when - ORIGIN) // past.length

    today = number(past.start)
    holidays = past.holidays if by_weekday else frozenset[int]()
    sums = stats.zero_filled(
        [number(when) for when in past.windows], list(past.windows.values()), today
    )
    forecast = stats.forecast_day(today - len(sums), sums, today, holidays, by_weekday)
    newest = _newest_windows(past, max(LONG_SPANS) - 1)
    span = len(newest) + 1
    days = range(today - span + 1, today + 1)
    if today in holidays and len(forecast.free_days) < 2:
        return None
    base = [forecast.expected(day) if by_weekday else math.exp(forecast.level) for day in days]
    factors = [_free_factors(forecast, day in holidays) for day in days]
    return ExpectedRows(
        rows=[value * factor[1] for value, factor in zip(base, factors, strict=True)],
        low=[value * factor[0] for value, factor in zip(base, factors, strict=True)],
        high=[value * factor[2] for value, factor in zip(base, factors, strict=True)],
        counts=[*newest, float(rows)],
        window_variance=forecast.variance,
        day_variance=forecast.variance / 4,
        is_steady=len(sums) >= MIN_DAYS and not np.any(sums[-SEASON_DAYS:] == 0),
    )


def _free_factors(forecast: stats.DayForecast, is_free: bool) -> tuple[float, float, float]:
    """The smallest, the usual and the largest factor that makes a holiday of a day."""
    if not is_free:
        return 1.0, 1.0, 1.0
    effects = sorted(forecast.free_days)
    if len(effects) < 2:
        return 0.0, 1.0, math.inf
    usual = math.exp(effects[len(effects) // 2])
    return 0.7 * math.exp(effects[0]), usual, max(1.0, 1.4 * math.exp(effects[-1]))


def expect_hours(past: PastRows, rows: int) -> ExpectedRows | None:
    """Expect the rows of windows shorter than a day; otherwise as `expect_days`."""
    bins = past.hours or past.windows
    length = HOUR if past.hours else past.length
    per_day = DAY // length if DAY % length == timedelta(0) else 0
    if not per_day:
        return expect_days(past, rows)
    # What is learned until midnight holds for all windows of the day.
    today = past.start.toordinal()
    midnight = (today - 1) * per_day
    first = midnight - (SEASON_DAYS - 1) * per_day
    known = {
        place: value
        for place, value in zip(
            [(when - ORIGIN) // length for when in bins], bins.values(), strict=True
        )
        if first <= place < midnight
    }
    counts = stats.zero_filled(list(known), list(known.values()), midnight)
    forecast, profile = _learn_hours(
        counts.tobytes(), midnight, per_day, tuple(past.days.items()), past.holidays
    )
    if today in past.holidays and len(forecast.free_days) < 2:
        return None
    mean = profile.means[(past.start - ORIGIN) // length - midnight]
    steady = profile.means >= mean / 2
    is_steady = len(counts) >= STEADY_WINDOWS and not profile.was_empty[steady].any()
    seen = _newest_windows(past, span_windows(past.length, SPANS)[-1] - 1)
    expected = [
        _expect_window(past, offset, midnight, profile, forecast, length)
        for offset in range(-len(seen), 1)
    ]
    variance = profile.variance
    if past.hours and seen:
        ratios = np.array(seen) / np.maximum(1e-9, [item[1] for item in expected[:-1]])
        variance = max(variance, _burst_variance(ratios, expected))
    return ExpectedRows(
        rows=[item[1] for item in expected],
        low=[item[0] for item in expected],
        high=[item[2] for item in expected],
        counts=[*seen, float(rows)],
        window_variance=variance,
        day_variance=min(variance, forecast.variance),
        is_steady=is_steady,
    )


@lru_cache(maxsize=64)
def _learn_hours(
    content: bytes,
    midnight: int,
    per_day: int,
    earlier_days: tuple[tuple[int, float], ...],
    holidays: frozenset[int],
) -> tuple[stats.DayForecast, stats.WeekProfile]:
    """Learn the level of a day and the rows of a week from the counts up to its midnight."""
    counts = np.frombuffer(content)
    numbers = (midnight - len(counts) + np.arange(len(counts))) // per_day + 1
    first, today = int(numbers[0]), midnight // per_day + 1
    sums: Floats = np.bincount(
        numbers - first, weights=np.nan_to_num(counts), minlength=today - first
    ).astype(np.float64)
    sums[numbers[np.isnan(counts)] - first] = np.nan
    if (midnight - len(counts)) % per_day:
        sums[0] = np.nan
    oldest, all_sums = _with_earlier_days(first, sums, dict(earlier_days))
    forecast = stats.forecast_day(oldest, all_sums, today, holidays)
    days = range(first, today)
    shifts = [forecast.level - forecast.level_at(day) - forecast.month_effect(day) for day in days]
    scales = np.exp(np.clip(shifts, -20.0, 20.0))[numbers - first]
    if holidays:
        counts = np.where(np.isin(numbers, list(holidays)), np.nan, counts)
    places = np.arange(midnight, midnight + 7 * per_day)
    groups = places % per_day * 2 + (places // per_day % 7 >= 5)
    profile = stats.week_profile(counts, scales, groups, 7 * per_day, forecast.variance)
    return forecast, profile


def _newest_windows(past: PastRows, limit: int) -> list[float]:
    """Rows of up to `limit` windows that end where the judged one starts, oldest first."""
    oldest, newest = min(past.windows), max(past.windows)
    values: list[float] = []
    start = past.start - past.length
    while len(values) < limit and oldest <= start <= newest:
        values.append(past.windows.get(start, 0.0))
        start -= past.length
    return values[::-1]


def _expect_window(
    past: PastRows,
    offset: int,
    midnight: int,
    profile: stats.WeekProfile,
    forecast: stats.DayForecast,
    length: timedelta,
) -> tuple[float, float, float]:
    """The fewest, the usual and the most rows of a window, `offset` after the judged one."""
    week, per_day = len(profile.means), len(profile.means) // 7
    start = past.start + offset * past.length
    day, place = start.toordinal(), (start - ORIGIN) // length
    mean = float(profile.means[(place - midnight) % week])
    share = past.length / length * math.exp(forecast.month_effect(day))
    if day not in past.holidays:
        return mean * share, mean * share, mean * share
    # The hours of a holiday follow those of a weekday or of a Sunday.
    sunday = (place + (7 - day % 7) % 7 * per_day - midnight) % week
    factor = forecast.weekdays[(day + 6) % 7] - forecast.weekdays[6]
    as_sunday = float(profile.means[sunday]) * math.exp(min(float(factor), 20.0))
    low, usual, high = _free_factors(forecast, True)
    return (
        low * min(mean, as_sunday) * share,
        usual * mean * share,
        high * max(mean, as_sunday) * share,
    )


def _burst_variance(ratios: Floats, expected: Sequence[tuple[float, float, float]]) -> float:
    """Relative variance of windows shorter than an hour, from those of a day."""
    means = np.array([item[1] for item in expected[:-1]])
    busy = means >= max(1.0, float(np.median(means)))
    if not busy.any():
        return 0.0
    spread = float(np.quantile(np.abs(ratios[busy] - 1), 0.9)) / 1.645
    return spread**2 - float(np.median(1 / means[busy]))


def _with_earlier_days(first: int, sums: Floats, days: Mapping[int, float]) -> tuple[int, Floats]:
    """Put the sums of days that are older than the windows before those of the windows."""
    older = {day: value for day, value in days.items() if day < first or np.isnan(sums[0])}
    start = min(older, default=first)
    if start >= first:
        return first, sums
    filled = np.concatenate((np.zeros(first - start), sums))
    for day, value in older.items():
        if day < first or np.isnan(filled[day - start]):
            filled[day - start] = value
    return start, filled


def span_windows(length: timedelta, spans: Sequence[int]) -> list[int]:
    """Numbers of windows that are judged together, ascending."""
    return sorted({max(1, round(span * HOUR / length)) for span in spans})
