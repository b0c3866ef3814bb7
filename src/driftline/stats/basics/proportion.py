"""Rates and their differences: x rows of n.

n = 0 gives None. Intervals lie in the range of the rate, and have 95% confidence by default.
"""

from __future__ import annotations

import math

from driftline.stats.basics.estimate import Interval, difference_interval, z_of


def wilson(x: float, n: float, confidence: float = 0.95) -> Interval | None:
    """The score interval (Wilson 1927): the default for rates."""
    if n <= 0:
        return None
    z = z_of(confidence)
    rate, weight = x / n, z * z / n
    centre = (rate + weight / 2) / (1 + weight)
    half = z * math.sqrt(rate * (1 - rate) / n + weight / (4 * n)) / (1 + weight)
    low, high = 0.0 if x <= 0 else centre - half, 1.0 if x >= n else centre + half
    return max(0.0, min(low, rate)), min(1.0, max(high, rate))


def clopper_pearson(x: int, n: int, confidence: float = 0.95) -> Interval | None:
    """The exact interval (Clopper and Pearson 1934), for rare events.

    Its coverage is never below the confidence.
    """
    from scipy.special import betaincinv

    if n <= 0:
        return None
    tail = (1 - confidence) / 2
    low = float(betaincinv(x, n - x + 1, tail)) if x > 0 else 0.0
    high = float(betaincinv(x + 1, n - x, 1 - tail)) if x < n else 1.0
    return low, high


def jeffreys(x: int, n: int, confidence: float = 0.95) -> Interval | None:
    """The equal-tailed interval of Jeffreys' prior, Beta(x + 1/2, n - x + 1/2)."""
    from scipy.special import betaincinv

    if n <= 0:
        return None
    tail = (1 - confidence) / 2
    low = float(betaincinv(x + 0.5, n - x + 0.5, tail)) if x > 0 else 0.0
    return low, float(betaincinv(x + 0.5, n - x + 0.5, 1 - tail)) if x < n else 1.0


def newcombe(
    x1: float, n1: float, x2: float, n2: float, confidence: float = 0.95
) -> Interval | None:
    """Interval of x1/n1 - x2/n2 (Newcombe 1998, method 10); None when a side has no rows."""
    first, second = wilson(x1, n1, confidence), wilson(x2, n2, confidence)
    return (
        None
        if first is None or second is None
        else difference_interval(x1 / n1, first, x2 / n2, second)
    )


def two_proportion_z(x1: float, n1: float, x2: float, n2: float) -> tuple[float, float] | None:
    """z of x1/n1 - x2/n2 with the pooled rate, and its two-sided p-value.

    None without rows, (0, 1) when both rates are 0 or 1.
    """
    from scipy.special import ndtr

    if n1 <= 0 or n2 <= 0:
        return None
    rate = (x1 + x2) / (n1 + n2)
    variance = rate * (1 - rate) * (1 / n1 + 1 / n2)
    if variance <= 0:
        return 0.0, 1.0
    z = (x1 / n1 - x2 / n2) / math.sqrt(variance)
    return z, 2 * float(ndtr(-abs(z)))


def binomial_at_least(x: int, n: int, rate: float = 0.5) -> float:
    """P(X >= x) for n rows that each count with chance `rate`."""
    from scipy.special import betainc

    return 1.0 if x <= 0 else 0.0 if x > n else float(betainc(x, n - x + 1, rate))


def fisher_exact(x1: int, n1: int, x2: int, n2: int) -> float | None:
    """Two-sided p-value of equal rates, by Fisher's exact test.

    Sums all tables with these margins that are at most as likely as the observed one. None without
    rows.
    """
    import numpy as np
    from scipy.special import gammaln

    if n1 <= 0 or n2 <= 0:
        return None
    hits = x1 + x2
    k = np.arange(max(0, hits - n2), min(hits, n1) + 1, dtype=np.float64)
    log_ways = -(
        gammaln(k + 1) + gammaln(n1 - k + 1) + gammaln(hits - k + 1) + gammaln(n2 - hits + k + 1)
    )
    weights = np.exp(log_ways - log_ways.max())
    observed_weight = weights[int(x1 - k[0])]
    return min(1.0, float(weights[weights <= observed_weight * (1 + 1e-7)].sum() / weights.sum()))


def cohen_h(x1: float, n1: float, x2: float, n2: float) -> float | None:
    """Cohen's h, |2 arcsin sqrt(x1/n1) - 2 arcsin sqrt(x2/n2)|.

    A difference of rates has the same weight near 0 and near a half.
    """
    if n1 <= 0 or n2 <= 0:
        return None
    return abs(2 * math.asin(math.sqrt(x1 / n1)) - 2 * math.asin(math.sqrt(x2 / n2)))
