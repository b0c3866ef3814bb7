"""How the measurements of a check are drawn: declared by the check, used for all pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """How one measurement is drawn over windows. Each part has a default."""

    kind: Literal["line", "bars"] = "line"
    """`bars` stand on zero: for counts and sums."""
    beside: str = ""
    """Another measurement of the same subject, drawn as a second line, such as an estimate."""
    band: Literal["interval", "none"] = "interval"
    """What is shaded around the line: the 95% interval, or nothing."""
    marks: Literal["changed", "none"] = "changed"
    """Which windows have a dot: those with the verdict `changed`, or none."""
