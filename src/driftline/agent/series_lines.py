"""Series of measurements as lines of charts, as their checks declare them."""

from __future__ import annotations

from collections.abc import Sequence

from driftline.agent.series_groups import Series
from driftline.charts.series_points import SeriesLine, SeriesPoint, Span
from driftline.state.incidents import IncidentRow
from driftline.state.series import SeriesValue
from driftline.types.model import Verdict
from driftline.types.times import END_OF_TIME, as_micros


def make_line(
    item: Series, beside: Series | None = None, incidents: Sequence[IncidentRow] = ()
) -> SeriesLine:
    """Return the line of a series; `beside` is drawn with it, the times of `incidents` are shaded.

    The dashed line is the newest value of the reference.
    """
    chart = item.chart
    subject = f"{item.subject}: " if item.subject else ""
    unit = f" ({item.newest.unit})" if item.newest.unit else ""
    return SeriesLine(
        name=f"{subject}{item.noun}{unit}",
        points=_points(item.values, has_marks=chart.marks == "changed"),
        usual=item.newest.was,
        estimates=() if beside is None else _points(beside.values, has_marks=False),
        spans=[
            Span(
                as_micros(row.since),
                END_OF_TIME if row.resolved_at is None else as_micros(row.resolved_at),
                row.severity,
            )
            for row in incidents
        ],
        is_count=chart.kind == "bars",
        has_band=chart.band == "interval",
    )


def find_beside(item: Series, all_series: Sequence[Series]) -> Series | None:
    """Return the series that the check of `item` draws with it; None without one."""
    return next(
        (
            other
            for other in all_series
            if item.chart.beside == other.measurement and other.subject == item.subject
        ),
        None,
    )


def _points(values: Sequence[SeriesValue], *, has_marks: bool) -> list[SeriesPoint]:
    return [
        SeriesPoint(
            start=value.start,
            value=value.value,
            low=value.low,
            high=value.high,
            severity=value.severity or "warning"
            if has_marks and value.verdict == Verdict.CHANGED
            else "",
        )
        for value in values
    ]
