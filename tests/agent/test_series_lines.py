"""Series are drawn as their checks declare."""

from __future__ import annotations

import pytest

from driftline.agent.series_groups import Series
from driftline.agent.series_lines import find_beside, make_line
from driftline.contracts.chart import Chart
from driftline.extensions.registry import Registry
from driftline.state.series import SeriesValue


def make_series(measurement="accuracy", chart=None, subject="", verdict="changed", unit=""):
    values = [
        SeriesValue(
            start=start,
            check="right",
            name=measurement,
            labels="{}",
            value=0.5,
            low=0.4,
            high=0.6,
            was=0.7,
            rows=10,
            verdict=verdict,
            severity="critical" if verdict == "changed" else "",
            reason="",
            unit=unit,
        )
        for start in (0, 1)
    ]
    return Series(
        check="right",
        family="performance",
        measurement=measurement,
        noun=measurement,
        subject=subject,
        column="",
        values=values,
        chart=chart or Chart(),
    )


def test_the_default_is_a_line_with_its_interval_and_what_changed():
    """The dashed line is the value of the reference."""
    line = make_line(make_series(unit="share"))
    assert (line.is_count, line.has_band, line.usual) == (False, True, 0.7)
    assert [point.severity for point in line.points] == ["critical", "critical"]
    assert line.name == "accuracy (share)"


def test_a_check_declares_bars_without_band_and_marks():
    """As counts are drawn."""
    line = make_line(make_series(chart=Chart(kind="bars", band="none", marks="none")))
    assert (line.is_count, line.has_band) == (True, False)
    assert [point.severity for point in line.points] == ["", ""]


@pytest.mark.parametrize(
    ("other", "is_drawn"),
    [
        (make_series("estimated_accuracy"), True),
        (make_series("estimated_accuracy", subject="plan"), False),
        (make_series("recall"), False),
    ],
)
def test_a_series_is_drawn_with_the_one_that_its_check_names(other, is_drawn):
    """Of the same subject only."""
    item = make_series(chart=Chart(beside="estimated_accuracy"))
    beside = find_beside(item, [item, other])
    assert (beside is other) == is_drawn
    assert len(make_line(item, beside).estimates) == (2 if is_drawn else 0)
    assert find_beside(make_series(), [item, other]) is None


def test_shipped_checks_declare_charts_of_measurements_that_they_have():
    """Counts of rows are bars; a metric stands beside its estimate."""
    charts = {check.type: check.charts for check in Registry.load([]).checks()}
    assert charts["volume"]["rows"].kind == "bars"
    assert charts["performance"]["accuracy"].beside == "estimated_accuracy"
