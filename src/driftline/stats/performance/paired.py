"""Two models on the same rows.

Rows must be paired, and pairs independent of each other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Interval, t_of
from driftline.stats.basics.proportion import binomial_at_least
from driftline.stats.basics.sample import finite


class Difference(NamedTuple):
    """The mean of paired differences."""

    mean: float
    t: float
    df: int
    p_value: float
    interval: Interval


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value that two models are right equally often.

    It uses the rows that just one of them got right (McNemar 1947).
    """
    return min(1.0, 2 * binomial_at_least(max(only_first, only_second), only_first + only_second))


def paired_difference(differences: ArrayLike) -> Difference | None:
    """Student's t test of differences on the same rows against 0.

    None below two differences, or when all are the same.
    """
    from scipy.special import stdtr

    d = finite(differences)
    if len(d) < 2 or d.min() == d.max():
        return None
    mean, se, df = float(d.mean()), float(np.std(d, ddof=1)) / math.sqrt(len(d)), len(d) - 1
    half = t_of(df) * se
    return Difference(
        mean, mean / se, df, 2 * float(stdtr(df, -abs(mean / se))), (mean - half, mean + half)
    )
