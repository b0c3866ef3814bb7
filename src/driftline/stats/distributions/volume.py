"""Counts of rows around an expectation, with more spread than Poisson's.

The negative binomial distribution with mean mu and dispersion k has variance mu + mu^2/k; k = inf
is Poisson. The caller computes the expectation, season included.
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
    """Interval of the means that agree with a count of x: both tails inverted.

    As Clopper and Pearson do for rates.
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
    """Estimate k from counts and their expectations, robust against single outages.

    By the median absolute deviation of count/mean. `inf` when the counts vary no more than
    Poisson's, or when nothing was expected.
    """
    import numpy as np

    observed_counts, expectations = (
        np.asarray(counts, dtype=np.float64),
        np.asarray(means, dtype=np.float64),
    )
    observed_counts, expectations = (
        observed_counts[expectations > 0],
        expectations[expectations > 0],
    )
    if not len(expectations):
        return math.inf
    ratios = observed_counts / expectations
    spread = 1.4826 * float(np.median(np.abs(ratios - np.median(ratios))))
    excess = spread**2 - float(np.median(1 / expectations))
    return 1 / excess if excess > 0 else math.inf
