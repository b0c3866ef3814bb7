"""Forecasts counts of rows from earlier ones: by trend, weekday, day of the month and hour.

All estimates are robust: an outage of some days does not become usual.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from driftline.types.arrays import Floats

SEASON_DAYS = 56
"""Newest days that show trend, weekdays and hours."""
LEVEL_DAYS = 14
"""Newest days that show the level of today; an outage of fewer than half of them leaves it."""
MIN_DAYS = 14
"""The fewest days that are forecast from."""
MAX_SLOPE = math.log(2) / 15
"""The steepest trend, a day on the log scale: rows double in 15 days."""
NO_ROWS = 0.1
"""Stands for a day without rows on the log scale."""
BUSY_ROWS = 10
"""Rows of a usual day from which a day without any is no chance."""
MIN_SPREAD = 0.03
"""The least relative standard deviation of a day."""
MONTH_DAY_ERRORS, MIN_MONTH_DAY = 3.0, 0.15
"""Standard errors, and the size on the log scale, from which a day of the month is another one."""
FEW_WEEKS = 4
"""Fewer weeks than this do not outvote an outage: the rest of the group has a vote too."""
OUTLIER_SPREADS, MAX_EVENTS = 5.0, 3
"""Standard deviations from which a residual is an outlier; the runs of them that are no habit."""
NORMAL_QUANTILES = {0.9: 1.645, 0.975: 2.241}
"""What a share of normal residuals does not exceed, in standard deviations."""
OUTLIER_SPREAD, OUTLIER_ERRORS = 0.15, 4.0
"""Relative spread of counts, and standard errors beyond which one is an outlier of its hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayForecast:
    """What is known of the rows of days, on the log scale."""

    first: int
    """Number of the first day: `date.toordinal()`."""
    levels: Floats
    """Level of each earlier day without weekday and calendar, shape (days,)."""
    level: float
    """Level of the day that is forecast."""
    weekdays: Floats
    """Effect of each weekday, Monday first, shape (7,)."""
    month_days: Mapping[int, float]
    """Effects of days of the month: 1 to 31 from the start, -1 to -3 from the end."""
    free_days: tuple[float, ...]
    """Effects of the holidays that were seen."""
    variance: float
    """Relative variance of the rows of a day around the forecast, without that of small counts."""

    def month_effect(self, day: int) -> float:
        """Effect of the day of the month of day number `day`."""
        from_start, from_end = month_places(day)
        return self.month_days.get(from_start, self.month_days.get(from_end, 0.0))

    def level_at(self, day: int) -> float:
        """Level of day number `day`; that of the forecast after the days that are known."""
        index = day - self.first
        return float(self.levels[index]) if 0 <= index < len(self.levels) else self.level

    def expected(self, day: int) -> float:
        """Rows expected on day number `day`, if it is no holiday."""
        return math.exp(self.level + float(self.weekdays[weekday(day)]) + self.month_effect(day))


def weekday(day: int) -> int:
    """Weekday of day number `day`, 0 for Monday."""
    return (day + 6) % 7


@lru_cache(maxsize=4096)
def month_places(day: int) -> tuple[int, int]:
    """Place of day number `day` in its month, from the start (1 to 31) and the end (-1, -2, ..)."""
    this = date.fromordinal(day)
    following = date(this.year + this.month // 12, this.month % 12 + 1, 1)
    return this.day, day - following.toordinal()


def forecast_day(
    first: int,
    sums: Floats,
    target: int,
    holidays: frozenset[int] = frozenset(),
    by_weekday: bool = True,
) -> DayForecast:
    """Forecast the rows of day number `target` from the rows of earlier days.

    `sums` has the rows of consecutive days from day number `first` on, shape (days,), with at least
    `MIN_DAYS` of them; NaN where they are not known. `holidays` are day numbers: they show nothing
    but their own effect. Without `by_weekday`, numbers of spans of any other length take the place
    of day numbers, and neither weekday nor day of the month counts.

    The trend is the median of the slopes between equal weekdays (Theil and Sen), less its standard
    error squared over itself. A weekday is shrunk to the mean of Monday to Friday or of the weekend
    (James and Stein).
    """
    days = np.arange(first, first + len(sums))
    weekdays = (days + 6) % 7 if by_weekday else np.zeros(len(days), np.int64)
    logs = np.where(np.isnan(sums), np.nan, np.log(np.maximum(sums, NO_ROWS)))
    is_free = np.isin(days, list(holidays)) if holidays else np.zeros(len(days), bool)
    usual = np.where(is_free, np.nan, logs)
    month_days: dict[int, float] = {}
    effects = np.zeros(len(days))
    open_days = np.where(_find_outages(sums, weekdays), np.nan, usual)
    count = min(SEASON_DAYS, len(days))
    recent = slice(len(days) - count, None)
    small = 1 / max(1.0, float(_median(sums[recent])))
    ages = (days - target).astype(float)
    spread = MIN_SPREAD
    for _ in range(3 if by_weekday else 1):
        plain = open_days - effects
        slope, slope_error = _trend(plain[recent], 7 if by_weekday else 1)
        flat = plain - slope * ages
        factors, spread = _weekday_effects(flat[recent], weekdays[recent], small)
        level = flat - factors[weekdays]
        levels = _running_median(level) + slope * ages
        if not by_weekday:
            break
        rest = usual - factors[weekdays] - levels
        found = _month_days(days, rest, spread)
        if found == month_days:
            break
        month_days = found
        effects = np.array(
            [month_days.get(a, month_days.get(b, 0.0)) for a, b in map(month_places, days.tolist())]
        )
    base = float(_median((flat - factors[weekdays])[-LEVEL_DAYS:]))
    if math.isnan(base):
        base = float(_median(flat - factors[weekdays]))
    rest = open_days - effects - factors[weekdays] - levels
    spread = _spread(rest[recent])
    known = int(np.sum(~np.isnan(rest[recent])))
    errors = 1 + 2 / LEVEL_DAYS + (7 if by_weekday else 1) / max(1, known)
    free = logs - effects - factors[weekdays] - levels
    return DayForecast(
        first=first,
        levels=levels,
        level=base,
        weekdays=factors if by_weekday else np.zeros(7),
        month_days=month_days,
        free_days=tuple(free[is_free & ~np.isnan(free)].tolist()),
        variance=max(MIN_SPREAD**2, spread**2 - small) * errors
        + (slope_error * LEVEL_DAYS / 2) ** 2,
    )


def _median(values: Floats) -> Floats:
    """Medians over the last axis without NaN; NaN where nothing is left."""
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1).reshape(-1, values.shape[-1])
    count = ordered.shape[-1] - np.isnan(ordered).sum(axis=-1)
    rows = np.arange(len(ordered))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, ordered.shape[-1] - 1)]
    return np.where(count > 0, (low + high) / 2, np.nan).reshape(values.shape[:-1])


def _quantile(ordered: Floats, share: float) -> float:
    """The smallest of sorted numbers that `share` of them do not exceed."""
    return float(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)))])


def _spread(residuals: Floats, share: float = 0.9) -> float:
    """Standard deviation of consecutive residuals: by their median, and by the largest ones.

    `share` of them are not larger than those that count. Up to `MAX_EVENTS` runs of outliers, such
    as outages, are left out; more of them are usual.
    """
    kept = np.abs(residuals[np.isfinite(residuals)])
    if not len(kept):
        return MIN_SPREAD
    spread = max(MIN_SPREAD, 1.4826 * _quantile(np.sort(kept), 0.5))
    is_outlier = kept > OUTLIER_SPREADS * spread
    runs = int(np.sum(is_outlier[1:] & ~is_outlier[:-1])) + bool(is_outlier[0])
    if runs <= MAX_EVENTS:
        kept = kept[~is_outlier]
    return max(spread, _quantile(np.sort(kept), share) / NORMAL_QUANTILES[share])


def _find_outages(sums: Floats, weekdays: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Days without rows that no weekday explains, shape (days,).

    A weekday explains them that had no rows at least twice, and more often than it had some. Where
    few rows are usual, days without any are no outages.
    """
    is_empty: NDArray[np.bool_] = np.equal(sums, 0)
    if not is_empty.any() or not float(_median(sums)) >= BUSY_ROWS:
        return np.zeros(len(sums), bool)
    for number in np.unique(weekdays[is_empty]):
        places = (weekdays == number) & ~np.isnan(sums)
        empty = int(is_empty[places].sum())
        if empty >= 2 and 2 * empty > places.sum():
            is_empty[places] = False
    return is_empty


def _trend(logs: Floats, period: int) -> tuple[float, float]:
    """Slope a day, and its standard error."""
    count = len(logs)
    rows = -(-count // period)
    padded = np.full(rows * period, np.nan)
    padded[len(padded) - count :] = logs
    weeks = padded.reshape(rows, period)
    later, earlier = np.triu_indices(rows, 1)[::-1]
    if not len(later):
        return 0.0, 0.0
    slopes = (weeks[later] - weeks[earlier]) / (period * (later - earlier))[:, None]
    slope = float(_median(slopes.reshape(-1)))
    if math.isnan(slope):
        return 0.0, 0.0
    flat = weeks - slope * period * np.arange(rows)[:, None]
    spread = _spread((flat - _median(flat.T)).reshape(-1))
    known = int(np.sum(~np.isnan(logs)))
    error = 1.3 * spread * math.sqrt(12 / max(2, known) ** 3)
    shrink = max(0.0, 1 - (error / slope) ** 2) if slope else 0.0
    return min(max(slope * shrink, -MAX_SLOPE), MAX_SLOPE), error


def _weekday_effects(
    flat: Floats, weekdays: NDArray[np.int64], small: float
) -> tuple[Floats, float]:
    """Effect of each weekday, shape (7,), and the spread of days around it."""
    own, counts = np.full(7, float(_median(flat))), np.zeros(7)
    group_middle = [_median(flat[weekdays < 5]), _median(flat[weekdays >= 5])]
    for number in range(7):
        values = flat[weekdays == number]
        counts[number] = np.sum(~np.isnan(values))
        if 1 < counts[number] < FEW_WEEKS:
            values = np.append(values, group_middle[number >= 5])
        if counts[number]:
            own[number] = float(_median(values))
    spread = max(_spread(flat - own[weekdays]), math.sqrt(small))
    shrunk = own.copy()
    for group in (slice(0, 5), slice(5, 7)):
        known = counts[group] > 0
        if not known.any():
            continue
        centre = float(np.average(own[group][known], weights=counts[group][known]))
        error = 1.57 * spread**2 / np.maximum(counts[group], 1)
        gap = own[group] - centre
        weight = np.maximum(0.0, 1 - error / np.maximum(gap**2, 1e-12))
        shrunk[group] = np.where(known, centre + weight * gap, centre)
    return shrunk - float(np.mean(shrunk)), spread


def _running_median(values: Floats) -> Floats:
    """Median of the seven values before and after each one, and itself."""
    padded = np.concatenate((np.full(7, np.nan), values, np.full(7, np.nan)))
    medians = _median(np.lib.stride_tricks.sliding_window_view(padded, 15))
    if np.isnan(medians).any():
        return np.where(np.isnan(medians), float(_median(values)), medians)
    return medians


def _month_days(days: NDArray[np.int64], rest: Floats, spread: float) -> dict[int, float]:
    """Effects of the days of the month that differ from other days in two months or more."""
    samples: dict[int, list[float]] = {}
    for day, value in zip(days.tolist(), rest.tolist(), strict=True):
        if not math.isnan(value):
            from_start, from_end = month_places(day)
            samples.setdefault(from_start, []).append(value)
            if from_end >= -3:
                samples.setdefault(from_end, []).append(value)
    effects = {}
    for place, values in samples.items():
        if len(values) < 2:
            continue
        ordered = sorted(values)
        middle = (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2
        limit = max(MIN_MONTH_DAY, MONTH_DAY_ERRORS * spread / math.sqrt(len(values)))
        # One outage and one day a little below the others are no habit.
        least = max(limit / 2, abs(middle) / 3)
        agreeing = sum(value * middle > 0 and abs(value) > least for value in values)
        if abs(middle) > limit and agreeing >= max(2, math.ceil(2 * len(values) / 3)):
            effects[place] = middle
    return effects


@dataclass(frozen=True, slots=True)
class WeekProfile:
    """Rows expected at each place of a week, at the level of the day that is forecast."""

    means: Floats
    """Shape (places,): a week from the place of the forecast on."""
    variance: float
    """Relative variance of one count around its mean, without that of small counts."""
    was_empty: NDArray[np.bool_]
    """Whether an earlier count of that place was 0, shape (places,)."""


def week_profile(
    counts: Floats, scales: Floats, groups: NDArray[np.int64], week: int, variance: float
) -> WeekProfile:
    """Estimate the rows of each place of a week from the counts of up to eight weeks.

    `counts` are consecutive, oldest first, and end right before the count that is forecast, shape
    (n,); NaN where they are not known or show nothing. `scales` brings each to the level of the
    forecast. A week has `week` places; the first place of the result is that of the forecast.
    `groups` numbers the places, shape (week,): the mean of a place is shrunk to that of its group
    (James and Stein). `variance` is the relative variance of a day.
    """
    rows = -(-len(counts) // week)
    padded = np.full(rows * week, np.nan)
    padded[len(padded) - len(counts) :] = counts * scales
    weeks = padded.reshape(rows, week)
    group_middle = np.empty(week)
    for group in np.unique(groups):
        group_middle[groups == group] = _median(weeks[:, groups == group].reshape(-1))
    is_new = np.sum(~np.isnan(weeks), axis=0) < FEW_WEEKS
    middle = _median(np.vstack((weeks, np.where(is_new, group_middle, np.nan))).T)
    noise = np.sqrt(middle + 1 + (OUTLIER_SPREAD * middle) ** 2)
    kept = np.where(np.abs(weeks - middle) <= OUTLIER_ERRORS * noise, weeks, np.nan)
    known = np.sum(~np.isnan(kept), axis=0)
    own = np.where(known > 0, np.nansum(kept, axis=0) / np.maximum(known, 1), np.nan)
    shrunk = own.copy()
    for group in np.unique(groups):
        places = groups == group
        weights = known[places]
        total = weights.sum()
        if not total:
            continue
        centre = float(np.nansum(own[places] * weights) / total)
        error = (centre + variance * centre**2) / np.maximum(weights, 1)
        gap = own[places] - centre
        weight = np.maximum(0.0, 1 - error / np.maximum(gap**2, 1e-12))
        shrunk[places] = np.where(weights > 0, centre + weight * gap, centre)
    means = np.where(np.isnan(shrunk), _or_zero(float(_median(shrunk))), shrunk)
    busy = means >= max(float(np.median(means)), 1.0)
    spread = _spread((weeks[:, busy] / means[busy] - 1).reshape(-1), 0.975)
    small = float(np.median(1 / means[busy])) if busy.any() else 0.0
    return WeekProfile(
        means=means,
        variance=max(variance, (spread**2 - small) * (1 + 1 / max(1, rows))),
        was_empty=np.any(weeks == 0, axis=0),
    )


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def zero_filled(positions: Sequence[int], values: Sequence[float], until: int) -> Floats:
    """Values at consecutive positions, from the first one up to before `until`.

    0 in holes, NaN after the last one. The positions ascend and are below `until`.
    """
    if not len(positions):
        return np.empty(0)
    filled = np.zeros(until - positions[0])
    filled[positions[-1] - positions[0] + 1 :] = np.nan
    filled[np.asarray(positions) - positions[0]] = values
    return filled
