"""Small pictures as SVG inside a page: sparklines, series and distributions.

They have no scripts and no styles of their own: classes of the page's style give the colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from markupsafe import Markup, escape

from driftline.charts.histogram import Histogram
from driftline.state.measurements import Interval
from driftline.state.series import SeriesValue, WindowRows
from driftline.types.model import Verdict
from driftline.types.phrasing import number, share, utc
from driftline.types.times import as_micros, from_micros

MOST_POINTS = 720
"""Points of a picture; longer series are thinned."""
SCALE_WIDTH = 84
"""Pixels to the left of a series for the numbers of its scale."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Maps times and values into a box."""

    width: float
    height: float
    begin: int
    end: int
    low: float
    high: float
    left: float
    """The room for numbers beside the lines."""

    def x(self, start: int) -> float:
        span = max(self.end - self.begin, 1)
        room = self.width - self.left - 4
        return round(self.left + room * (start - self.begin) / span, 1)

    def y(self, value: float) -> float:
        span = self.high - self.low
        at = 0.5 if span <= 0 else (value - self.low) / span
        return round(self.height - 3 - (self.height - 6) * min(max(at, 0.0), 1.0), 1)


def draw_rows(windows: Sequence[WindowRows], *, width: int = 150, height: int = 32) -> Markup:
    """The rows of each window as bars; a window without rows is a gap with a mark."""
    if not windows:
        return Markup("")
    windows = _thin(windows)
    highest = max(1, *(window.rows for window in windows))
    step = width / len(windows)
    wide = round(max(step - 0.5, 0.5), 1)
    bars, gaps = [], []
    for place, window in enumerate(windows):
        x = round(place * step, 1)
        if window.rows:
            tall = round((height - 3) * window.rows / highest, 1)
            bars.append(f"M{x} {height}v-{tall}h{wide}v{tall}z")
        else:
            gaps.append(f"M{x} {height}v-2h{wide}v2z")
    parts = [
        f'<path class="{kind}" d="{"".join(shapes)}"/>'
        for kind, shapes in (("bar", bars), ("gap", gaps))
        if shapes
    ]
    name = f"rows in the newest {len(windows)} windows, at most {highest:,}"
    return _svg(width, height, name, parts, "rows")


def draw_sparkline(values: Sequence[SeriesValue], *, width: int = 150, height: int = 32) -> Markup:
    """The values of a series as a line; changed windows are dots."""
    return _draw(values, width, height, "spark", with_axis=False)


def draw_series(
    values: Sequence[SeriesValue],
    estimates: Sequence[SeriesValue] = (),
    *,
    width: int = 720,
    height: int = 180,
) -> Markup:
    """A series with its intervals, the value of the reference, and its scale.

    `estimates` is a second line, of what was estimated of the same number.
    """
    return _draw(values, width, height, "series", with_axis=True, estimates=estimates)


def mark_change(
    values: Sequence[Interval], since: datetime, until: datetime | None, severity: str
) -> Sequence[SeriesValue]:
    """The values of an alert for a picture: those from `since` to `until` count as changed."""
    begin, end = as_micros(since), math.inf if until is None else as_micros(until)
    return [
        SeriesValue(
            start=value.start,
            check="",
            name="",
            labels="{}",
            value=value.value,
            low=value.low,
            high=value.high,
            was=None,
            rows=0,
            verdict=Verdict.CHANGED.value if begin <= value.start < end else "",
            severity=severity if begin <= value.start < end else "",
            reason="",
            unit="",
        )
        for value in values
    ]


def _draw(
    values: Sequence[SeriesValue],
    width: int,
    height: int,
    kind: str,
    *,
    with_axis: bool,
    estimates: Sequence[SeriesValue] = (),
) -> Markup:
    known = [value for value in _thin(values) if value.value is not None]
    estimated_values = [value for value in _thin(estimates) if value.value is not None]
    if not known:
        return Markup('<span class="small">no value yet</span>')
    numbers = [value.value for value in known if value.value is not None]
    before = known[-1].was
    if with_axis:
        numbers += [end for value in known for end in (value.low, value.high) if end is not None]
        numbers += [] if before is None else [before]
        numbers += [value.value for value in estimated_values if value.value is not None]
    frame = _Frame(
        width=width,
        height=height,
        begin=min(part[0].start for part in (known, estimated_values) if part),
        end=max(part[-1].start for part in (known, estimated_values) if part),
        low=min(numbers),
        high=max(numbers),
        left=SCALE_WIDTH if with_axis else 2,
    )
    parts = []
    if with_axis:
        parts += _band(known, frame)
        if before is not None:
            y = frame.y(before)
            parts.append(
                f'<line class="was" x1="{SCALE_WIDTH}" x2="{width - 4}" y1="{y}" y2="{y}"/>'
            )
    parts.append(f'<polyline class="line" points="{_points(known, frame)}"/>')
    if estimated_values:
        parts.append(f'<polyline class="estimate" points="{_points(estimated_values, frame)}"/>')
    radius = 3 if with_axis else 2
    for value in known:
        if value.verdict == Verdict.CHANGED and value.value is not None:
            parts.append(
                f'<circle class="dot {escape(value.severity or "warning")}" '
                f'cx="{frame.x(value.start)}" cy="{frame.y(value.value)}" r="{radius}"/>'
            )
    if with_axis:
        parts += [
            f'<text class="axis" x="{SCALE_WIDTH - 6}" y="18" text-anchor="end">'
            f"{escape(number(frame.high))}</text>",
            f'<text class="axis" x="{SCALE_WIDTH - 6}" y="{height - 3}" text-anchor="end">'
            f"{escape(number(frame.low))}</text>",
        ]
    first, last = from_micros(frame.begin), from_micros(frame.end)
    if with_axis:
        parts += [
            f'<text class="axis" x="{SCALE_WIDTH}" y="{height + 20}">{utc(first)}</text>',
            f'<text class="axis" x="{width - 4}" y="{height + 20}" text-anchor="end">'
            f"{utc(last)}</text>",
        ]
    name = (
        f"{len(known)} values from {utc(first)} to {utc(last)}, "
        f"{number(min(numbers))} to {number(max(numbers))}, the newest {number(known[-1].value)}"
    )
    return _svg(width, height + (28 if with_axis else 0), name, parts, kind)


def _points(known: Sequence[SeriesValue], frame: _Frame) -> str:
    return " ".join(
        f"{frame.x(value.start)},{frame.y(value.value)}"
        for value in known
        if value.value is not None
    )


def draw_curves(
    now: Sequence[tuple[float, float]],
    before: Sequence[tuple[float, float]],
    *,
    name: str,
    across: str,
    up: str,
    with_diagonal: bool,
    with_dots: bool = False,
    size: int = 260,
) -> Markup:
    """Two curves in a square from 0 to 1: of the windows and of the reference.

    `across` and `up` name the axes.
    """
    edge = size - 34

    def place(point: tuple[float, float]) -> str:
        x, y = (min(max(number, 0.0), 1.0) for number in point)
        return f"{30 + x * (edge - 4):.1f},{4 + (1 - y) * (edge - 4):.1f}"

    parts = [f'<rect class="frame" x="30" y="4" width="{edge - 4}" height="{edge - 4}"/>']
    if with_diagonal:
        (x1, y1), (x2, y2) = (place(at).split(",") for at in ((0.0, 0.0), (1.0, 1.0)))
        parts.append(f'<line class="was" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    for kind, points in (("line-before", before), ("line", now)):
        if points:
            parts.append(f'<polyline class="{kind}" points="{" ".join(map(place, points))}"/>')
    for point in now if with_dots else ():
        x, y = place(point).split(",")
        parts.append(f'<circle class="dot-now" cx="{x}" cy="{y}" r="3"/>')
    middle = 30 + (edge - 4) / 2
    parts += [
        '<text class="axis" x="26" y="12" text-anchor="end">1</text>',
        f'<text class="axis" x="26" y="{edge}" text-anchor="end">0</text>',
        f'<text class="axis" x="{edge + 26}" y="{edge + 14}" text-anchor="end">1</text>',
        f'<text class="axis" x="{middle}" y="{edge + 14}" text-anchor="middle">'
        f"{escape(across)}</text>",
        f'<text class="axis" transform="translate(20 {edge / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(up)}</text>',
    ]
    return _svg(size, edge + 20, name, parts, "curves")


def _band(known: Sequence[SeriesValue], frame: _Frame) -> list[str]:
    """The area between the ends of the intervals."""
    ends = [
        (frame.x(value.start), frame.y(value.low), frame.y(value.high))
        for value in known
        if value.low is not None and value.high is not None
    ]
    if len(ends) < 2:
        return []
    lower = [f"{x},{low}" for x, low, _ in ends]
    upper = [f"{x},{high}" for x, _, high in reversed(ends)]
    return [f'<polygon class="band" points="{" ".join(lower + upper)}"/>']


def draw_distribution(histogram: Histogram, *, width: int = 720) -> Markup:
    """Bars of the window over bars of the reference: upright for numbers, lying for categories."""
    highest = max((max(bar.share, bar.share_before or 0.0) for bar in histogram.bars), default=0.0)
    name = "shares of rows: the window beside its reference"
    if not histogram.is_numeric:
        return _lying_bars(histogram, width, highest or 1.0, name)
    height, parts = 200, []
    step = width / max(len(histogram.bars), 1)
    for place, bar in enumerate(histogram.bars):
        x = place * step
        for kind, part, left, wide in (
            ("before", bar.share_before, 0.08, 0.84),
            ("now", bar.share, 0.26, 0.48),
        ):
            if part is not None:
                tall = (height - 22) * part / (highest or 1.0)
                parts.append(
                    f'<rect class="{kind}" x="{x + left * step:.1f}" '
                    f'y="{height - 16 - tall:.1f}" width="{wide * step:.1f}" height="{tall:.1f}">'
                    f"<title>{escape(_bar_text(bar.name, bar.share, bar.share_before))}</title>"
                    "</rect>"
                )
    for place in {0, len(histogram.bars) // 2, len(histogram.bars) - 1}:
        anchor = "start" if place == 0 else "end" if place else "middle"
        anchor = "middle" if place == len(histogram.bars) // 2 else anchor
        at = {"start": 2, "end": width - 2}.get(anchor, (place + 0.5) * step)
        parts.append(
            f'<text class="axis" x="{at:.1f}" y="{height - 3}" text-anchor="{anchor}">'
            f"{escape(histogram.bars[place].name)}</text>"
        )
    return _svg(width, height, name, parts, "distribution")


def _lying_bars(histogram: Histogram, width: int, highest: float, name: str) -> Markup:
    row, left, parts = 26, 190, []
    for place, bar in enumerate(histogram.bars):
        y = place * row
        parts.append(
            f'<text class="name" x="{left - 8}" y="{y + 17}" text-anchor="end">'
            f"{escape(bar.name[:26])}</text>"
        )
        for kind, part, top, tall in (
            ("before", bar.share_before, 3, 20),
            ("now", bar.share, 8, 10),
        ):
            if part is not None:
                wide = (width - left - 70) * part / highest
                parts.append(
                    f'<rect class="{kind}" x="{left}" y="{y + top}" width="{wide:.1f}" '
                    f'height="{tall}"/>'
                )
        text = _bar_text("", bar.share, bar.share_before)
        parts.append(
            f'<text class="axis" x="{width - 2}" y="{y + 17}" text-anchor="end">'
            f"{escape(text)}</text>"
        )
    return _svg(width, row * len(histogram.bars) + 4, name, parts, "distribution")


def _bar_text(name: str, now: float, before: float | None) -> str:
    text = share(now) if before is None else f"{share(before)} → {share(now)}"
    return f"{name}: {text}" if name else text


def _thin(items: Sequence[Item]) -> Sequence[Item]:
    step = -(-len(items) // MOST_POINTS)
    return items[::-1][::step][::-1] if step > 1 else items


def _svg(width: float, height: float, name: str, parts: Sequence[str], kind: str) -> Markup:
    body = "".join(parts)
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(name)}">{body}</svg>'
    )
