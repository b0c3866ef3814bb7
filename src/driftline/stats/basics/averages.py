"""The mean and a quantile of raw values, each with its interval.

Values that are not finite are left out.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Estimate, t_of
from driftline.stats.basics.sample import finite

FEW: Final = 30
"""Values below which their own spread says little."""


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


def with_usual_spread(now: Estimate, usual: Estimate) -> Estimate:
    """The mean `now` with an interval that is at least as wide as the spread behind `usual` gives.

    Few values can be alike by chance, which makes their own interval too narrow to add up as
    evidence. A mean of `FEW` values or more, and one without a standard error, stays as it is.
    """
    if now.value is None or now.se is None or usual.se is None or not 2 <= now.n < FEW:
        return now
    se = max(now.se, usual.se * math.sqrt(usual.n / now.n))
    half = t_of(now.n - 1) * se
    return now._replace(se=se, interval=(now.value - half, now.value + half))


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
