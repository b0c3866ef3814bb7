"""Limits for one new value after K earlier windows, and their false alarm rates.

`history` has shape (K,), without missing values. P-values and rates take the windows as independent
and normal, except `rank_p`. A history of fewer than two values, or of equal values, gives None.
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
    """Test of a new value: (new - mean) / (s sqrt(1 + 1/K)) with s of ddof 1.

    Against Student's t distribution with K-1 degrees of freedom.
    """
    from scipy.special import stdtr

    t = _distance(history, new, ddof=1)
    if t is None:
        return None
    df = len(finite(history)) - 1
    t /= math.sqrt(1 + 1 / (df + 1))
    return Prediction(t, df, 2 * float(stdtr(df, -abs(t))))


def plain_z(history: ArrayLike, new: float) -> float | None:
    """(new - mean) / s with ddof 0, as in the limits of NannyML.

    It ignores the errors of mean and s.
    """
    return _distance(history, new, ddof=0)


def mad_z(history: ArrayLike, new: float) -> float | None:
    """(new - median) / (1.4826 MAD): a few bad windows in the history do not widen it.

    None when half of the windows are equal.
    """
    values = finite(history)
    if len(values) < 2:
        return None
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return (new - middle) / spread if spread > 0 else None


def rank_p(history: ArrayLike, new: float) -> float:
    """(1 + values at or above `new`) / (K + 1), one-sided.

    Valid for any distribution, and never below 1/(K+1).
    """
    values = finite(history)
    return (1 + int(np.sum(values >= new))) / (len(values) + 1)


def limit_multiplier(k: float, rate: float) -> float | None:
    """Multiplier of s (ddof 1) so that a new window lies outside the limits at `rate`.

    For K windows and both sides together: the t quantile times sqrt(1 + 1/K). K = inf gives the
    normal quantile.
    """
    from scipy.special import ndtri, stdtrit

    if k < 2 or not 0 < rate < 1:
        return None
    if math.isinf(k):
        return -float(ndtri(rate / 2))
    return -float(stdtrit(k - 1, rate / 2)) * math.sqrt(1 + 1 / k)


def limit_rate(k: int, multiplier: float = 3.0, ddof: int = 0) -> float | None:
    """Rate at which a new window lies outside mean +- multiplier sd of K windows.

    Both sides together, averaged over all histories.
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
