"""Counts of rows around an expectation, with more spread than Poisson's.

The negative binomial law with mean mu and dispersion k has variance mu + mu^2/k; k = inf is
Poisson. Refuses to guess a season: the caller says what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from driftline.stats.basics.estimate import Interval


def count_at_most(x: int, mean: float, dispersion: float = math.inf) -> float:
    """P(X <= x); x below 0 gives 0."""
    from scipy.special import betainc, pdtr

    if x < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    if math.isinf(dispersion):
        return float(pdtr(x, mean))
    return float(betainc(dispersion, x + 1, dispersion / (dispersion + mean)))


def count_at_least(x: int, mean: float, dispersion: float = math.inf) -> float:
    """P(X >= x), accurate far in the tail too."""
    from scipy.special import betainc, pdtrc

    if x <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if math.isinf(dispersion):
        return float(pdtrc(x - 1, mean))
    return float(betainc(x, dispersion, mean / (dispersion + mean)))


def mean_interval(x: int, dispersion: float = math.inf, confidence: float = 0.95) -> Interval:
    """The means under which a count of x is no surprise: both tails inverted, as Clopper and
    Pearson do for rates.
    """
    from scipy.special import betaincinv, gammaincinv

    tail = (1 - confidence) / 2
    if math.isinf(dispersion):
        low = float(gammaincinv(x, tail)) if x > 0 else 0.0
        return low, float(gammaincinv(x + 1, 1 - tail))
    # P(X <= x) = I_p(k, x+1) with p = k/(k+mu); the complement keeps precision where p is nearly 1.
    ends = []
    for shape, level in ((x, tail), (x + 1, 1 - tail)):
        share = float(betaincinv(shape, dispersion, level)) if shape > 0 else 0.0
        ends.append(dispersion * share / max(1 - share, 1e-300))
    return ends[0], min(ends[1], 1e300)


def dispersion(counts: Sequence[float], means: Sequence[float]) -> float:
    """k of counts around their expectations, by the median absolute deviation of count/mean: one
    outage does not blind it.

    `inf` when they vary no more than Poisson's, or nothing was expected.
    """
    import numpy as np

    seen, expected = np.asarray(counts, dtype=np.float64), np.asarray(means, dtype=np.float64)
    seen, expected = seen[expected > 0], expected[expected > 0]
    if not len(expected):
        return math.inf
    ratios = seen / expected
    spread = 1.4826 * float(np.median(np.abs(ratios - np.median(ratios))))
    excess = spread**2 - float(np.median(1 / expected))
    return 1 / excess if excess > 0 else math.inf
