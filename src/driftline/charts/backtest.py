"""Draws a backtest: a bar for each alarm, and the known incidents behind the bars.

Does not compute: all values come from `Backtest.as_json`. Needs the extra `charts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from driftline.charts.figure import FORMATS, INK, KNOWN, make_figure, render_figure
from driftline.types.errors import DriftlineError
from driftline.types.message import COLOURS


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
    causes = sorted({alarm["cause"] for alarm in result["alarms"]}) or ["no alarms"]
    chart, (axes,) = make_figure(10, 1.4 + 0.45 * len(causes))
    begin, end = _at(result["from"]), _at(result["to"])
    for incident in result.get("known", ()):
        is_missed = incident["found_after_seconds"] is None
        axes.axvspan(
            _at(incident["start"]),
            _at(incident["end"]),
            color=KNOWN,
            alpha=0.25,
            linewidth=0,
            hatch="///" if is_missed else None,
        )
    for alarm in result["alarms"]:
        start, until = _at(alarm["start"]), _at(alarm["resolved"] or result["to"])
        width = max((until - start), (end - begin) / 400)
        axes.barh(
            causes.index(alarm["cause"]),
            width,
            left=start,
            height=0.55,
            color=COLOURS[alarm["severity"]],
        )
    axes.set_yticks(range(len(causes)), causes)
    axes.set_ylim(-0.6, len(causes) - 0.4)
    axes.set_xlim(_at(result["from"]), _at(result["to"]))
    count, rate = len(result["alarms"]), result["alarms_a_year"]
    title = f"{result['model']}: {count} alarm{'' if count == 1 else 's'}, {rate:.1f} a year"
    if "known" in result:
        detected_count = sum(
            incident["found_after_seconds"] is not None for incident in result["known"]
        )
        title += f"; {detected_count} of {len(result['known'])} known incidents (shaded) found"
    if "shuffled" in result:
        title += f"; {result['shuffled']['a_year']:.2f} a year when shuffled"
    axes.set_title(title, loc="left", fontsize=9, color=INK, parse_math=False)
    return render_figure(chart, suffix)


def _at(text: str) -> Any:
    """Parse a time; typed as Any, because matplotlib's types allow only numbers."""
    return datetime.fromisoformat(text)
