"""Measures how old the newest record is when a window ends.

Does not read the clock: the end of the window is the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, above, hookimpl
from driftline.kit.checks import PastValue, Wording, phrasing

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LIMIT_WINDOWS = 2
"""The limit without an option, in windows."""
FALSE_ALARMS = 0.1
"""Accepted false alarms a year while silence is usual."""
MEMORY_DAYS, MOST_WINDOWS, MIN_DAYS = 56, 2016, 14
"""The newest days and windows that show where silence is usual, and the fewest days."""
NEAR_HOURS = 2
"""Hours before and after that are taken together."""
LEAST_DAYS = 2
"""Earlier days with an empty window that make silence usual: one may have been an outage."""
SATURDAY, DAYS_A_YEAR = 5, 365.25


def _age_sentence(age: str | float | None) -> str:
    if not isinstance(age, (int, float)):
        return ""
    return f"no new record for {phrasing.duration(age)}"


def _headline(age: str | float | None, limit: str | float | None) -> str:
    text = _age_sentence(age)
    if not text or not isinstance(limit, (int, float)):
        return text
    return f"{text} (limit {phrasing.duration(limit)})"


SILENCE = "the model gets no requests, or its log no longer arrives"
"""What silence means."""


def _past_age_sentence(age: str | float | None) -> str:
    if not isinstance(age, (int, float)):
        return ""
    return f"no new record came for {phrasing.duration(age)}"


class Freshness(Check):
    """Measures the age of the newest record at the end of the window.

    age_seconds is the time from the model's newest event to the end of the window. staleness is
    that age over the limit. Without a limit of its own, time counts less where windows of the same
    hour and kind of day (Monday to Friday, weekend) used to be empty as well: as much as their
    chance to be empty makes 0.1 false alarms a year. Two weeks must be known for that. From the
    second day until then, only hours count that were seen on such a day, and never empty.

    | input | answer |
    | --- | --- |
    | no data ever | no value, with the reason |
    | a window without rows | the age of the newest event before it |
    | silence in hours that were not seen yet | no staleness, with the reason |
    | a window without start or end | no value, with the reason |
    """

    type = "freshness"
    cause = "service"
    main = "age_seconds"
    collectors: ClassVar = frozenset()
    default_rules: ClassVar = {"staleness": above(critical=1.0)}
    min_rows = 0
    on_empty = True
    default_for: ClassVar = frozenset()
    default_place = 70
    inhibits: ClassVar = (
        ("family=service,measurement=age_seconds|staleness", "family=drift|quality"),
    )
    wordings: ClassVar = {
        "age_seconds": Wording(
            sentence=lambda alert: _age_sentence(alert.value),
            headline=lambda alert: _headline(alert.value, alert.detail.get("limit")),
            extent=lambda alert: SILENCE,
            past=lambda alert: _past_age_sentence(alert.value),
        ),
        "staleness": Wording(
            sentence=lambda alert: _age_sentence(alert.detail.get("age_seconds")),
            headline=lambda alert: _headline(
                alert.detail.get("age_seconds"), alert.detail.get("limit")
            ),
            extent=lambda alert: SILENCE,
            past=lambda alert: _past_age_sentence(alert.detail.get("age_seconds")),
            hides_value=True,
        ),
    }

    limit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The age in seconds from which data is stale.

    When absent, twice the length of the window, and longer where silence used to be usual.
    """

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the age and the staleness."""
        window = ctx.current
        reason = ""
        if window.start is None or window.end is None:
            reason = "the window is no span of time"
        elif window.last_seen is None:
            reason = "no data has ever been seen"
        if reason or window.start is None or window.end is None or window.last_seen is None:
            yield Measurement(None, name="age_seconds", reason=reason)
            yield Measurement(None, name="staleness", reason=reason)
            return
        age = max(0.0, (window.end - window.last_seen).total_seconds())
        limit = self.limit or LIMIT_WINDOWS * (window.end - window.start).total_seconds()
        if self.limit is None and age > limit > 0:
            length = window.end - window.start
            past = ctx.history("age_seconds", {}, min(MEMORY_DAYS * DAY // length, MOST_WINDOWS))
            stale = _Silence(past, window.last_seen, window.end, length).staleness(window.end)
            limit = age / stale if stale else 0.0
            if not stale:
                detail: dict[str, str | float | int | None] = {"limit": None}
                yield Measurement(age, name="age_seconds", unit="s", detail=detail)
                reason = "two weeks show whether silence at this time is usual"
                yield Measurement(None, name="staleness", reason=reason)
                return
        yield Measurement(age, name="age_seconds", unit="s", detail={"limit": limit})
        if limit > 0:
            yield Measurement(
                age / limit,
                name="staleness",
                unit="of the limit",
                detail={"age_seconds": age, "limit": limit},
            )
        else:
            yield Measurement(None, name="staleness", reason="the window has no length")


class _Silence:
    """How usual windows without rows are, by hour and kind of day."""

    def __init__(
        self, past: Sequence[PastValue], last_seen: datetime, end: datetime, length: timedelta
    ) -> None:
        """Take the ages at the end of earlier windows; that of an empty one reaches its length.

        The windows after `last_seen`, the time of the newest record, show nothing usual.
        """
        self._length, self._last_seen = length, last_seen
        self._weights: dict[tuple[bool, int], float] = {}
        """By kind of day, and hour or weekday."""
        self._level = math.log(FALSE_ALARMS * (length / DAY) / DAYS_A_YEAR)
        self._windows = [
            (item.start, item.value >= length.total_seconds())
            for item in past
            if item.start < last_seen
        ]
        first = min((when for when, _ in self._windows), default=last_seen)
        is_long = last_seen - first >= MIN_DAYS * DAY
        self._is_known = is_long or len(self._windows) >= MOST_WINDOWS
        if end - first < DAY or length > DAY:
            self._windows = []

    def staleness(self, end: datetime) -> float:
        """The time from the newest record to the end, as a share of what is tolerated."""
        total, last_seen = 0.0, self._last_seen
        while end > last_seen:
            if total > 1 or not self._windows:
                return total + (end - last_seen) / self._length / LIMIT_WINDOWS
            start = end - self._length
            part = min(1.0, (end - last_seen) / self._length)
            total += part * self._weight(start)
            end = start
        return total

    def _weight(self, start: datetime) -> float:
        """What an empty window counts: 1 in all makes data stale."""
        key = self._key(start)
        if key not in self._weights:
            alike = [pair for pair in self._windows if self._is_near(pair[0], key)]
            if not self._is_known:
                # The hours right before say nothing of this one: a weekend begins quietly.
                since = start - DAY + NEAR_HOURS * HOUR
                earlier = [is_empty for when, is_empty in alike if when <= since]
                self._weights[key] = 1 / LIMIT_WINDOWS if earlier and not any(earlier) else 0.0
                return self._weights[key]
            empty = [when for when, is_empty in alike if is_empty]
            chance = (len(empty) + 0.5) / (len(alike) + 1)
            is_usual = len({when.date() for when in empty}) >= LEAST_DAYS
            weight = math.log(chance) / self._level if is_usual else 1.0
            self._weights[key] = min(1 / LIMIT_WINDOWS, weight)
        return self._weights[key]

    def _key(self, when: datetime) -> tuple[bool, int]:
        """The kind of day and the hour; the weekday for windows of a day, once it is known."""
        is_day = self._length >= DAY
        if is_day and not self._is_known:
            return when.weekday() >= SATURDAY, 0
        return when.weekday() >= SATURDAY, when.weekday() if is_day else when.hour

    def _is_near(self, when: datetime, key: tuple[bool, int]) -> bool:
        """Whether a window has the same weekday, or lies within `NEAR_HOURS` of the hour."""
        is_weekend, place = self._key(when)
        if is_weekend != key[0] or self._length >= DAY:
            return (is_weekend, place) == key
        hours = abs(place - key[1])
        return min(hours, 24 - hours) <= NEAR_HOURS


@hookimpl
def register_checks() -> list[type[Check]]:
    """The freshness check."""
    return [Freshness]
