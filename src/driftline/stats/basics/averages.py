"""The mean and a quantile of raw values, each with its interval.

Values that are not finite are left out.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Estimate, t_of
from driftline.stats.basics.sample import finite


def mean_estimate(values: ArrayLike) -> Estimate:
    """The mean with Student's interval."""
    x = finite(values)
    if len(x) < 2:
        return Estimate(None, n=len(x), reason="fewer than two values")
    mean, se = float(x.mean()), float(x.std(ddof=1)) / math.sqrt(len(x))
    half = t_of(len(x) - 1) * se
    return Estimate(mean, se, (mean - half, mean + half), len(x))


def mean_of_moments(mean: float, variance: float | None, n: int) -> Estimate:
    """A mean of `n` values with Student's interval from their variance (ddof 1); none without."""
    if variance is None or n < 2:
        return Estimate(mean, n=n)
    se = math.sqrt(variance / n)
    half = t_of(n - 1) * se
    return Estimate(mean, se, (mean - half, mean + half), n)


def quantile_estimate(values: ArrayLike, q: float) -> Estimate:
    """The smallest value with a share `q` of the values at or below it.

    The interval lies between two of the values. It holds the true quantile at 95% whatever the
    distribution (by the binomial distribution of ranks), and reaches to the extremes where few rows
    leave no rank. There is no standard error.
    """
    from scipy.special import bdtr

    x = np.sort(finite(values))
    n = len(x)
    if not n:
        return Estimate(None, reason="no values")
    place = min(n - 1, max(0, math.ceil(q * n) - 1))
    below = bdtr(np.arange(n), n, q)  # P(at most k values lie below the quantile)
    low = max(0, int(np.searchsorted(below, 0.025, "right")) - 1)
    high = min(n - 1, int(np.searchsorted(below, 0.975)))
    return Estimate(
        float(x[place]), None, (float(x[min(low, place)]), float(x[max(high, place)])), n
    )
