"""Reports a check that has had too little data to judge anything for a week of windows.

Does not report a single window, the first weeks while a baseline is learned, or labels that are
still to come.
"""

from __future__ import annotations

from collections.abc import Sequence

from driftline.alerting.fact import Fact, monitoring_fact
from driftline.types.model import Severity, Verdict
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.phrasing import count, name_series
from driftline.types.records import DueWindow, JudgedMeasurement
from driftline.types.times import from_micros
from driftline.types.window_lengths import sufficient_length

WEEK = 7 * 86_400_000_000
MIN_WINDOWS = 7
"""The fewest windows that count as a week, where windows are longer than a day."""


def blindness_fact(due: DueWindow, check: str, rows: Sequence[JudgedMeasurement]) -> Fact | None:
    """A fact that says whether all that `check` judges in one span of time lacks data.

    `rows` are its measurements of all versions and segments. None where it judged nothing.
    """
    judged_rows = [
        row
        for row in rows
        if row.judgement is not None and row.judgement.verdict is not Verdict.ERROR
    ]
    if not judged_rows:
        return None
    blind_rows = [row for row in judged_rows if row.lacks_data]
    span = from_micros(due.key.start), from_micros(due.end)
    windows_in_week = max(MIN_WINDOWS, -(-WEEK // (due.end - due.key.start)))
    length = due.end - due.key.start
    reason = _reason(blind_rows, length) if len(blind_rows) == len(judged_rows) else ""
    return monitoring_fact(
        due.key.model,
        check,
        MonitoringKind.UNSURE,
        reason,
        span,
        severity=Severity.INFO,
        rows=max(row.rows for row in blind_rows) if reason else 0,
        for_windows=windows_in_week,
        revision=due.revision + 1,
    )


def _reason(blind_rows: Sequence[JudgedMeasurement], length: int) -> str:
    """The reason of the series with the most rows, the length of windows that would do, and the
    number of the other series.
    """
    row = max(blind_rows, key=lambda row: row.rows)
    series = name_series(row.measurement.labels) or row.measurement.name.replace("_", " ")
    would_do = sufficient_length(row.rows, length, row.needed_rows) if row.needed_rows else None
    way_out = f", which windows of {would_do} would have" if would_do else ""
    others = len(blind_rows) - 1
    more = f" (and {count(others, 'more number')})" if others else ""
    return f"{series}: {row.reason}{way_out}{more}"
