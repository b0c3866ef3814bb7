"""Compares the rows of a window with those expected from earlier windows and the calendar.

Does not use the reference: a training file says nothing about traffic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from driftline import AlertFact, Check, CheckContext, Measurement, Rule, hookimpl, stats
from driftline.kit.checks import PastValue, Range, Wording, phrasing

Floats = NDArray[np.float64]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ORIGIN = datetime(1, 1, 1, tzinfo=UTC)
"""A Monday; the clock of a model is written as UTC."""
LOW, HIGH = 0.5, 1.5
"""The ratios beyond which a number of rows is a change."""
FALSE_ALARMS = 0.1
"""Accepted false alarms a year: the share of the family `service` of one a year."""
SPANS = (1, 2, 3, 6, 12, 24)
"""Spans that are judged together, in twenty-fourths of a day."""
LONG_SPANS = (1, 2, 7)
"""Windows that are judged together, where one is a day or longer."""
MIN_DAYS, MIN_WINDOWS, SEASON_DAYS, MEMORY = 14, 8, 56, 400
"""The fewest days and windows before a ratio; the days that show hours; the newest day sums."""
LEAST_ROWS, NEWEST = 0.2, 0.75
"""The least rows expected that are judged; how far the newest window of a span is off, at least."""
DAYS_A_YEAR = 365.25
STEADY_SPREAD, STEADY_WINDOWS = 0.1, 200
"""Relative variance for silence, and windows without any silence that show it."""


def _rows_and_limit(alert: AlertFact) -> str:
    """The rows; with the limit that they crossed where nothing else says how many are usual."""
    rows, bound = _rows_sentence(alert.value, alert.was), alert.bound
    is_plain = alert.value and alert.was is None and alert.state != "resolved"
    if not is_plain or bound is None:
        return rows
    return f"{rows} ({bound.side} the limit of {phrasing.number(bound.value)})"


def _rows_sentence(
    rows: str | float | None, expected: str | float | None, windows: str | float | None = None
) -> str:
    if not isinstance(rows, (int, float)):
        return ""
    usual = ""
    if isinstance(expected, (int, float)) and expected:
        usual = f" ({phrasing.number(round(expected))} expected)"
    span = f" in {windows} windows" if isinstance(windows, (int, float)) and windows > 1 else ""
    return f"{phrasing.number(rows) if rows else 'no'} rows{span}{usual}"


@lru_cache(maxsize=256)
def _country_days(country: str, year: int) -> frozenset[int]:
    """Numbers of the public holidays of a year. Raises ValueError for an unknown country."""
    try:
        import holidays  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise ValueError(
            "country needs the package holidays: pip install 'driftline[holidays]'"
        ) from None
    name, _, part = country.partition("-")
    try:
        days = holidays.country_holidays(name, subdiv=part or None, years=year)
    except NotImplementedError as error:
        raise ValueError(f"country: {' '.join(str(error).split())[:200]}") from None
    return frozenset(day.toordinal() for day in days)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
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
class _Expected:
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


def _advice(alert: AlertFact) -> str:
    """Say where more rows than usual come from; fewer rows have the advice of the family."""
    if alert.was is not None and alert.value is not None and alert.value > alert.was:
        return "Check for repeated or unusual requests, and for log files that were written twice."
    return ""


class Volume(Check):
    """Measures the rows of a window, and their ratio to the rows expected.

    The expected rows are learned from the newest eight weeks: the level of two weeks, its trend,
    the weekday, and the hour where windows are shorter than a day. Hours and weekdays with few
    rows are shrunk to those of Monday to Friday or of the weekend. Windows without rows count
    as 0. A day of the month that differs in two months, by more than chance does, is expected to
    differ again. An outage, or a holiday, does not become usual: all estimates are medians or leave
    outliers out.

    A ratio is `changed` when its 95% interval is outside the limits and, besides, so few or many
    rows have a probability that makes 0.1 false alarms a year, under a negative binomial law whose
    dispersion is estimated from the same weeks. If one window does not show it, the rows of up to a
    day are taken together: the ratio is that of the span, and the details name its windows.

    | input | answer |
    | --- | --- |
    | fewer than two weeks of earlier windows | no ratio, with the reason |
    | no rows, then, where no earlier window of the hour was empty | 0, with the interval 0 to 0 |
    | mostly empty windows before | no ratio: nothing is expected |
    | a holiday, before two others are known | no ratio, with the reason |
    """

    type = "volume"
    cause = "service"
    main = "rows_ratio"
    collectors: ClassVar = frozenset()
    default_rules: ClassVar = {"rows_ratio": Rule(outside=Range(low=LOW, high=HIGH))}
    min_rows = 0
    on_empty = True
    default_for: ClassVar = frozenset()
    default_place = 60
    inhibits: ClassVar = (
        ("family=service,measurement=rows|rows_ratio,side=below", "family=drift|quality"),
    )
    wordings: ClassVar = {
        "rows": Wording(
            sentence=_rows_and_limit,
            past=lambda alert: f"there were {_rows_sentence(alert.value, alert.was)}",
            advice=_advice,
        ),
        "rows_ratio": Wording(
            sentence=lambda alert: _rows_sentence(
                alert.detail.get("rows"),
                alert.detail.get("rows_expected"),
                alert.detail.get("windows"),
            ),
            past=lambda alert: (
                "there were "
                + _rows_sentence(
                    alert.detail.get("rows"),
                    alert.detail.get("rows_expected"),
                    alert.detail.get("windows"),
                )
            ),
            hides_value=True,
            advice=_advice,
        ),
    }

    holidays: tuple[date, ...] = ()
    """Dates of days with other traffic than usual, such as 2026-12-25."""
    country: str | None = None
    """The country whose public holidays have other traffic, such as DE, or DE-BY for a part of it.

    Needs the package holidays: `pip install 'driftline[holidays]'`.
    """
    timezone: str = "UTC"
    """The time zone of days and hours, such as Europe/Berlin."""

    @model_validator(mode="after")
    def _calendar_exists(self) -> Volume:
        try:
            ZoneInfo(self.timezone)
        except (KeyError, OSError, ValueError):
            raise ValueError(f"timezone: there is no zone {self.timezone!r}") from None
        if self.country is not None:
            _country_days(self.country, 2026)
        return self

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the rows, their sums of hours and days, then the ratio to the rows expected."""
        rows, start, end = ctx.current.rows, ctx.current.start, ctx.current.end
        yield Measurement(float(rows), name="rows", rows=rows, unit="rows")
        if start is None or end is None:
            yield _no_ratio(rows, "the window is no span of time")
            return
        past = self._past(ctx, start, end - start)
        yield from _sums(past, rows)
        yield _ratio(past, rows)

    def _past(self, ctx: CheckContext, start: datetime, length: timedelta) -> _Past:
        zone = ZoneInfo(self.timezone)

        def clock(when: datetime) -> datetime:
            local = when if zone.key == "UTC" else when.astimezone(zone)
            return local if local.tzinfo is UTC else local.replace(tzinfo=UTC)

        def load(name: str, limit: int) -> dict[datetime, float]:
            values: Sequence[PastValue] = ctx.history(name, {}, limit)
            return {clock(item.start): item.value for item in values if item.start < start}

        is_short = length < HOUR and HOUR % length == timedelta(0)
        memory = min(2016, (DAY if is_short else SEASON_DAYS * DAY) // length)
        windows = load("rows", MEMORY if length >= DAY else memory)
        now = clock(start)
        days: dict[int, float] = {}
        if length < DAY:
            for when, value in load("day_rows", MEMORY).items():
                days[when.toordinal()] = value
        free = {day.toordinal() for day in self.holidays}
        if self.country is not None:
            for year in range(now.year - 2, now.year + 1):
                free |= _country_days(self.country, year)
        return _Past(
            length=length,
            start=now,
            windows=windows,
            hours=load("hour_rows", SEASON_DAYS * 24) if is_short else {},
            days=days,
            holidays=frozenset(free),
        )


def _no_ratio(rows: int, reason: str) -> Measurement:
    return Measurement(None, name="rows_ratio", rows=rows, reason=reason)


def _sums(past: _Past, rows: int) -> Iterator[Measurement]:
    """The rows of the hour and of the day that the window ends."""
    end = past.start + past.length
    if past.length >= DAY or not past.windows:
        return
    oldest = next(iter(past.windows))
    hour = (end - timedelta(microseconds=1)).replace(minute=0, second=0, microsecond=0)
    if past.length < HOUR and end == hour + HOUR and oldest <= hour:
        total = rows + sum(value for when, value in past.windows.items() if when >= hour)
        yield Measurement(float(total), name="hour_rows", rows=int(total), unit="rows")
    midnight = datetime.combine(past.start.date(), time(tzinfo=UTC))
    if end >= midnight + DAY and oldest <= midnight:
        total = rows + sum(value for when, value in past.windows.items() if when >= midnight)
        yield Measurement(float(total), name="day_rows", rows=int(total), unit="rows")


def _ratio(past: _Past, rows: int) -> Measurement:
    count = len(past.windows) + len(past.hours)
    known = (past.start - past.first) if count else timedelta(0)
    if known < MIN_DAYS * DAY or count < MIN_WINDOWS:
        return _ratio_while_learning(past, rows, known, count)
    expected = _expect_days(past, rows) if past.length >= DAY else _expect_hours(past, rows)
    if expected is None:
        return _no_ratio(rows, "a holiday: the rows of two earlier holidays are not known yet")
    return _judge(expected, rows, past.length)


def _ratio_while_learning(past: _Past, rows: int, known: timedelta, count: int) -> Measurement:
    alike = [value for when, value in past.windows.items() if when.time() == past.start.time()]
    values = alike or list(past.windows.values())
    if not rows and count >= MIN_WINDOWS and min(values) > 0:
        expected = sum(values) / len(values)
        # One false alarm in twenty models, whenever in the two weeks it is: the sum of 1/n.
        if math.exp(-expected) < 1 / (20 * count):
            return _measurement(0, expected, (0.0, 0.0), 1)
    if count < MIN_WINDOWS and known >= MIN_DAYS * DAY:
        reason = f"{MIN_WINDOWS - count} more windows are needed to know the usual rows"
    else:
        days = max(1, math.ceil((MIN_DAYS * DAY - known) / DAY))
        more = "1 more day is" if days == 1 else f"{days} more days are"
        reason = f"{more} needed to know the rows of two weeks"
    return _no_ratio(rows, reason)


def _expect_days(past: _Past, rows: int) -> _Expected | None:
    """Expect the rows of windows of a day or longer."""
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
    return _Expected(
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


def _expect_hours(past: _Past, rows: int) -> _Expected | None:
    """Expect the rows of windows shorter than a day."""
    bins = past.hours or past.windows
    length = HOUR if past.hours else past.length
    per_day = DAY // length if DAY % length == timedelta(0) else 0
    if not per_day:
        return _expect_days(past, rows)
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
    seen = _newest_windows(past, _span_windows(past.length, SPANS)[-1] - 1)
    expected = [
        _expect_window(past, offset, midnight, profile, forecast, length)
        for offset in range(-len(seen), 1)
    ]
    variance = profile.variance
    if past.hours and seen:
        ratios = np.array(seen) / np.maximum(1e-9, [item[1] for item in expected[:-1]])
        variance = max(variance, _burst_variance(ratios, expected))
    return _Expected(
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


def _newest_windows(past: _Past, limit: int) -> list[float]:
    """Rows of up to `limit` windows that end where the judged one starts, oldest first."""
    oldest, newest = min(past.windows), max(past.windows)
    values: list[float] = []
    start = past.start - past.length
    while len(values) < limit and oldest <= start <= newest:
        values.append(past.windows.get(start, 0.0))
        start -= past.length
    return values[::-1]


def _expect_window(
    past: _Past,
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


def _span_windows(length: timedelta, spans: Sequence[int]) -> list[int]:
    """Numbers of windows that are judged together, ascending."""
    return sorted({max(1, round(span * HOUR / length)) for span in spans})


def _judge(expected: _Expected, rows: int, length: timedelta) -> Measurement:
    """The ratio of the shortest span that decides."""
    if expected.rows[-1] < LEAST_ROWS:
        return _no_ratio(rows, "windows like this one used to be empty")
    spans = LONG_SPANS if length >= DAY else _span_windows(length, SPANS)
    spans = [span for span in spans if span <= len(expected.counts)]
    level = FALSE_ALARMS * (length / DAY) / (2 * DAYS_A_YEAR * math.sqrt(len(spans)))
    sums = [_sum(expected, span) for span in spans]
    for item in sums:
        if item.is_changed(expected, level):
            return item.measurement()
    for item in sums:
        if item.is_usual():
            return item.measurement()
    # One window within the limits says more than a span that an outage is part of.
    is_within = LOW <= sums[0].rows / sums[0].expected <= HIGH
    return sums[0 if is_within else -1].unsure()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """The rows of the newest windows together."""

    windows: int
    rows: int
    low: float
    high: float
    usual: float
    dispersion: float

    @property
    def expected(self) -> float:
        """The usual rows; on a holiday the nearest usual ones."""
        if self.low == self.high:
            return self.usual
        return min(max(float(self.rows), self.low, LEAST_ROWS), self.high)

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the ratio."""
        low, high = stats.mean_interval(self.rows, self.dispersion)
        ratio = self.rows / self.expected
        return min(low / self.expected, ratio), max(high / self.expected, ratio)

    def is_changed(self, expected: _Expected, level: float) -> bool:
        """Whether the ratio is outside the limits, and no chance of the probability `level`."""
        newest, low, high = expected.counts[-1], expected.low[-1], expected.high[-1]
        if self.rows < self.low and newest < NEWEST * low:
            return (
                self.interval[1] < LOW
                and stats.count_at_most(self.rows, self.low, self.dispersion) < level
            )
        if self.rows > self.high and newest > high / NEWEST:
            return (
                self.interval[0] > HIGH
                and stats.count_at_least(self.rows, self.high, self.dispersion) < level
            )
        return False

    def is_usual(self) -> bool:
        """Whether the interval is within the limits."""
        low, high = self.interval
        return low >= LOW and high <= HIGH

    def measurement(self) -> Measurement:
        """The ratio with its interval."""
        return _measurement(self.rows, self.expected, self.interval, self.windows)

    def unsure(self) -> Measurement:
        """The ratio with an interval that a limit divides."""
        low, high = self.interval
        divided = min(low, HIGH), max(high, LOW)
        return _measurement(self.rows, self.expected, divided, self.windows)


def _sum(expected: _Expected, span: int) -> _Sum:
    means = np.array(expected.rows[-span:])
    counts = expected.counts[-span:]
    total = float(means.sum())
    alone = total**2 / max(1e-300, float((means**2).sum()))
    own = max(0.0, expected.window_variance - expected.day_variance)
    variance = expected.day_variance + own / alone
    rows = round(sum(counts))
    if not rows and expected.is_steady:
        variance = min(variance, STEADY_SPREAD)
    return _Sum(
        windows=span,
        rows=rows,
        low=sum(expected.low[-span:]),
        high=sum(expected.high[-span:]),
        usual=total,
        dispersion=1 / variance,
    )


def _measurement(
    rows: int, expected: float, interval: tuple[float, float], windows: int
) -> Measurement:
    detail: dict[str, float] = {"rows": rows, "rows_expected": expected}
    if windows > 1:
        detail["windows"] = windows
    return Measurement(
        rows / expected,
        name="rows_ratio",
        rows=rows,
        interval=interval,
        was=1.0,
        unit="of the rows expected",
        detail=detail,
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The volume check."""
    return [Volume]
