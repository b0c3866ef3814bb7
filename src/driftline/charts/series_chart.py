"""The chart of a series over time, as Vega-Lite: line, band, usual value, changes and incidents.

Text from data is a value of the data or a text of a title, never a field or an expression: all
fields have names of this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from driftline.charts.series_points import PAGE_POINTS, SeriesLine, SeriesPoint, thin
from driftline.charts.theme import Specification
from driftline.types.model import Severity
from driftline.types.phrasing import clean, number

BAR = 0.8
"""The part of a window that its bar covers."""
TIME = {
    "field": "at",
    "type": "temporal",
    "scale": {"type": "utc"},
    "axis": {
        "title": None,
        "format": {
            "year": "%Y",
            "quarter": "%b %Y",
            "month": "%b %Y",
            "week": "%d %b",
            "date": "%d %b",
            "day": "%d %b",
            "hours": "%H:%M",
            "minutes": "%H:%M",
            "seconds": "%H:%M:%S",
        },
    },
}
"""Times are UTC."""
VALUE = {"field": "value", "type": "quantitative", "title": None}
TOOLTIP = [
    {
        "field": "at",
        "type": "temporal",
        "timeUnit": "utcyearmonthdatehoursminutes",
        "title": "window",
    },
    {"field": "value", "type": "quantitative", "title": "value", "format": ",.4~g"},
    {"field": "low", "type": "quantitative", "title": "from", "format": ",.4~g"},
    {"field": "high", "type": "quantitative", "title": "to", "format": ",.4~g"},
]
"""What a pointer at a value shows: times are UTC, `from` and `to` are the ends of the interval."""


def series_specification(
    line: SeriesLine,
    *,
    width: int | str = "container",
    height: int = 150,
    most: int = PAGE_POINTS,
    has_title: bool = False,
) -> Specification:
    """Return the chart of one series, with at most `most` points.

    `width` and `height` are pixels; a width of `container` fills what is around the chart. With
    `has_title` the chart bears the name of the series and its newest value.
    """
    points = thin(line.points, most)
    rows = [_row(point) for point in points]
    scale = {"zero": line.is_count}
    value = {**VALUE, "scale": scale}
    layers = [*_span_layers(line, points), *_band_layers(line, rows, scale)]
    if line.is_count and points:
        # A bar ends before the next one, on a screen of any width.
        step = (points[-1].start - points[0].start) / 1000 / max(len(points) - 1, 1)
        for row in rows:
            row["until"] = round(row["at"] + BAR * step)
        mark: dict[str, Any] = {"type": "rect", "style": "count"}
    else:
        mark = {"type": "line", "style": "now", "invalid": "break-paths-show-domains"}
    if line.usual is not None:
        layers.append(
            {
                "data": {"values": [{"value": line.usual}]},
                "mark": {"type": "rule", "style": "usual"},
                "encoding": {"y": value},
            }
        )
    layers.append(
        {
            "mark": mark,
            "encoding": {"x": TIME, "y": value, "tooltip": TOOLTIP}
            | ({"x2": {"field": "until"}, "y2": {"datum": 0}} if line.is_count else {}),
        }
    )
    estimates = [_row(point) for point in thin(line.estimates, most)]
    if estimates:
        layers.append(
            {
                "data": {"values": estimates},
                "mark": {"type": "line", "style": "estimate"},
                "encoding": {"x": TIME, "y": value},
            }
        )
    layers += _change_layers(line, points, value)
    specification: Specification = {
        "description": clean(line.name, 200),
        "width": width,
        "height": height,
        "autosize": {"type": "fit-x" if width == "container" else "pad", "contains": "padding"},
        "data": {"values": rows},
        "layer": layers,
    }
    if has_title:
        specification["title"] = title_text(line)
    return specification


def stack_specification(title: Sequence[str], parts: Sequence[Specification]) -> Specification:
    """Return charts below each other, with one time axis and the lines of `title` above."""
    return {
        "title": {"text": list(title), "fontSize": 13, "offset": 12},
        "vconcat": list(parts),
        "resolve": {"scale": {"x": "shared"}},
        "spacing": 18,
    }


def title_text(line: SeriesLine) -> Specification:
    """Return the name of a series, its newest value and the usual one as a title."""
    newest = next((p.value for p in reversed(line.points) if p.value is not None), None)
    text = f"{clean(line.name, 80)}: {_short(newest)}" if newest is not None else line.name
    if line.usual is not None:
        text += f", usually {_short(line.usual)}"
    return {"text": clean(text, 120)}


def _row(point: SeriesPoint) -> dict[str, Any]:
    """One point as a row of data; the times are milliseconds."""
    row: dict[str, Any] = {"at": point.start // 1000, "value": _round(point.value)}
    if point.low is not None and point.high is not None:
        row |= {"low": _round(point.low), "high": _round(point.high)}
    return row


def _round(value: float | None) -> float | None:
    """Six digits are more than a picture shows, and a page of many points stays small."""
    return None if value is None else float(f"{value:.6g}")


def _short(value: float) -> str:
    return number(float(f"{value:.3g}"))


def _band_layers(
    line: SeriesLine, rows: Sequence[dict[str, Any]], scale: dict[str, Any]
) -> list[Specification]:
    if not line.has_band or sum("low" in row for row in rows) < 2:
        return []
    return [
        {
            "mark": {"type": "area", "style": "band", "invalid": "break-paths-show-domains"},
            "encoding": {
                "x": TIME,
                "y": {**VALUE, "field": "low", "scale": scale},
                "y2": {"field": "high"},
            },
        }
    ]


def _span_layers(line: SeriesLine, points: Sequence[SeriesPoint]) -> list[Specification]:
    """The times of incidents, cut to the time of the points."""
    if not points:
        return []
    begin, end = points[0].start, points[-1].start
    layers = []
    for severity in Severity:
        rows = [
            {"at": max(span.start, begin) // 1000, "until": min(span.end, end) // 1000}
            for span in line.spans
            if span.severity == severity and span.start <= end and span.end >= begin
        ]
        if rows:
            layers.append(
                {
                    "data": {"values": rows},
                    "mark": {"type": "rect", "style": f"span-{severity}"},
                    "encoding": {"x": TIME, "x2": {"field": "until"}},
                }
            )
    return layers


def _change_layers(
    line: SeriesLine,
    points: Sequence[SeriesPoint],
    value: Specification,
) -> list[Specification]:
    """Dots of the changed windows by severity, and a line at the begin of the change."""
    layers = []
    for severity in Severity:
        rows = [_row(p) for p in points if p.severity == severity and p.value is not None]
        if rows:
            layers.append(
                {
                    "data": {"values": rows},
                    "mark": {"type": "point", "filled": True, "style": f"dot-{severity}"},
                    "encoding": {"x": TIME, "y": value, "tooltip": TOOLTIP},
                }
            )
    if line.since is not None:
        layers.append(
            {
                "data": {"values": [{"at": line.since // 1000}]},
                "mark": {"type": "rule", "style": f"since-{line.severity}"},
                "encoding": {"x": TIME},
            }
        )
    return layers
