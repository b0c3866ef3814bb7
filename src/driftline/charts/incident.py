"""The picture of an incident: what changed, window by window, against what was usual.

Refuses to compute: usual and since come with the alert. Needs the extra `charts`.
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
"""Series in one picture."""
WIDE = 90
"""Characters of the title in a line."""


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """A measurement of one window."""

    start: datetime
    value: float
    low: float | None = None
    high: float | None = None
    """Its interval."""


@dataclass(frozen=True, slots=True)
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
    """What the value used to be."""


def render_incident(title: str, lines: Sequence[SeriesLine]) -> bytes | None:
    """PNG of the first lines with at least two points; None where there are none."""
    shown = [line for line in lines if len(line.points) > 1][:MAX_SERIES]
    if not shown:
        return None
    made, rows = make_figure(6.4, 0.5 + 1.5 * len(shown), len(shown), sharex=True)
    for axes, line in zip(rows, shown, strict=True):
        _draw(axes, line)
    head = "\n".join(wrap(clean(title, 160), WIDE))
    made.suptitle(head, x=0.01, ha="left", fontsize=9, color=INK, parse_math=False)
    return render_figure(made)


def _draw(axes: Any, line: SeriesLine) -> None:
    starts, values = [point.start for point in line.points], [point.value for point in line.points]
    colour = COLOURS[line.severity]
    known = [point for point in line.points if point.low is not None and point.high is not None]
    lows, highs = [point.low for point in known], [point.high for point in known]
    axes.fill_between(
        [point.start for point in known], lows, highs, color=BAND, alpha=0.6, linewidth=0
    )
    axes.plot(starts, values, color=QUIET, linewidth=1.2)
    after = [point for point in line.points if point.start >= line.since]
    changed = {"color": colour, "linewidth": 2, "marker": ".", "markersize": 5}
    axes.plot([point.start for point in after], [point.value for point in after], **changed)
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
