"""Is a new value like those of K earlier windows? Limits for one more value, and how often they are
wrong.

`history` has shape (K,), without missing values. P-values and rates take the windows as independent
and normal, except `rank_p`. Refuses a history that can't tell: fewer than two values, or all the
same, give None.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.sample import finite


class Prediction(NamedTuple):
    """How far a new value lies from what its history foretells."""

    t: float
    """Above 0 when the new value is the larger."""
    df: int
    p_value: float
    """Two-sided."""


def prediction(history: ArrayLike, new: float) -> Prediction | None:
    """(new - mean) / (s sqrt(1 + 1/K)) against Student's t with K-1 degrees of freedom; s has ddof
    1.
    """
    from scipy.special import stdtr

    t = _distance(history, new, ddof=1)
    if t is None:
        return None
    df = len(finite(history)) - 1
    t /= math.sqrt(1 + 1 / (df + 1))
    return Prediction(t, df, 2 * float(stdtr(df, -abs(t))))


def plain_z(history: ArrayLike, new: float) -> float | None:
    """(new - mean) / s with ddof 0, as NannyML's limits have it: forgets that mean and s are
    guesses themselves.
    """
    return _distance(history, new, ddof=0)


def mad_z(history: ArrayLike, new: float) -> float | None:
    """(new - median) / (1.4826 MAD): a few bad windows in the history don't widen it; None when
    half of them are the same.
    """
    values = finite(history)
    if len(values) < 2:
        return None
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return (new - middle) / spread if spread > 0 else None


def rank_p(history: ArrayLike, new: float) -> float:
    """(1 + values at or above `new`) / (K + 1): one-sided, right for any law, never below
    1/(K+1).
    """
    values = finite(history)
    return (1 + int(np.sum(values >= new))) / (len(values) + 1)


def limit_multiplier(k: float, rate: float) -> float | None:
    """How many s (ddof 1) around the mean of K windows leave one new window outside at `rate`, both
    sides together.

    The t quantile times sqrt(1 + 1/K); K = inf gives the normal quantile.
    """
    from scipy.special import ndtri, stdtrit

    if k < 2 or not 0 < rate < 1:
        return None
    if math.isinf(k):
        return -float(ndtri(rate / 2))
    return -float(stdtrit(k - 1, rate / 2)) * math.sqrt(1 + 1 / k)


def limit_rate(k: int, multiplier: float = 3.0, ddof: int = 0) -> float | None:
    """How often one new window lies outside mean +- multiplier sd of K windows, both sides
    together, over all histories.
    """
    from scipy.special import stdtr

    if k < 2:
        return None
    t = abs(multiplier) * math.sqrt((k - 1) / (k - ddof)) / math.sqrt(1 + 1 / k)
    return 2 * float(stdtr(k - 1, -t))


def _distance(history: ArrayLike, new: float, ddof: int) -> float | None:
    values = finite(history)
    if len(values) < 2 or values.min() == values.max():
        return None
    spread = float(np.std(values, ddof=ddof))
    return (new - float(np.mean(values))) / spread if spread > 0 else None
