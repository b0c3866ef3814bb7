"""The colours of charts: a specification names styles, and a theme gives them colours.

The same specification is drawn on paper with `PAPER`, and on a page with `PAGE`, whose colours are
variables of the page's style: they follow a light or a dark screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftline.types.message import COLOURS

Specification = dict[str, Any]
"""A chart as Vega-Lite, without colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of a chart, as CSS writes them."""

    ink: str
    soft: str
    grid: str
    paper: str
    now: str
    before: str
    estimate: str
    critical: str
    warning: str
    info: str


PAPER = Palette(
    ink="#1d2939",
    soft="#5b6577",
    grid="#d9dee7",
    paper="#ffffff",
    now="#175cd3",
    before="#98a2b3",
    estimate="#b54708",
    critical=COLOURS["critical"],
    warning=COLOURS["warning"],
    info=COLOURS["info"],
)
PAGE = Palette(
    ink="var(--ink)",
    soft="var(--soft)",
    grid="var(--line)",
    paper="none",
    now="var(--link)",
    before="var(--soft)",
    estimate="var(--warning)",
    critical="var(--critical)",
    warning="var(--warning)",
    info="var(--info)",
)


def with_theme(specification: Mapping[str, Any], palette: Palette) -> Specification:
    """Return a specification with the colours of `palette`."""
    p = palette
    dots = {
        f"dot-{name}": {
            "color": colour,
            "stroke": p.paper,
            "strokeWidth": 1,
            "size": 42,
            "opacity": 1,
        }
        for name, colour in _severities(p)
    }
    spans = {
        f"span-{name}": {"color": colour, "fillOpacity": 0.13} for name, colour in _severities(p)
    }
    bars = {f"bar-{name}": {"color": colour} for name, colour in _severities(p)}
    starts = {
        f"since-{name}": {"color": colour, "strokeDash": [4, 3], "strokeWidth": 1}
        for name, colour in _severities(p)
    }
    axis = {
        "aria": False,
        "domainColor": p.grid,
        "gridColor": p.grid,
        "tickColor": p.grid,
        "labelColor": p.soft,
        "titleColor": p.soft,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
    }
    config = {
        "background": p.paper if p.paper != "none" else None,
        "padding": 12 if p.paper != "none" else 4,
        "font": "system-ui, -apple-system, Segoe UI, Liberation Sans, sans-serif",
        # A chart has one name, which whoever shows it gives to the whole picture.
        "aria": False,
        "mark": {"aria": False},
        "axis": axis,
        "axisX": {
            "grid": False,
            "labelOverlap": True,
            "labelFlush": True,
            "labelSeparation": 8,
            # Few enough to name days at midnight rather than hours beside it.
            "tickCount": 6,
        },
        "axisY": {"tickCount": 4, "gridOpacity": 0.7},
        "view": {"stroke": None},
        "title": {
            "aria": False,
            "color": p.ink,
            "fontSize": 12,
            "fontWeight": "bold",
            "anchor": "start",
            "frame": "group",
        },
        "style": {
            "now": {"color": p.now, "strokeWidth": 1.6},
            "curve-before": {"color": p.before, "strokeWidth": 1.4},
            "usual": {"color": p.before, "strokeDash": [5, 4], "strokeWidth": 1.2},
            "band": {"color": p.now, "fillOpacity": 0.16},
            "estimate": {"color": p.estimate, "strokeDash": [5, 3], "strokeWidth": 1.4},
            "count": {"color": p.before},
            "fill-now": {"color": p.now},
            "fill-before": {"color": p.before, "fillOpacity": 0.45},
            "point-now": {"color": p.now, "size": 36},
            "label": {"color": p.ink, "fontSize": 11},
            "known": {"color": "#9e77ed", "fillOpacity": 0.22},
            "known-missed": {
                "color": "#9e77ed",
                "fillOpacity": 0.1,
                "stroke": "#9e77ed",
                "strokeDash": [3, 3],
            },
            **dots,
            **spans,
            **bars,
            **starts,
        },
    }
    return {"$schema": SCHEMA, **specification, "config": config}


SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""Names the version of the language; nothing is loaded from there."""


def _severities(palette: Palette) -> tuple[tuple[str, str], ...]:
    return (
        ("info", palette.info),
        ("warning", palette.warning),
        ("critical", palette.critical),
    )
