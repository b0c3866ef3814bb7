"""The two-sample Anderson-Darling distance, which gives the tails more weight.

Gives no p-value: the published tables end at 0.001, which is where alarms begin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.sample import finite


def anderson_darling(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Compute the standardised two-sample statistic, with midranks for ties.

    Without change it has mean 0 and standard deviation 1 (Scholz and Stephens 1987). None below
    four values in all, with an empty side, or when all values are the same.
    """
    x, y = np.sort(finite(ref)), np.sort(finite(cur))
    total = len(x) + len(y)
    values, counts = np.unique(np.concatenate((x, y)), return_counts=True)
    if not len(x) or not len(y) or total < 4 or len(values) < 2:
        return None
    ranks = np.cumsum(counts) - counts / 2
    weights = counts / total / (ranks * (total - ranks) - total * counts / 4)
    statistic = 0.0
    for side in (x, y):
        upto = (np.searchsorted(side, values, "right") + np.searchsorted(side, values, "left")) / 2
        statistic += float(np.sum(weights * (total * upto - ranks * len(side)) ** 2)) / len(side)
    return (statistic * (total - 1) / total - 1) / math.sqrt(_variance(len(x), len(y)))


def _variance(n: int, m: int) -> float:
    # Scholz and Stephens' equation 4 for two samples.
    total, inverse = n + m, 1 / n + 1 / m
    sums = np.cumsum(1 / np.arange(total - 1, 1, -1))
    h, g = float(sums[-1]) + 1, float(np.sum(sums / np.arange(2, total)))
    a = 4 * g - 6 + (10 - 6 * g) * inverse
    b = 4 * (2 * g - 4) + 16 * h + (2 * g - 14 * h - 4) * inverse - 8 * h + 4 * g - 6
    c = 4 * (6 * h + 2 * g - 2) + 2 * (4 * h - 4 * g + 6) + (2 * h - 6) * inverse + 4 * h
    d = 4 * (2 * h + 6) - 8 * h
    return (((a * total + b) * total + c) * total + d) / ((total - 1) * (total - 2) * (total - 3))
