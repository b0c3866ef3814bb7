"""Draws an incident: the series that changed, window by window, and their usual values.

Does not compute: the usual value and the begin come with the alert. Needs the extra `charts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

from driftline.charts.figure import BAND, INK, QUIET, make_figure, render_figure
from driftline.types.message import COLOURS
from driftline.types.model import Severity
from driftline.types.phrasing import clean, number

MAX_SERIES = 3
"""The most series in one chart."""
TITLE_WIDTH = 90
"""Characters of the title in a line."""


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """A measurement of one window."""

    start: datetime
    value: float
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLine:
    """One series of an incident."""

    name: str
    """For people, such as `tenure: mean shift (sd)`."""
    severity: Severity
    since: datetime
    """Start of the first window that was different."""
    points: Sequence[SeriesPoint]
    """Oldest first."""
    usual: float | None = None
    """The usual value."""


def render_incident(title: str, lines: Sequence[SeriesLine]) -> bytes | None:
    """Draw the first lines with at least two points as PNG; None where there are none."""
    drawable = [line for line in lines if len(line.points) > 1][:MAX_SERIES]
    if not drawable:
        return None
    chart, rows = make_figure(6.4, 0.5 + 1.5 * len(drawable), len(drawable), sharex=True)
    for axes, line in zip(rows, drawable, strict=True):
        _draw(axes, line)
    head = "\n".join(wrap(clean(title, 160), TITLE_WIDTH))
    chart.suptitle(head, x=0.01, ha="left", fontsize=9, color=INK, parse_math=False)
    return render_figure(chart)


def _draw(axes: Any, line: SeriesLine) -> None:
    starts, values = [point.start for point in line.points], [point.value for point in line.points]
    colour = COLOURS[line.severity]
    band = [point for point in line.points if point.low is not None and point.high is not None]
    lows, highs = [point.low for point in band], [point.high for point in band]
    axes.fill_between(
        [point.start for point in band], lows, highs, color=BAND, alpha=0.6, linewidth=0
    )
    axes.plot(starts, values, color=QUIET, linewidth=1.2)
    after = [point for point in line.points if point.start >= line.since]
    style: dict[str, Any] = {"color": colour, "linewidth": 2, "marker": ".", "markersize": 5}
    axes.plot([point.start for point in after], [point.value for point in after], **style)
    axes.axvline(line.since, color=colour, linewidth=0.8, linestyle="--")
    name = clean(line.name, 80)
    if line.usual is not None:
        axes.axhline(line.usual, color=QUIET, linewidth=0.8, linestyle=":")
        name += f", usually {_short(line.usual)}"
    end = {"xytext": (4, 0), "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(
        _short(values[-1]), (starts[-1], values[-1]), fontsize=8, color=colour, va="center", **end
    )
    axes.set_title(name, loc="left", fontsize=8, color=INK, parse_math=False)
    locator, formatter = _ticks()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)
    axes.margins(x=0.06, y=0.15)


def _short(value: float) -> str:
    return number(float(f"{value:.3g}"))


def _ticks() -> tuple[Any, Any]:
    import matplotlib.dates

    dates: Any = matplotlib.dates
    locator = dates.AutoDateLocator(minticks=3, maxticks=7)
    return locator, dates.ConciseDateFormatter(locator)
