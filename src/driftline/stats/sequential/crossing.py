"""Forecasts when a series will cross a bound at its present slope.

The interval is that of a ratio of two estimates: the distance and the slope (Fieller 1954). The
noise counts with its autocorrelation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from driftline.stats.sequential.change_points import find_change_points
from driftline.types.arrays import Floats

NEWEST = 60
"""Values that the slope is measured on, at most; those since the last change."""
FEWEST = 8
"""The fewest of them."""
FARTHEST = 1e12
"""Steps after which a crossing is none that anybody waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """When a bound is crossed, in steps after the newest value."""

    steps: float
    """The estimate."""
    earliest: float
    """The lower end of its 95% interval."""
    latest: float
    """The upper end of its 95% interval."""


def forecast_crossing(values: Floats, bound: float) -> Crossing | None:
    """Return when a series crosses `bound` at its present slope.

    Arguments: `values`, shape (n,), finite, in time order and at equal steps; `bound` in their
    unit. None for a bound that is not finite, for fewer than 8 values since the last change, for a
    series that is at the bound, where it is not proven at 95% that it moves towards the bound, and
    for a crossing more than 1e12 steps away.
    """
    from scipy.special import stdtrit

    values = np.asarray(values, np.float64)
    changes = [change.place for change in find_change_points(values) if change.kind == "mean"]
    part = values[max([0, *changes]) :][-NEWEST:]
    n = len(part)
    if n < FEWEST or not math.isfinite(bound):
        return None
    part, bound = _rescale(part, bound)
    at = np.arange(n) - (n - 1) / 2
    squares = float(at @ at)
    slope = float(at @ part) / squares
    level = float(part.mean()) + slope * (n - 1) / 2
    rest = part - part.mean() - slope * at
    total = float(rest @ rest)
    correlation = float(rest[:-1] @ rest[1:]) / total if total > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.9)
    variance = total / (n - 2) * (1 + correlation) / (1 - correlation)
    t = float(stdtrit(n - 2, 0.975))
    distance = bound - level
    # Level at the newest value and slope: their variances and covariance.
    slope_variance = variance / squares
    level_variance = variance * (1 / n + ((n - 1) / 2) ** 2 / squares)
    covariance = variance * (n - 1) / 2 / squares
    if distance == 0 or slope * distance <= 0 or abs(slope) <= t * math.sqrt(slope_variance):
        return None
    if abs(distance) > FARTHEST * abs(slope):
        return None
    # The interval holds each x with (distance - x slope)^2 <= t^2 var(distance - x slope). Its ends
    # are the roots of a quadratic equation.
    a = slope**2 - t**2 * slope_variance
    b = -2 * (distance * slope + t**2 * covariance)
    c = distance**2 - t**2 * level_variance
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return Crossing(
        steps=distance / slope,
        earliest=max((-b - root) / (2 * a), 0.0),
        latest=(-b + root) / (2 * a),
    )


def _rescale(part: Floats, bound: float) -> tuple[Floats, float]:
    """Return the values less their first, and the bound, in units of their largest size.

    The steps stay the same, and squares of tiny or huge values stay numbers.
    """
    size = float(np.abs(part).max()) or 1.0
    part, bound = part / size, bound / size
    first = float(part[0])
    part, bound = part - first, bound - first
    spread = float(np.abs(part).max()) or 1.0
    return part / spread, bound / spread
