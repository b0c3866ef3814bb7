"""Distances between two samples of raw values, beside Kolmogorov-Smirnov.

Does not bin: `binned` and `grid` have the distances between counts.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.sample import finite, midranks, two_cdfs


def wasserstein(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Wasserstein distance W1, the integral of |F - G|, in the unit of the values.

    None when either sample has no finite value.
    """
    x, y = finite(ref), finite(cur)
    if not len(x) or not len(y):
        return None
    values, f, g = two_cdfs(x, y)
    return float(np.sum(np.abs(f - g)[:-1] * np.diff(values)))


def energy_distance(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Energy distance: the root of 2E|X-Y| - E|X-X'| - E|Y-Y'|, as scipy defines it.

    The radicand equals 2 times the integral of (F - G) squared. The unit is the root of the unit of
    the values. Some texts call the square the energy distance. None when a sample is empty.
    """
    x, y = finite(ref), finite(cur)
    if not len(x) or not len(y):
        return None
    values, f, g = two_cdfs(x, y)
    return math.sqrt(2 * float(np.sum(((f - g) ** 2)[:-1] * np.diff(values))))


def robust_scale(values: ArrayLike) -> float:
    """Scale that distances are divided by: IQR/1.349, else the standard deviation, else 1.

    Quantiles are linear, the standard deviation has ddof 1.
    """
    x = finite(values)
    if not len(x):
        return 1.0
    low, high = np.quantile(x, [0.25, 0.75])
    sd = float(np.std(x, ddof=1)) if len(x) > 1 else 0.0
    return float(high - low) / 1.349 or sd or 1.0


def cramer_von_mises(ref: ArrayLike, cur: ArrayLike) -> tuple[float, float] | None:
    """The two-sample statistic T and its p-value; None when either sample has no finite value.

    T = U/(nm(n+m)) - (4nm-1)/(6(n+m)) with midranks for ties (Anderson 1962); the p-value is
    counted over all orders for n m <= 400 (conservative with ties), and from the limit law beyond.
    """
    x, y = finite(ref), finite(cur)
    n, m = len(x), len(y)
    if not n or not m:
        return None
    ranks = midranks(np.concatenate((x, y)))
    rank_x, rank_y = np.sort(ranks[:n]), np.sort(ranks[n:])
    u = n * float(np.sum((rank_x - np.arange(1, n + 1)) ** 2)) + m * float(
        np.sum((rank_y - np.arange(1, m + 1)) ** 2)
    )
    t = u / (n * m * (n + m)) - (4 * n * m - 1) / (6 * (n + m))
    return t, _cvm_exact(t, n, m) if n * m <= 400 else cramer_von_mises_p(t, n, m)


def _cvm_exact(t: float, n: int, m: int) -> float:
    # T nm(n+m)^2 is the sum of (i m - j n)^2 along a lattice path; counting paths by that sum gives
    # the law.
    shared = math.gcd(n, m)
    bar = t * n * m * (n + m) ** 2 / shared**2 - 1e-6
    row: list[Counter[int]] = []
    for i in range(n + 1):
        fresh: list[Counter[int]] = []
        for j in range(m + 1):
            cost = ((i * m - j * n) // shared) ** 2
            cell: Counter[int] = Counter() if i or j else Counter({0: 1})
            for source in ([row[j]] if i else []) + ([fresh[j - 1]] if j else []):
                for value, ways in source.items():
                    cell[value + cost] += ways
            fresh.append(cell)
        row = fresh
    paths: int = sum(ways for value, ways in row[m].items() if value >= bar)
    return paths / math.comb(n + m, n)


def cramer_von_mises_p(t: float, n: int, m: int) -> float:
    """P(T >= t) for samples of n and m rows (at least 1 each), by the limit distribution.

    The limit distribution is scaled to the mean and variance of T.
    """
    from scipy.special import gammaln, kv

    total, product = n + m, n * m
    mean = (1 + 1 / total) / 6
    variance = (
        (total + 1)
        * (4 * product * total - 3 * (n * n + m * m) - 2 * product)
        / (180 * total**2 * product)
    )
    # One row against one has the same T whatever they are.
    x = 1 / 6 + (t - mean) / math.sqrt(45 * variance) if variance > 0 else 0.0
    if x < 0.003:
        return 1.0
    k = np.arange(60)
    q = (4 * k + 1) ** 2 / (16 * x)
    terms = np.exp(gammaln(k + 0.5) - gammaln(k + 1) - q) * np.sqrt(4 * k + 1) * kv(0.25, q)
    below: float = float(np.sum(terms)) / (math.pi**1.5 * math.sqrt(x))
    return min(1.0, max(0.0, 1 - below))
