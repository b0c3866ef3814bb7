"""The chart of two distributions, as Vega-Lite: bars of a window over bars of its reference."""

from __future__ import annotations

from collections.abc import Sequence

from driftline.charts.theme import Specification
from driftline.types.phrasing import value_text

BAR, NAME_WIDTH = 26, 160
"""Pixels of a lying bar, and of the longest name beside it."""
UNIQUE = "\u200b"
SHARE = {"type": "quantitative", "axis": {"format": "%", "title": None}}


def distribution_specification(
    bars: Sequence[tuple[str, float, float | None]],
    *,
    is_numeric: bool,
    description: str,
    width: int | str = "container",
    height: int = 150,
) -> Specification:
    """Return bars of shares: upright for ranges of numbers, lying for categories.

    Each bar has its name, its share in the window, and its share in the reference (None without
    one). Names are values of the data.
    """
    rows: list[dict[str, object]] = []
    counts: dict[str, int] = {}
    for place, (name, now, before) in enumerate(bars):
        text = value_text(name, 60)
        counts[text] = counts.get(text, 0) + 1
        # Two bars of one name would be drawn as one, and Vega fails at the names of what each
        # object of JavaScript has, such as `constructor`: a space without width makes them differ.
        text += f" ({counts[text]})" if counts[text] > 1 else ""
        rows.append({"place": place, "bar": text + UNIQUE, "now": now, "before": before or 0.0})
    names = {
        "field": "bar",
        "type": "nominal",
        "sort": {"field": "place"},
        "axis": {"title": None, "labelLimit": NAME_WIDTH},
    }
    if is_numeric:
        names["axis"] = {"title": None, "labelAngle": 0, "labelOverlap": True, "labelLimit": 130}
    across, up = ("x", "y") if is_numeric else ("y", "x")
    tooltip = [
        {"field": "bar", "type": "nominal", "title": "values"},
        {"field": "now", "type": "quantitative", "title": "now", "format": ".2%"},
        {"field": "before", "type": "quantitative", "title": "before", "format": ".2%"},
    ]
    has_before = any(before is not None for _, _, before in bars)
    layers = [
        {
            "mark": {
                "type": "bar",
                "style": f"fill-{name}",
                "width" if is_numeric else "height": {"band": band},
            },
            "encoding": {
                across: names,
                up: {**SHARE, "field": name, "title": None},
                "tooltip": tooltip,
            },
        }
        for name, band in (("before", 0.9), ("now", 0.5))
        if has_before or name == "now"
    ]
    return {
        "description": description,
        "width": width,
        "height": height if is_numeric else BAR * max(len(rows), 1),
        "autosize": {"type": "fit-x" if width == "container" else "pad", "contains": "padding"},
        "data": {"values": rows},
        "layer": layers,
    }
