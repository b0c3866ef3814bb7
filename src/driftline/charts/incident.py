"""Draws an incident: the series that changed, window by window, and their usual values.

Does not compute: the usual value and the begin come with the alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from driftline.charts.picture import draw_png
from driftline.charts.series_chart import series_specification, stack_specification
from driftline.charts.series_points import REPORT_POINTS, SeriesLine
from driftline.charts.theme import Specification
from driftline.types.phrasing import clean

MAX_SERIES = 3
"""The most series in one chart."""
TITLE_WIDTH = 78
"""Characters of the title in a line."""
WIDTH, HEIGHT = 540, 105
"""Pixels of the area of one series."""


def incident_specification(title: str, lines: Sequence[SeriesLine]) -> Specification | None:
    """Return the first lines with at least two values below each other; None without any."""
    drawable = [
        line for line in lines if sum(point.value is not None for point in line.points) > 1
    ][:MAX_SERIES]
    if not drawable:
        return None
    parts = [
        series_specification(line, width=WIDTH, height=HEIGHT, most=REPORT_POINTS, has_title=True)
        for line in drawable
    ]
    return stack_specification(wrap(clean(title, 160), TITLE_WIDTH), parts)


def render_incident(title: str, lines: Sequence[SeriesLine]) -> bytes | None:
    """Draw an incident as PNG; None where nothing can be drawn. Raises DriftlineError."""
    specification = incident_specification(title, lines)
    return None if specification is None else draw_png(specification)
