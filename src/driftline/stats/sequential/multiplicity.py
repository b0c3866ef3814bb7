"""Many p-values at once: adjusted for a family of tests, or combined into one.

`p` has shape (m,), each in [0, 1], in any order; results keep that order. Each function states the
dependence between tests that it allows. No p-values give an empty result, or None where the result
is one number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.types.arrays import Floats

SMALLEST = 1e-300
"""Stands in for a p-value of 0, whose logarithm and cotangent are infinite."""


class Combined(NamedTuple):
    """Several p-values as one."""

    statistic: float
    p_value: float


def bonferroni(p: ArrayLike) -> Floats:
    """m p, at most 1: no false alarm in the family at the level, however the tests depend."""
    values = np.asarray(p, dtype=np.float64)
    return np.minimum(values * len(values), 1.0)


def holm(p: ArrayLike) -> Floats:
    """Holm's (1979) adjustment: keeps the level of the family, with more power than Bonferroni's.

    The i-th smallest p-value times m-i+1, never below a smaller one's.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    results = np.empty_like(values)
    results[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return results


def bh(p: ArrayLike) -> Floats:
    """Benjamini and Hochberg (1995): keeps the share of false discoveries.

    min over j >= i of m p_(j)/j. Valid for independent tests, and for positively dependent ones.
    """
    return _step_up(p, 1.0)


def by(p: ArrayLike) -> Floats:
    """Benjamini and Yekutieli (2001): as `bh`, but valid under any dependence.

    The price is a factor 1 + 1/2 + ... + 1/m.
    """
    return _step_up(p, float(np.sum(1 / np.arange(1, len(np.asarray(p)) + 1))))


def simes(p: ArrayLike) -> float | None:
    """One p-value for "nothing changed anywhere" (Simes 1986): the smallest of `bh`.

    Valid under the same conditions as `bh`.
    """
    values = bh(p)
    return float(values.min()) if len(values) else None


def fisher_combined(p: ArrayLike) -> Combined | None:
    """Fisher's combination: -2 times the sum of ln p against chi-square with 2m degrees of freedom.

    For independent tests only.
    """
    from scipy.special import chdtrc

    values = np.asarray(p, dtype=np.float64)
    if not len(values):
        return None
    statistic = -2 * float(np.sum(np.log(np.maximum(values, SMALLEST))))
    return Combined(statistic, float(chdtrc(2 * len(values), statistic)))


def cauchy_combined(p: ArrayLike) -> Combined | None:
    """Mean of tan((1/2 - p) pi) against a Cauchy distribution (Liu and Xie 2020).

    Small p-values are valid under any dependence.
    """
    values = np.asarray(p, dtype=np.float64)
    if not len(values):
        return None
    statistic = float(np.mean(1 / np.tan(np.pi * np.maximum(values, SMALLEST))))
    return Combined(statistic, float(np.arctan2(1.0, statistic) / np.pi))


def e_bh(e: ArrayLike, alpha: float = 0.1) -> NDArray[np.bool_]:
    """Select e-values by e-BH (Wang and Ramdas 2022); a mask of shape (m,).

    Selects the k largest, for the largest k whose k-th is at least m/(alpha k). On average at most
    a share `alpha` of them is false, under any dependence.
    """
    values = np.asarray(e, dtype=np.float64)
    m = len(values)
    order = np.argsort(-values, kind="stable")
    enough = np.flatnonzero(values[order] * np.arange(1, m + 1) * alpha >= m)
    selection = np.zeros(m, dtype=np.bool_)
    selection[order[: enough[-1] + 1 if len(enough) else 0]] = True
    return selection


def _step_up(p: ArrayLike, factor: float) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    m = len(values)
    order = np.argsort(values, kind="stable")
    products = values[order] * (m * factor) / np.arange(1, m + 1)
    results = np.empty_like(values)
    results[order] = np.minimum(np.minimum.accumulate(products[::-1])[::-1], 1.0)
    return results
