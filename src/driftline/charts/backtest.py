"""Draws a backtest: a bar for each alarm, and the known incidents behind the bars.

Does not compute: all values come from `Backtest.as_json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from driftline.charts.picture import FORMATS, draw
from driftline.charts.series_chart import TIME
from driftline.charts.theme import Specification
from driftline.types.errors import DriftlineError
from driftline.types.phrasing import clean

WIDTH, LANE = 800, 42
"""Pixels of the chart, and of the lane of one cause."""


def write_chart(result: Mapping[str, Any], path: Path) -> None:
    """Write the chart of `Backtest.as_json` to a file.

    Raises DriftlineError when the name does not end in a known format.
    """
    path.write_bytes(render_backtest(result, parse_format(path)))


def parse_format(path: Path) -> str:
    """The ending of a file name, which is its format. Raises DriftlineError for an unknown one."""
    if path.suffix.lower() not in FORMATS:
        raise DriftlineError(f"{path}: the name should end in one of {', '.join(FORMATS)}")
    return path.suffix.lower()


def render_backtest(result: Mapping[str, Any], suffix: str) -> bytes:
    """Draw one lane for each cause, with a bar for each alarm; `suffix` is one of FORMATS."""
    return draw(backtest_specification(result), suffix)


def backtest_specification(result: Mapping[str, Any]) -> Specification:
    """Return the chart of `Backtest.as_json`: alarms as bars by cause, known incidents shaded."""
    begin, end = _at(result["from"]), _at(result["to"])
    causes = sorted({alarm["cause"] for alarm in result["alarms"]}) or ["no alarms"]
    scale = {"type": "utc", "domainMin": begin, "domainMax": end}
    time = {
        "field": "at",
        "type": "temporal",
        "scale": scale,
        "axis": TIME["axis"],
    }
    lane = {
        "field": "cause",
        "type": "nominal",
        "sort": causes,
        "axis": {"title": None},
    }
    layers: list[Specification] = [
        {
            "data": {"values": [{"at": begin, "cause": causes[0]}]},
            "mark": {"type": "point", "opacity": 0},
            "encoding": {"x": time, "y": lane},
        }
    ]
    known = [
        (incident["found_after_seconds"] is None, _at(incident["start"]), _at(incident["end"]))
        for incident in result.get("known", ())
    ]
    for is_missed, style in ((False, "known"), (True, "known-missed")):
        spans = [
            {"at": max(start, begin), "until": min(until, end)}
            for missed, start, until in known
            if missed is is_missed
        ]
        layers += [_bars(spans, {"type": "rect", "style": style}, {"x": time})]
    for severity in ("info", "warning", "critical"):
        alarms = [
            {
                "at": _at(alarm["start"]),
                "until": max(
                    _at(alarm["resolved"] or result["to"]),
                    _at(alarm["start"]) + (end - begin) // 400,
                ),
                "cause": alarm["cause"],
            }
            for alarm in result["alarms"]
            if alarm["severity"] == severity
        ]
        mark = {"type": "bar", "style": f"bar-{severity}", "height": LANE // 2, "clip": True}
        layers += [_bars(alarms, mark, {"x": time, "y": lane})]
    return {
        "title": {"text": clean(_title(result), 200)},
        "description": clean(_title(result), 200),
        "width": WIDTH,
        "height": LANE * len(causes),
        "layer": [layer for layer in layers if layer["data"]["values"]],
    }


def _bars(
    rows: list[dict[str, Any]], mark: Specification, encoding: Specification
) -> Specification:
    return {
        "data": {"values": rows},
        "mark": mark,
        "encoding": encoding | {"x2": {"field": "until"}},
    }


def _title(result: Mapping[str, Any]) -> str:
    count, rate = len(result["alarms"]), result["alarms_a_year"]
    title = f"{result['model']}: {count} alarm{'' if count == 1 else 's'}, {rate:.1f} a year"
    if "known" in result:
        detected_count = sum(
            incident["found_after_seconds"] is not None for incident in result["known"]
        )
        title += f"; {detected_count} of {len(result['known'])} known incidents (shaded) found"
    if "shuffled" in result:
        title += f"; {result['shuffled']['a_year']:.2f} a year when shuffled"
    return title


def _at(text: str) -> int:
    """Parse a time: milliseconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)
