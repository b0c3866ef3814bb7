"""Effect sizes of a difference between two samples of raw values, and the classic tests.

Every p-value is two-sided.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.sample import finite


class Superiority(NamedTuple):
    """What Mann and Whitney's count says."""

    u: float
    """Pairs in which the reference's value is the larger, ties counted half."""
    p_value: float
    probability: float
    """P(cur > ref) + P(equal)/2: 0.5 when neither is larger."""
    cliff_delta: float
    """2 probability - 1."""


class TTest(NamedTuple):
    """Welch's test of equal means."""

    t: float
    """Above 0 when the reference's mean is the larger."""
    df: float
    p_value: float


def mann_whitney(ref: ArrayLike, cur: ArrayLike) -> Superiority | None:
    """Compute U of the reference and the probability of superiority of the window.

    The p-value is counted exactly without ties up to n m = 10,000; above, it is normal with
    corrections for ties and continuity. None when either sample has no finite value.
    """
    x, y = finite(ref), finite(cur)
    n, m = len(x), len(y)
    if not n or not m:
        return None
    y = np.sort(y)
    below, upto = np.searchsorted(y, x, "left"), np.searchsorted(y, x, "right")
    u = float(np.sum(below) + np.sum(upto - below) / 2)
    _, counts = np.unique(np.concatenate((x, y)), return_counts=True)
    exact = n * m <= 10_000 and len(counts) == n + m
    p = (
        _u_exact(int(u), n, m)
        if exact
        else _u_normal(u, n, m, float(np.sum(counts.astype(np.float64) ** 3 - counts)))
    )
    probability = 1 - u / (n * m)
    return Superiority(u, p, probability, 2 * probability - 1)


def _u_exact(u: int, n: int, m: int) -> float:
    # Coefficients of the Gaussian binomial [n+m over n], whose k-th counts the orders with U = k.
    ways = np.zeros(n * m + 1, dtype=object)
    ways[0] = 1
    few, many = min(n, m), max(n, m)
    for k in range(1, few + 1):
        degree = many + k
        if degree <= n * m:
            ways[degree:] = ways[degree:] - ways[:-degree]
        for place in range(k, n * m + 1):
            ways[place] += ways[place - k]
    tail = sum(ways[: min(u, n * m - u) + 1])
    return min(1.0, 2 * tail / math.comb(n + m, n))


def _u_normal(u: float, n: int, m: int, ties: float) -> float:
    from scipy.special import ndtr

    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1))) if total > 1 else 0.0
    if variance <= 0:
        return 1.0
    z = (abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return min(1.0, 2 * float(ndtr(-max(z, 0.0))))


def welch(ref: ArrayLike, cur: ArrayLike) -> TTest | None:
    """Welch's t test of mean(ref) - mean(cur).

    None below two values on a side, or when both samples are constant.
    """
    from scipy.special import stdtr

    x, y = finite(ref), finite(cur)
    if len(x) < 2 or len(y) < 2:
        return None
    a, b = float(np.var(x, ddof=1)) / len(x), float(np.var(y, ddof=1)) / len(y)
    if a + b == 0:
        return None
    t = float(np.mean(x) - np.mean(y)) / math.sqrt(a + b)
    share = a / (a + b)
    df = 1 / (share**2 / (len(x) - 1) + (1 - share) ** 2 / (len(y) - 1))
    return TTest(t, df, 2 * float(stdtr(df, -abs(t))))


def cohen_d(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Cohen's d: (mean(cur) - mean(ref)) over the pooled standard deviation.

    None below two values on a side, or when both are constant.
    """
    x, y = finite(ref), finite(cur)
    if len(x) < 2 or len(y) < 2:
        return None
    df = len(x) + len(y) - 2
    sd = math.sqrt(
        ((len(x) - 1) * float(np.var(x, ddof=1)) + (len(y) - 1) * float(np.var(y, ddof=1))) / df
    )
    return float(np.mean(y) - np.mean(x)) / sd if sd else None


def hedges_g(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Cohen's d less its bias in small samples: d (1 - 3/(4 df - 1)); None where d is."""
    d = cohen_d(ref, cur)
    return None if d is None else d * (1 - 3 / (4 * (len(finite(ref)) + len(finite(cur)) - 2) - 1))


def brown_forsythe(ref: ArrayLike, cur: ArrayLike) -> tuple[float, float] | None:
    """W and p-value of equal spread: an F test on the distances of values from their median.

    Brown and Forsythe (1974). None below two values on a side, or when no value differs from the
    median.
    """
    from scipy.special import fdtrc

    x, y = finite(ref), finite(cur)
    if len(x) < 2 or len(y) < 2:
        return None
    a, b = np.abs(x - np.median(x)), np.abs(y - np.median(y))
    n, m = len(a), len(b)
    mean = (a.sum() + b.sum()) / (n + m)
    between = n * (a.mean() - mean) ** 2 + m * (b.mean() - mean) ** 2
    within = float(np.sum((a - a.mean()) ** 2) + np.sum((b - b.mean()) ** 2))
    if within == 0 or n + m < 3:
        return None
    w = float((n + m - 2) * between / within)
    return w, float(fdtrc(1, n + m - 2, w))
