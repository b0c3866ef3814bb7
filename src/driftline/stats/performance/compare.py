"""Change of a metric between two independent samples.

Does not know which direction is worse.
"""

from __future__ import annotations

import math

from driftline.stats.basics.estimate import Estimate, Interval, difference_interval

Compared = tuple[float | None, Interval | None]


def change(now: Estimate, before: Estimate) -> Compared:
    """now - was, with MOVER's interval.

    The change is 0, with the interval 0 to 0, when both are the same estimate. None where either
    has no interval.
    """
    if now.value is None or before.value is None:
        return None, None
    if now == before:
        return 0.0, (0.0, 0.0)
    if now.interval is None or before.interval is None:
        return None, None
    low, high = difference_interval(now.value, now.interval, before.value, before.interval)
    return _sound(now.value - before.value, low, high)


def growth(now: Estimate, before: Estimate) -> Compared:
    """now/was - 1, with the interval of the difference of logarithms.

    None where one is 0 or has no interval.
    """
    if now.value is None or before.value is None:
        return None, None
    if now == before:
        return 0.0, (0.0, 0.0)
    if (
        now.interval is None
        or before.interval is None
        or min(*now.interval, *before.interval, now.value, before.value) <= 0
    ):
        return None, None
    a, b = math.log(now.value), math.log(before.value)
    low, high = difference_interval(a, _logs(now.interval), b, _logs(before.interval))
    return _sound(*(math.expm1(min(end, 700.0)) for end in (a - b, low, high)))


def _logs(interval: Interval) -> Interval:
    return math.log(interval[0]), math.log(interval[1])


def _sound(value: float, low: float, high: float) -> Compared:
    return (value, (low, high)) if all(map(math.isfinite, (value, low, high))) else (None, None)
