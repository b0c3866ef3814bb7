"""Compares the rows of a window with those expected from earlier windows and the calendar.

Does not use the reference: a training file says nothing about traffic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import model_validator

from driftline import AlertFact, Check, CheckContext, Measurement, Rule, hookimpl, stats
from driftline.kit.checks import Chart, PastValue, Range, Wording, phrasing
from driftline.kit.checks.expected_rows import (
    DAY,
    HOUR,
    LONG_SPANS,
    MIN_DAYS,
    SEASON_DAYS,
    SPANS,
    ExpectedRows,
    PastRows,
    expect_days,
    expect_hours,
    span_windows,
)

LOW, HIGH = 0.5, 1.5
"""The ratios beyond which a number of rows is a change."""
FALSE_ALARMS = 0.1
"""Accepted false alarms a year: the share of the family `service` of one a year."""
MIN_WINDOWS, MEMORY = 8, 400
"""The fewest windows before a ratio; the newest day sums."""
LEAST_ROWS, NEWEST = 0.2, 0.75
"""The least rows expected that are judged; how far the newest windows of a span are off, at least,
however many of them are taken: an outage that is over is not reported again.
"""
NEWEST_WINDOWS, LEAST_BEFORE = 24, 3
"""The newest windows whose median the message shows as usual, and the least of them."""
DAYS_A_YEAR, SATURDAY = 365.25, 5
UNEVEN_FACTOR = 3
"""While two weeks are learned: the least rows are this many times fewer than the mean, so that the
mean is not expected of each window.
"""
STEADY_SPREAD = 0.1
"""Relative variance for silence, where no window was silent."""


def _rows_and_limit(alert: AlertFact) -> str:
    """The rows; with the limit that they crossed where nothing else says how many are usual."""
    rows, bound = _rows_sentence(alert.value, alert.was), alert.bound
    is_plain = alert.value and alert.was is None and alert.state != "resolved"
    if not is_plain or bound is None:
        return rows
    return f"{rows} ({bound.side} the limit of {phrasing.number(bound.value)})"


def _headline(alert: AlertFact) -> str:
    """Return the rows of the newest window and how many are usual, else the limit."""
    rows = alert.detail.get("rows", alert.value)
    usual = alert.detail.get("rows_expected", alert.was)
    if not isinstance(rows, (int, float)):
        return ""
    windows = alert.detail.get("windows")
    place = f"the newest {windows} windows" if isinstance(windows, int) and windows > 1 else ""
    text = f"{phrasing.number(rows) if rows else 'no'} rows in {place or 'the newest window'}"
    if isinstance(usual, (int, float)) and usual:
        return f"{text} (usually about {phrasing.number(round(usual))})"
    if alert.bound is None:
        return text
    usual_rows = alert.detail.get("rows_before")
    before = (
        f", usually about {phrasing.number(usual_rows)}"
        if isinstance(usual_rows, (int, float))
        else ""
    )
    return f"{text} (limit {phrasing.number(alert.bound.value)}{before})"


def _extent(alert: AlertFact) -> str:
    """Return which part of the usual rows there is."""
    rows = alert.detail.get("rows", alert.value)
    usual = alert.detail.get("rows_expected", alert.was) or alert.detail.get("rows_before")
    if rows == 0:
        return "no prediction is there to be checked"
    if not isinstance(usual, (int, float)) or not isinstance(rows, (int, float)) or not usual:
        return ""
    return f"{phrasing.share(rows / usual)} of the usual rows"


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


def _advice(alert: AlertFact) -> str:
    """Say where more rows than usual come from; fewer rows have the advice of the family."""
    if alert.was is not None and alert.value is not None and alert.value > alert.was:
        return "Check for repeated or unusual requests, and for log files that were written twice."
    return ""


def _rows_before(past: PastRows) -> dict[str, str | float | int | None]:
    """The median of the newest windows, as what is usual while nothing is expected yet."""
    newest = list(past.windows.values())[-NEWEST_WINDOWS:]
    if len(newest) < LEAST_BEFORE:
        return {}
    return {"rows_before": float(np.median(newest))}


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
    | no rows, then, where no earlier window of the hour had so few by chance | 0, interval 0 to 0 |
    | rows, then, within a day after a window without any | the ratio to the rows of that hour |
    | mostly empty windows before | no ratio: nothing is expected |
    | a holiday, before two others are known | no ratio, with the reason |
    | the last window of a log of the past that ends before it | no value, with the reason |
    | windows that are joined until they hold enough rows | no ratio, with the reason |
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
    charts: ClassVar = {name: Chart(kind="bars") for name in ("rows", "hour_rows", "day_rows")}
    wordings: ClassVar = {
        "rows": Wording(
            sentence=_rows_and_limit,
            headline=_headline,
            extent=_extent,
            past=lambda alert: f"there were {_rows_sentence(alert.value, alert.was)}",
            advice=_advice,
        ),
        "rows_ratio": Wording(
            headline=_headline,
            extent=_extent,
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
        if (log_end := ctx.current.log_end) is not None:
            reason = f"the log ends in this window, at {log_end:%H:%M}"
            yield Measurement(None, name="rows", rows=rows, unit="rows", reason=reason)
            yield _no_ratio(rows, reason)
            return
        if start is None or end is None:
            yield Measurement(float(rows), name="rows", rows=rows, unit="rows")
            yield _no_ratio(rows, "the window is no span of time")
            return
        if ctx.current.joined:
            yield Measurement(float(rows), name="rows", rows=rows, unit="rows")
            yield _no_ratio(rows, "windows are joined until they hold enough rows (windows.rows)")
            return
        past = self._past(ctx, start, end - start)
        yield Measurement(
            float(rows), name="rows", rows=rows, unit="rows", detail=_rows_before(past)
        )
        yield from _sums(past, rows)
        yield _ratio(past, rows)

    def _past(self, ctx: CheckContext, start: datetime, length: timedelta) -> PastRows:
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
        return PastRows(
            length=length,
            start=now,
            windows=windows,
            hours=load("hour_rows", SEASON_DAYS * 24) if is_short else {},
            days=days,
            holidays=frozenset(free),
        )


def _no_ratio(rows: int, reason: str) -> Measurement:
    return Measurement(None, name="rows_ratio", rows=rows, reason=reason)


def _sums(past: PastRows, rows: int) -> Iterator[Measurement]:
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


def _ratio(past: PastRows, rows: int) -> Measurement:
    count = len(past.windows) + len(past.hours)
    known = (past.start - past.first) if count else timedelta(0)
    if known < MIN_DAYS * DAY or count < MIN_WINDOWS:
        return _ratio_while_learning(past, rows, known, count)
    expected = expect_days(past, rows) if past.length >= DAY else expect_hours(past, rows)
    if expected is None:
        return _no_ratio(rows, "a holiday: the rows of two earlier holidays are not known yet")
    return _judge(expected, rows, past.length)


def _ratio_while_learning(past: PastRows, rows: int, known: timedelta, count: int) -> Measurement:
    values = _rows_of_like_windows(past, known)
    if count >= MIN_WINDOWS and rows and 0 in _newest_rows(past):
        # Silence that was reported is over when the rows are like those of some window before.
        least, most = min(filter(None, values), default=0.0), max(values, default=0.0)
        if LOW * least <= rows <= HIGH * most:
            return _measurement(rows, min(max(float(rows), least), most), None, 1)
    if not rows and count >= MIN_WINDOWS and values and min(values) > 0:
        mean = sum(values) / len(values)
        expected = mean if min(values) > mean / UNEVEN_FACTOR else min(values)
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


def _rows_of_like_windows(past: PastRows, known: timedelta) -> list[float]:
    """Rows of earlier windows at the same time of day, on the same kind of day.

    Of all windows where less than a day is known. Saturdays say nothing of weekdays.
    """
    if known < DAY:
        return list(past.windows.values())
    return [
        value
        for when, value in past.windows.items()
        if when.time() == past.start.time() and _is_weekend(when) == _is_weekend(past.start)
    ]


def _is_weekend(when: datetime) -> bool:
    return when.weekday() >= SATURDAY


def _newest_rows(past: PastRows) -> list[float]:
    """Rows of the windows of the last day, or of the last two windows."""
    span = max(DAY, 2 * past.length)
    return [value for when, value in past.windows.items() if when >= past.start - span]


def _judge(expected: ExpectedRows, rows: int, length: timedelta) -> Measurement:
    """The ratio of the shortest span that decides."""
    if expected.rows[-1] < LEAST_ROWS:
        return _no_ratio(rows, "windows like this one used to be empty")
    spans = LONG_SPANS if length >= DAY else span_windows(length, SPANS)
    spans = [span for span in spans if span <= len(expected.counts)]
    level = FALSE_ALARMS * (length / DAY) / (2 * DAYS_A_YEAR * math.sqrt(len(spans)))
    sums = [_sum(expected, span) for span in spans]
    for item in sums:
        if item.is_changed(level):
            return item.measurement()
    for item in sums:
        if item.is_usual():
            return item.measurement()
    if sums[0].is_counted_usual():
        return sums[0].counted()
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
    stays_low: bool
    """Whether all its newest windows together, however many, have fewer rows than `NEWEST`."""
    stays_high: bool

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

    def is_changed(self, level: float) -> bool:
        """Whether the ratio is outside the limits, and no chance of the probability `level`."""
        if self.rows < self.low and self.stays_low:
            return (
                self.interval[1] < LOW
                and stats.count_at_most(self.rows, self.low, self.dispersion) < level
            )
        if self.rows > self.high and self.stays_high:
            return (
                self.interval[0] > HIGH
                and stats.count_at_least(self.rows, self.high, self.dispersion) < level
            )
        return False

    def is_usual(self) -> bool:
        """Whether the interval is within the limits."""
        low, high = self.interval
        return low >= LOW and high <= HIGH

    @property
    def _counted_interval(self) -> tuple[float, float]:
        """95% interval of the ratio as far as the number of rows leaves it open."""
        low, high = stats.mean_interval(self.rows)
        return low / self.expected, high / self.expected

    def is_counted_usual(self) -> bool:
        """Whether there are enough rows to show that the ratio is within the limits.

        It is also where days differ so much that a ratio beyond the limits would be no change.
        """
        low, high = self._counted_interval
        return low >= LOW and high <= HIGH

    def counted(self) -> Measurement:
        """The ratio with the interval of the count alone."""
        return _measurement(self.rows, self.expected, self._counted_interval, self.windows)

    def measurement(self) -> Measurement:
        """The ratio with its interval."""
        return _measurement(self.rows, self.expected, self.interval, self.windows)

    def unsure(self) -> Measurement:
        """The ratio with an interval that a limit divides."""
        low, high = self.interval
        divided = min(low, HIGH), max(high, LOW)
        return _measurement(self.rows, self.expected, divided, self.windows)


def _sum(expected: ExpectedRows, span: int) -> _Sum:
    means = np.array(expected.rows[-span:])
    counts = expected.counts[-span:]
    total = float(means.sum())
    alone = total**2 / max(1e-300, float((means**2).sum()))
    own = max(0.0, expected.window_variance - expected.day_variance)
    variance = expected.day_variance + own / alone
    rows = round(sum(counts))
    if not rows and expected.is_steady:
        variance = min(variance, STEADY_SPREAD)
    newest, low, high = (
        np.cumsum(values[-span:][::-1]) for values in (counts, expected.low, expected.high)
    )
    return _Sum(
        windows=span,
        rows=rows,
        low=sum(expected.low[-span:]),
        high=sum(expected.high[-span:]),
        usual=total,
        dispersion=1 / variance,
        stays_low=bool(np.all(newest < NEWEST * low)),
        stays_high=bool(np.all(newest > high / NEWEST)),
    )


def _measurement(
    rows: int, expected: float, interval: tuple[float, float] | None, windows: int
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
