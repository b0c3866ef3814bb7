"""A number with its interval.

A number that does not exist is None, with its reason; never NaN.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

Interval = tuple[float, float]

Z95 = 1.959963984540054
"""The 97.5% quantile of the normal law."""


class Estimate(NamedTuple):
    """A metric of `n` rows: value, standard error and 95% interval, or a reason for no value."""

    value: float | None
    se: float | None = None
    interval: Interval | None = None
    n: int = 0
    reason: str = ""


@lru_cache(maxsize=256)
def z_of(confidence: float) -> float:
    """The two-sided normal quantile: 1.96 for 0.95."""
    if confidence == 0.95:
        return Z95
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2))


def t_of(df: float, confidence: float = 0.95) -> float:
    """The two-sided quantile of Student's t with `df` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + confidence / 2))


def logit_interval(value: float, se: float, confidence: float = 0.95) -> Interval | None:
    """Interval for a number in (0, 1) that stays inside it: symmetric on the logit scale.

    None at 0 and 1.
    """
    if not 0 < value < 1:
        return None
    half = z_of(confidence) * se / (value * (1 - value))
    centre = math.log(value / (1 - value))
    return _expit(centre - half), _expit(centre + half)


def log_interval(value: float, se: float, quantile: float = Z95) -> Interval | None:
    """Interval for a number above 0 that never leaves it: symmetric on the log scale; None at 0."""
    if not value > 0:
        return None
    half = min(quantile * se / value, 700.0)
    return value * math.exp(-half), min(value * math.exp(half), 1.7e308)


def difference_interval(a: float, a_interval: Interval, b: float, b_interval: Interval) -> Interval:
    """Interval of a - b from the intervals of two independent numbers.

    MOVER (Zou and Donner 2008): keeps the asymmetry of both, and is Newcombe's for two Wilson
    intervals.
    """
    low = a - b - math.hypot(a - a_interval[0], b_interval[1] - b)
    high = a - b + math.hypot(a_interval[1] - a, b - b_interval[0])
    return low, high


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else (e := math.exp(max(x, -745.0))) / (1 + e)
