"""Compares the rows of a window with those of earlier, similar windows.

Does not use the reference: a training file says nothing about traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from statistics import median
from typing import ClassVar

from driftline import AlertFact, Check, CheckContext, Measurement, Rule, hookimpl, stats
from driftline.kit.checks import PastValue, Range, Wording, phrasing

Season = tuple[int, int]
"""The hour and the weekday at which a window starts."""
LEARNING, ALIKE = 8, 4
DAY = timedelta(days=1)
MEMORY = 7 * 24 * 5
"""Earlier windows to compare: five weeks of hourly windows."""


def _rows_sentence(rows: str | float | None, expected: str | float | None) -> str:
    if not isinstance(rows, (int, float)):
        return ""
    usual = ""
    if isinstance(expected, (int, float)) and expected:
        usual = f" ({phrasing.number(round(expected))} expected)"
    return f"{phrasing.number(rows) if rows else 'no'} rows{usual}"


def _advice(alert: AlertFact) -> str:
    """Say where more rows than usual come from; fewer rows have the advice of the family."""
    if alert.was is not None and alert.value is not None and alert.value > alert.was:
        return "Check for repeated or unusual requests, and for log files that were written twice."
    return ""


class Volume(Check):
    """Measures the rows of a window, and their ratio to the rows expected.

    The expected number is the median of earlier windows of the same hour and weekday, else of the
    same hour, else of all. A median by season needs at least four windows.

    For windows shorter than a day with fewer than four earlier windows of their hour, it is the
    nearest row count of an earlier window that was not judged `changed`.

    The interval of the ratio is exact under a negative binomial law. The dispersion of that law
    comes from the same history.

    | input | answer |
    | --- | --- |
    | fewer than 8 earlier windows | no ratio, with the reason |
    | shorter than a day, on the first day | no ratio, with the reason, unless there are no rows |
    | shorter than a day, under 4 earlier of its hour | rows over the nearest unchanged count |
    | mostly empty windows before | no ratio: nothing is expected |
    | no rows where no earlier window was empty | 0, with the interval 0 to 0 |
    """

    type = "volume"
    cause = "service"
    main = "rows_ratio"
    collectors: ClassVar = frozenset()
    default_rules: ClassVar = {"rows_ratio": Rule(outside=Range(low=0.5, high=1.5))}
    min_rows = 0
    on_empty = True
    default_for: ClassVar = frozenset()
    default_place = 60
    inhibits: ClassVar = (
        ("family=service,measurement=rows|rows_ratio,side=below", "family=drift|quality"),
    )
    wordings: ClassVar = {
        "rows": Wording(
            sentence=lambda alert: _rows_sentence(alert.value, alert.was),
            past=lambda alert: f"there were {_rows_sentence(alert.value, alert.was)}",
            advice=_advice,
        ),
        "rows_ratio": Wording(
            sentence=lambda alert: _rows_sentence(
                alert.detail.get("rows"), alert.detail.get("rows_expected")
            ),
            past=lambda alert: (
                "there were "
                + _rows_sentence(alert.detail.get("rows"), alert.detail.get("rows_expected"))
            ),
            hides_value=True,
            advice=_advice,
        ),
    }

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the rows, then their ratio to the rows expected."""
        rows, start = ctx.current.rows, ctx.current.start
        yield Measurement(float(rows), name="rows", rows=rows, unit="rows")
        past = [
            earlier
            for earlier in ctx.history("rows", {}, MEMORY)
            if start is None or earlier.start < start
        ]
        if len(past) < LEARNING:
            reason = f"learning: {len(past)} of {LEARNING} earlier windows"
            yield Measurement(None, name="rows_ratio", rows=rows, reason=reason)
            return
        groups = _by_season(past)
        season = _seasons(groups)
        expected = season(None if start is None else (start.hour, start.weekday()))
        if (
            rows
            and start is not None
            and ctx.current.end is not None
            and ctx.current.end - start < DAY
        ):
            if start - past[0].start < DAY:
                yield Measurement(
                    None, name="rows_ratio", rows=rows, reason="learning: the first day is not over"
                )
                return
            if sum(earlier.start.hour == start.hour for earlier in past) < ALIKE:
                odd = {
                    earlier.start
                    for earlier in ctx.history("rows_ratio", {}, MEMORY)
                    if earlier.verdict == "changed"
                }
                row_counts = [earlier.value for earlier in past if earlier.start not in odd] or [
                    earlier.value for earlier in past
                ]
                expected = min(max(rows, min(row_counts)), max(row_counts))
        if expected <= 0:
            yield Measurement(
                None, name="rows_ratio", rows=rows, reason="windows like this one used to be empty"
            )
            return
        expectations = [(rows, season(when)) for when, values in groups.items() for rows in values]
        spread = stats.dispersion(*zip(*expectations, strict=True))
        low, high = stats.mean_interval(rows, spread)
        if not rows and all(earlier.value > 0 for earlier in past):
            high = 0.0
        detail = {"rows": rows, "rows_expected": expected}
        ratio = rows / expected
        yield Measurement(
            ratio,
            name="rows_ratio",
            rows=rows,
            interval=(min(low / expected, ratio), max(high / expected, ratio)),
            was=1.0,
            unit="of the rows expected",
            detail=detail,
        )


def _by_season(past: Sequence[PastValue]) -> dict[Season, list[float]]:
    groups: dict[Season, list[float]] = {}
    for earlier in past:
        groups.setdefault((earlier.start.hour, earlier.start.weekday()), []).append(earlier.value)
    return groups


def _seasons(groups: Mapping[Season, Sequence[float]]) -> Callable[[Season | None], float]:
    """Return a function from hour and weekday to the median rows of the most similar windows."""
    hours: dict[int, list[float]] = {}
    for (hour, _), values in groups.items():
        hours.setdefault(hour, []).extend(values)
    of_all = median([value for values in hours.values() for value in values])
    of_hours = {hour: median(values) for hour, values in hours.items() if len(values) >= ALIKE}
    of_groups = {
        season: median(values) for season, values in groups.items() if len(values) >= ALIKE
    }
    return lambda when: (
        of_all if when is None else of_groups.get(when, of_hours.get(when[0], of_all))
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The volume check."""
    return [Volume]
