"""The points of a series over time, and how many of them a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

PAGE_POINTS, REPORT_POINTS = 720, 300
"""The most points of a series on a page, and in a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """A measurement of one window."""

    start: int
    """Start of the window, in microseconds since 1970."""
    value: float | None
    """None where the window has no value: the line has a gap there."""
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of its interval."""
    severity: str = ""
    """`info`, `warning` or `critical` where the value changed."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which an incident was open."""

    start: int
    """In microseconds since 1970."""
    end: int
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLine:
    """One series, with all that its chart marks."""

    name: str
    """For people, such as `tenure: mean shift (sd)`. It is cleaned where it is drawn."""
    points: Sequence[SeriesPoint]
    """Oldest first."""
    usual: float | None = None
    """The usual value, or that of the reference: a dashed line."""
    since: int | None = None
    """Start of the first window that was different, in microseconds."""
    severity: str = "warning"
    """Of the change since then."""
    estimates: Sequence[SeriesPoint] = ()
    """A second line: what was estimated of the same number."""
    spans: Sequence[Span] = field(default=())
    """Times to shade: open incidents."""
    is_count: bool = False
    """Whether the values are counts: they are bars from zero."""
    has_band: bool = True
    """Whether the intervals are shaded."""


def thin(points: Sequence[SeriesPoint], most: int) -> Sequence[SeriesPoint]:
    """Return at most `most` points of a series: of each stretch its lowest and its highest.

    The first and the last point stay. A stretch whose windows have no value keeps its first.
    """
    if len(points) <= most:
        return points
    buckets = max((most - 2) // 2, 1)
    inner = points[1:-1]
    chosen = [points[0]]
    for place in range(buckets):
        part = inner[place * len(inner) // buckets : (place + 1) * len(inner) // buckets]
        known = [point for point in part if point.value is not None]
        ends = (
            {
                min(known, key=lambda point: point.value or 0.0),
                max(known, key=lambda point: point.value or 0.0),
            }
            if known
            else set(part[:1])
        )
        chosen += sorted(ends, key=lambda point: point.start)
    return [*chosen, points[-1]]
