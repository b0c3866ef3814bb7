"""Lengths of windows from which people choose, and which of them gives a window enough rows."""

from __future__ import annotations

from types import MappingProxyType

from driftline.types.times import DAY_MICROS, HOUR_MICROS

LENGTHS = MappingProxyType({"1h": HOUR_MICROS, "1d": DAY_MICROS, "7d": 7 * DAY_MICROS})
"""Microseconds of each length, by how the configuration writes it; the shortest first."""


def sufficient_length(rows: float, length: int, needed: int) -> str | None:
    """Return the shortest length whose windows have enough rows; None where none has.

    Args:
        rows: Rows of a window now.
        length: Its length in microseconds; only longer ones are looked at.
        needed: Rows that a window should have.
    """
    for text, micros in LENGTHS.items():
        if micros > length and rows * micros >= needed * length:
            return text
    return None
