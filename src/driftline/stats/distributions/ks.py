"""The Kolmogorov-Smirnov distance between two samples, and its distribution by chance.

Ties make the p-values conservative; the distance stays exact.
"""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.sample import finite, two_cdfs


def ks_distance(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """sup|F - G| of two samples of raw values, in [0, 1]; None when either has no finite value."""
    x, y = finite(ref), finite(cur)
    if not len(x) or not len(y):
        return None
    _, f, g = two_cdfs(x, y)
    return float(np.max(np.abs(f - g)))


def ks_margin(n: int, m: int, confidence: float = 0.95) -> float | None:
    """Largest error of the distance of samples of n and m rows, at the given confidence.

    sqrt(-ln(alpha/2)/2) sqrt((n+m)/(nm)), the two-sample form of Dvoretzky-Kiefer-Wolfowitz. None
    when a sample is empty.
    """
    if n < 1 or m < 1:
        return None
    return math.sqrt(-math.log((1 - confidence) / 2) / 2) * math.sqrt((n + m) / (n * m))


def ks_robust(d: float, n: int, m: int) -> float | None:
    """Deequ's correction: max(0, d - 1.8 sqrt((n+m)/(nm))); None when a sample is empty."""
    return None if n < 1 or m < 1 else max(0.0, d - 1.8 * math.sqrt((n + m) / (n * m)))


def ks_p_value(d: float, n: int, m: int) -> float | None:
    """P(D >= d) when both samples come from one distribution.

    Exact for n m <= 10,000, asymptotic above. None when a sample is empty.
    """
    if n < 1 or m < 1:
        return None
    return ks_p_exact(d, n, m) if n * m <= 10_000 else ks_p_asymptotic(d, n, m)


def ks_p_exact(d: float, n: int, m: int) -> float | None:
    """P(D >= d), counted exactly in integers, in O(n m).

    The share of lattice paths from (0, 0) to (n, m) that somewhere reach |i/n - j/m| >= d. None
    when a sample is empty.
    """
    if n < 1 or m < 1:
        return None
    reach = round(d * n * m)
    if reach <= 0:
        return 1.0
    inside = [1] + [0] * m
    for i in range(n + 1):
        row = [count if abs(i * m - j * n) < reach else 0 for j, count in enumerate(inside)]
        low = next((j for j in range(m + 1) if abs(i * m - j * n) < reach), m + 1)
        high = next((j for j in range(m, -1, -1) if abs(i * m - j * n) < reach), -1)
        inside = (
            [0] * low + list(accumulate(row[low : high + 1])) + [0] * (m - high)
            if low <= high
            else [0] * (m + 1)
        )
    total = math.comb(n + m, n)
    return (total - inside[m]) / total


def ks_p_paths(d: float, n: int, m: int) -> float | None:
    """P(D >= d), counted in floats, for thousands of rows on each side.

    The error is up to 1e-9, so smaller p-values have no valid digits.
    """
    if n < 1 or m < 1:
        return None
    reach = round(d * n * m)
    if reach <= 0:
        return 1.0
    few, many = sorted((n, m))
    inside, start, scale = np.ones(1), 0, 0.0
    for i in range(few + 1):
        low = max(0, (i * many - reach) // few + 1)
        high = min(many, -((-i * many - reach) // few) - 1)
        row = np.zeros(high - low + 1)
        overlap = inside[max(0, low - start) :]
        row[: len(overlap)] = overlap
        inside, start = np.cumsum(row), low
        largest = float(inside[-1]) if len(inside) else 0.0
        if not largest:
            return 1.0
        inside /= largest
        scale += math.log(largest)
    paths = math.lgamma(n + m + 1) - math.lgamma(n + 1) - math.lgamma(m + 1)
    return min(1.0, max(0.0, -math.expm1(scale - paths)))


def ks_p_asymptotic(d: float, n: int, m: int) -> float | None:
    """P(D >= d) by the one-sample distribution of round(nm/(n+m)) rows, as scipy's `asymp`.

    None when a sample is empty.
    """
    if n < 1 or m < 1:
        return None
    return _one_sample(d, max(1, round(n * m / (n + m))))


def ks_p_limit(d: float, n: int, m: int) -> float | None:
    """P(D >= d) by the limit distribution alone, as in textbooks.

    Too large for small samples. None when a sample is empty.
    """
    from scipy.special import kolmogorov

    return float(kolmogorov(math.sqrt(n * m / (n + m)) * d)) if n >= 1 and m >= 1 else None


EXACT, EXACT_TAIL = 60, 100
"""Rows up to which the exact distribution is computed, and its tail.

Above, expansions are exact to a thousandth of the p-value.
"""


def _one_sample(d: float, n: int) -> float:
    from scipy.special import kolmogorov, smirnov

    if d <= 0:
        return 1.0
    if d >= 1:
        return 0.0
    if 2 * n * d <= 1:
        return 1.0
    # One-sided tails are simple; both at once has odds of about exp(-6 n d^2), and is impossible
    # from a half on.
    if d >= 0.5 or n * d * d > (2.4 if n <= EXACT else 1.5):
        return min(1.0, 2 * (float(smirnov(n, d)) if n <= EXACT_TAIL else _one_sided(d, n)))
    if n <= EXACT:
        return _durbin(d, n)
    # Vrbik's (2018) correction of the limit law for finite n.
    root = math.sqrt(n)
    return float(kolmogorov(d * root + 1 / (6 * root) + (d * root - 1) / (4 * n)))


def _one_sided(d: float, n: int) -> float:
    # Logarithm of Lauwerier's (1963) expansion; the powers of n d^2 are those of Kullback's bound,
    # the rate of the large
    # deviations. Right to 0.1% down to p-values of 1e-14, and far below still of that order.
    square = d * d
    rate = 2 + square * (4 / 9 + 32 / 135 * square)
    return math.exp(
        -n * square * rate - 2 / 3 * d + 4 / 9 * square - 88 / 405 * d * square + 4 / 45 * d / n
    )


def _durbin(d: float, n: int) -> float:
    # Durbin's matrix in the form of Marsaglia, Tsang and Wang (2003).
    k = math.floor(n * d) + 1
    h = k - n * d
    size = 2 * k - 1
    i, j = np.indices((size, size))
    matrix = (i - j + 1 >= 0).astype(np.float64)
    powers = h ** np.arange(1, size + 1)
    matrix[:, 0] -= powers
    matrix[-1, :] -= powers[::-1]
    matrix[-1, 0] += max(2 * h - 1, 0.0) ** size
    factorials = np.array([math.lgamma(max(step, 0) + 1) for step in range(size + 1)])
    matrix *= np.exp(-factorials[np.maximum(i - j + 1, 0)])
    product, log_scale = np.eye(size), 0.0
    for row in range(1, n + 1):
        product = product @ matrix
        log_scale += math.log(row / n)
        largest = float(product[k - 1, k - 1])
        if largest > 1e100 or largest < 1e-100:
            product /= largest
            log_scale += math.log(largest)
    return min(1.0, max(0.0, 1 - float(product[k - 1, k - 1]) * math.exp(log_scale)))
