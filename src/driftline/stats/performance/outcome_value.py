"""The mean worth of a prediction, from a value for each outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping

from driftline.stats.basics.estimate import Z95, Estimate


def outcome_value(
    confusion: Mapping[tuple[str, str], float], values: Mapping[tuple[str, str], float]
) -> Estimate:
    """The mean of `values` over rows counted by (label, prediction), with a 95% interval.

    The interval is that of the delta method on multinomial shares, within the least and the
    greatest value. Outcomes without a value are worth 0.
    """
    rows = sum(confusion.values())
    if not rows:
        return Estimate(None, reason="no labelled rows")
    amounts = [(values.get(outcome, 0.0), count) for outcome, count in confusion.items()]
    mean = math.fsum(amount * count for amount, count in amounts) / rows
    if rows < 2:
        return Estimate(mean, n=int(rows))
    variance = math.fsum(count * (amount - mean) ** 2 for amount, count in amounts) / (rows - 1)
    error = math.sqrt(variance / rows)
    low, high = min((0.0, *values.values())), max((0.0, *values.values()))
    interval = max(mean - Z95 * error, min(low, mean)), min(mean + Z95 * error, max(high, mean))
    return Estimate(mean, error, interval if error else None, int(rows))


def outcome_size(
    confusion: Mapping[tuple[str, str], float], values: Mapping[tuple[str, str], float]
) -> float:
    """The mean size of the worth of a row, gains and losses alike; 0 without rows."""
    rows = sum(confusion.values())
    sizes = (abs(values.get(outcome, 0.0)) * count for outcome, count in confusion.items())
    return math.fsum(sizes) / rows if rows else 0.0
