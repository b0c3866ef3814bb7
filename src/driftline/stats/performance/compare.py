"""The same metric twice: how much larger it is now.

Refuses to know which direction is worse. Both metrics count as independent.
"""

from __future__ import annotations

import math

from driftline.stats.basics.estimate import Estimate, Interval, difference_interval

Compared = tuple[float | None, Interval | None]


def change(now: Estimate, was: Estimate) -> Compared:
    """now - was, with MOVER's interval; 0 and 0 to 0 when both are the same estimate; None where
    either has no interval.
    """
    if now.value is None or was.value is None:
        return None, None
    if now == was:
        return 0.0, (0.0, 0.0)
    if now.interval is None or was.interval is None:
        return None, None
    low, high = difference_interval(now.value, now.interval, was.value, was.interval)
    return _sound(now.value - was.value, low, high)


def growth(now: Estimate, was: Estimate) -> Compared:
    """now/was - 1, with the interval of the difference of logarithms; None where one is 0 or has no
    interval.
    """
    if now.value is None or was.value is None:
        return None, None
    if now == was:
        return 0.0, (0.0, 0.0)
    if (
        now.interval is None
        or was.interval is None
        or min(*now.interval, *was.interval, now.value, was.value) <= 0
    ):
        return None, None
    a, b = math.log(now.value), math.log(was.value)
    low, high = difference_interval(a, _logs(now.interval), b, _logs(was.interval))
    return _sound(*(math.expm1(min(end, 700.0)) for end in (a - b, low, high)))


def _logs(interval: Interval) -> Interval:
    return math.log(interval[0]), math.log(interval[1])


def _sound(value: float, low: float, high: float) -> Compared:
    return (value, (low, high)) if all(map(math.isfinite, (value, low, high))) else (None, None)
