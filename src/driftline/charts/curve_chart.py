"""The chart of two curves in a square, as Vega-Lite: of some windows and of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from driftline.charts.theme import Specification

SIDE = 200
"""Pixels of the square."""
UNIT = {"zero": True, "nice": False, "domainMax": 1}


def curve_specification(
    now: Sequence[tuple[float, float]],
    before: Sequence[tuple[float, float]],
    *,
    across: str,
    up: str,
    with_diagonal: bool,
    with_dots: bool = False,
) -> Specification:
    """Return two curves from 0 to 1; `across` and `up` name the axes.

    `with_diagonal` draws the line on which both are equal, `with_dots` a dot for each point.
    """
    encoding: dict[str, Any] = {
        "x": {"field": "across", "type": "quantitative", "title": across, "scale": UNIT},
        "y": {"field": "up", "type": "quantitative", "title": up, "scale": UNIT},
        "order": {"field": "place", "type": "quantitative"},
    }
    layers = [
        {
            "data": {"values": _rows(points)},
            "mark": {"type": "line", "style": style},
            "encoding": encoding,
        }
        for points, style in (
            ([(0.0, 0.0), (1.0, 1.0)] if with_diagonal else [], "usual"),
            (before, "curve-before"),
            (now, "now"),
        )
        if points
    ]
    if with_dots:
        layers.append(
            {
                "data": {"values": _rows(now)},
                "mark": {"type": "point", "filled": True, "style": "point-now"},
                "encoding": encoding
                | {
                    "tooltip": [
                        {**encoding["x"], "format": ".3~f"},
                        {**encoding["y"], "format": ".3~f"},
                    ]
                },
            }
        )
    return {
        "description": f"{up} by {across}",
        "width": "container",
        "height": SIDE,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "layer": layers,
    }


def _rows(points: Sequence[tuple[float, float]]) -> list[dict[str, float]]:
    return [
        {"place": place, "across": round(x, 4), "up": round(y, 4)}
        for place, (x, y) in enumerate(points)
    ]
