"""The band in which the next value of a measurement is expected."""

from __future__ import annotations

import math

from driftline.types.model import Measurement


def expected_band(measurement: Measurement) -> tuple[float, float] | None:
    """Return the lowest and the highest value that the rule takes as usual, in the unit of values.

    It is as wide on both sides as the smallest change that the evidence engine would find. The
    result is None for rules that do not learn what is usual, and until it is known.
    """
    usual, smallest = (measurement.detail.get(name) for name in ("usual", "smallest_seen"))
    if not isinstance(usual, (int, float)) or not isinstance(smallest, (int, float)):
        return None
    distance = abs(smallest - usual)
    if not math.isfinite(usual) or not math.isfinite(distance):
        return None
    return usual - distance, usual + distance
