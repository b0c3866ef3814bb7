"""Charts as specifications: what they draw, and that text from data stays text."""

from __future__ import annotations

import itertools
import json

import pytest
from hostile_names import HOSTILE_NAMES

from driftline.charts.backtest import backtest_specification
from driftline.charts.incident import incident_specification, render_incident
from driftline.charts.picture import draw_svg
from driftline.charts.series_chart import series_specification
from driftline.charts.series_points import SeriesLine, SeriesPoint, Span, thin
from driftline.charts.theme import PAGE, with_theme

HOUR = 3_600_000_000


def make_line(count=40, name="tenure: mean shift", **options):
    points = [
        SeriesPoint(
            start=place * HOUR,
            value=0.1 * (place % 7),
            low=0.1 * (place % 7) - 0.1,
            high=0.1 * (place % 7) + 0.1,
            severity="warning" if place >= count - 5 else "",
        )
        for place in range(count)
    ]
    return SeriesLine(name=name, points=points, **options)


def find_layer(specification, style):
    return next(layer for layer in specification["layer"] if layer["mark"].get("style") == style)


def fields_and_expressions(part, inside=""):
    """All texts of a specification that its language does not take as plain text."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key not in ("values", "title", "description", "text"):
                yield from fields_and_expressions(value, key)
    elif isinstance(part, list):
        for item in part:
            yield from fields_and_expressions(item, inside)
    elif isinstance(part, str):
        yield part


def test_a_chart_has_a_line_a_band_the_usual_value_and_what_changed():
    """Each part has its rows; the changed windows have dots."""
    line = make_line(usual=0.3, since=35 * HOUR, spans=[Span(30 * HOUR, 99 * HOUR, "critical")])
    chart = series_specification(line)
    assert len(chart["data"]["values"]) == 40
    assert {"at", "value", "low", "high"} == set(chart["data"]["values"][0])
    assert find_layer(chart, "now")["encoding"]["y"]["field"] == "value"
    assert find_layer(chart, "band")["encoding"]["y"]["field"] == "low"
    assert find_layer(chart, "usual")["data"]["values"] == [{"value": 0.3}]
    assert len(find_layer(chart, "dot-warning")["data"]["values"]) == 5
    assert find_layer(chart, "since-warning")["data"]["values"] == [{"at": 35 * 3_600_000}]
    assert find_layer(chart, "span-critical")["data"]["values"] == [
        {"at": 30 * 3_600_000, "until": 39 * 3_600_000}
    ]


def test_counts_are_bars_from_zero():
    """A count has no line and no cut scale."""
    chart = series_specification(make_line(is_count=True, has_band=False))
    [layer] = [layer for layer in chart["layer"] if layer["mark"]["type"] == "rect"]
    assert layer["encoding"]["y"]["scale"]["zero"] is True
    rows = chart["data"]["values"]
    assert all(row["until"] < after["at"] for row, after in itertools.pairwise(rows))
    assert not [layer for layer in chart["layer"] if layer["mark"]["type"] in ("line", "area")]


@pytest.mark.parametrize("count", [2, 300, 301, 5_000])
def test_a_thinned_series_keeps_its_ends_and_its_extremes(count):
    """At most 300 points, in their order, with the lowest and the highest value of all."""
    points = [
        SeriesPoint(start=place, value=float((place * 7919) % 5003)) for place in range(count)
    ]
    thinned = thin(points, 300)
    assert len(thinned) <= 300
    assert (thinned[0], thinned[-1]) == (points[0], points[-1])
    assert [point.start for point in thinned] == sorted({point.start for point in thinned})
    values = [point.value for point in points]
    assert {min(values), max(values)} <= {point.value for point in thinned}


def test_a_window_without_a_value_is_a_gap_that_thinning_keeps():
    """A long stretch without values stays visible."""
    points = [
        SeriesPoint(start=place, value=None if 400 <= place < 800 else 1.0)
        for place in range(1_200)
    ]
    assert None in [point.value for point in thin(points, 100)]


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "datum.value", "{signal: 'x'}"])
def test_no_name_is_a_field_or_an_expression(name):
    """The fields of a chart are the same for each name."""
    plain = incident_specification("title", [make_line(usual=0.1, since=9 * HOUR)])
    hostile = incident_specification(name, [make_line(name=name, usual=0.1, since=9 * HOUR)])
    assert list(fields_and_expressions(hostile)) == list(fields_and_expressions(plain))


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "{{7*7}}", "datum['at']", "\x00\ud800"]
)
def test_a_hostile_name_is_drawn_as_text(name):
    """The picture holds it escaped, and draws."""
    png = render_incident(name, [make_line(name=name)])
    assert png is not None
    assert png.startswith(b"\x89PNG")
    svg = draw_svg(series_specification(make_line(name=name), width=300, has_title=True))
    assert "<script" not in svg


def test_the_same_chart_gives_the_same_picture():
    """Bytes do not depend on the time or on earlier pictures."""
    lines = [make_line(usual=0.2)]
    assert render_incident("x", lines) == render_incident("x", lines)


def test_the_colours_of_a_page_are_variables_of_its_style():
    """The same specification follows a light and a dark screen."""
    text = json.dumps(with_theme(series_specification(make_line(usual=0.1)), PAGE)["config"])
    assert "var(--link)" in text
    assert "#175cd3" not in text


def test_alarms_are_bars_in_the_lane_of_their_cause():
    """Without alarms there is one empty lane, so that the chart still says so."""
    result = {
        "model": "m",
        "from": "2026-01-01T00:00:00+00:00",
        "to": "2026-03-01T00:00:00+00:00",
        "alarms_a_year": 6.0,
        "alarms": [
            {
                "cause": "drift",
                "start": "2026-02-01T00:00:00+00:00",
                "resolved": None,
                "severity": "critical",
            }
        ],
    }
    chart = backtest_specification(result)
    [bar] = find_layer(chart, "bar-critical")["data"]["values"]
    assert (bar["cause"], bar["until"]) == ("drift", 1772323200000)
    empty = backtest_specification(result | {"alarms": []})
    assert "no alarms" in json.dumps(empty)
    assert draw_svg(empty).startswith("<svg")
