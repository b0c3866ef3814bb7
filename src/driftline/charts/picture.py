"""Turns a specification into a picture, with the JavaScript engine inside vl-convert.

No network: data stand in the specification, and addresses are not loaded. One picture at a time:
the engine has one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TypeVar

from driftline.charts.png_size import compress_png
from driftline.charts.theme import PAPER, Palette, Specification, with_theme
from driftline.types.errors import DriftlineError

FORMATS = (".svg", ".png", ".pdf")
LANGUAGE = "6.4"
"""The version of Vega-Lite that draws: the same as in the bundle of the pages."""
_lock = Lock()
Picture = TypeVar("Picture", str, bytes)


def draw_svg(specification: Mapping[str, Any], palette: Palette = PAPER) -> str:
    """Return a chart as SVG. Raises DriftlineError where it can't be drawn."""
    import vl_convert

    return _draw(
        lambda spec: str(
            vl_convert.vegalite_to_svg(spec, vl_version=LANGUAGE, allowed_base_urls=[])
        ),
        specification,
        palette,
    )


def draw_png(specification: Mapping[str, Any], scale: float = 1.5) -> bytes:
    """Return a chart as PNG, with `scale` dots for a pixel. Raises DriftlineError as `draw_svg`."""
    import vl_convert

    return _draw(
        lambda spec: compress_png(
            vl_convert.vegalite_to_png(spec, vl_version=LANGUAGE, scale=scale, allowed_base_urls=[])
        ),
        specification,
        PAPER,
    )


def draw_pdf(specification: Mapping[str, Any]) -> bytes:
    """Return a chart as PDF. Raises DriftlineError as `draw_svg`."""
    import vl_convert

    return _draw(
        lambda spec: bytes(
            vl_convert.vegalite_to_pdf(spec, vl_version=LANGUAGE, allowed_base_urls=[])
        ),
        specification,
        PAPER,
    )


def draw(specification: Mapping[str, Any], suffix: str) -> bytes:
    """Return a chart in the format `suffix`, one of FORMATS."""
    if suffix == ".svg":
        return draw_svg(specification).encode("utf-8", "replace")
    return draw_png(specification) if suffix == ".png" else draw_pdf(specification)


def _draw(
    convert: Callable[[Specification], Picture],
    specification: Mapping[str, Any],
    palette: Palette,
) -> Picture:
    try:
        with _lock:
            return convert(with_theme(specification, palette))
    except ValueError as error:
        raise DriftlineError(f"the chart can't be drawn: {str(error)[:300]}") from error


def convert_svg(svg: str, suffix: str) -> bytes:
    """Return a picture as PNG, or as PDF of one page. Raises DriftlineError."""
    import vl_convert

    try:
        with _lock:
            if suffix == ".png":
                return compress_png(vl_convert.svg_to_png(svg, scale=1.5))
            return bytes(vl_convert.svg_to_pdf(svg))
    except ValueError as error:
        raise DriftlineError(f"the picture can't be drawn: {str(error)[:300]}") from error
