"""The style of all charts, and their conversion to bytes.

Uses no global state of matplotlib, so that any thread may draw. Needs the extra `charts`.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from driftline.types.errors import DriftlineError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUIET, BAND, INK, KNOWN = "#667085", "#d0d5dd", "#1d2939", "#9e77ed"
FORMATS = (".svg", ".png", ".pdf")


def make_figure(
    width: float, height: float, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Make an empty chart of `width` by `height` inches with `rows` axes below each other.

    `options` are those of `Figure.subplots`. Raises DriftlineError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise DriftlineError("charts need matplotlib: pip install 'driftline[charts]'") from None
    chart = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = chart.subplots(rows, 1, squeeze=False, **options)[:, 0]
    for row in axes:
        row.spines[["top", "right"]].set_visible(False)
        row.spines[["left", "bottom"]].set_color(BAND)
        row.tick_params(colors=QUIET, labelsize=8)
    return chart, list(axes)


def render_figure(chart: Figure, suffix: str = ".png", dots: int = 110) -> bytes:
    """The bytes of a chart in the format `suffix`; the same chart gives the same bytes."""
    buffer = BytesIO()
    no_date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    chart.savefig(buffer, format=suffix.lstrip("."), dpi=dots, metadata=no_date.get(suffix))
    return buffer.getvalue()
