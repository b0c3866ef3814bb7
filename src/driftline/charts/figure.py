"""How pictures look, and how they become bytes: one style for all of them.

Refuses global state: figures are made and thrown away, so that any thread may draw. Needs the extra
`charts`.
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
    """An empty picture of so many inches with its axes below each other. Raises DriftlineError
    without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise DriftlineError("charts need matplotlib: pip install 'driftline[charts]'") from None
    made = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = made.subplots(rows, 1, squeeze=False, **options)[:, 0]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color(BAND)
        each.tick_params(colors=QUIET, labelsize=8)
    return made, list(axes)


def render_figure(made: Figure, suffix: str = ".png", dots: int = 110) -> bytes:
    """The bytes of the picture; the same picture gives the same bytes."""
    to = BytesIO()
    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    made.savefig(to, format=suffix.lstrip("."), dpi=dots, metadata=dated.get(suffix))
    return to.getvalue()
