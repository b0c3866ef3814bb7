"""Calendar effects of a series: effects of groups of windows, shrunk by their uncertainty.

Windows lie along the first axis, streams along the second; NaN is a window without a value. Groups
are whole numbers: the caller knows the calendar.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftline.types.arrays import Floats

Groups = NDArray[np.int64]
AT_LEAST = 2
"""Windows of a group from which on its effect can be distinguished from chance."""


def season_effects(values: Floats, groups: Groups, count: int) -> Floats:
    """Effect of each of `count` groups on values of shape (K, J), as shape (count, J).

    Empirical Bayes: the mean residual of a group times tau^2 / (tau^2 + sigma^2/n), with tau^2 the
    variance of the effects beyond chance, at least 0 (James and Stein 1961). A group with fewer
    than two windows has no effect.
    """
    mask = np.isfinite(values)
    is_complete = bool(mask.all())
    r = values - nan_mean(values)
    if is_complete:
        n = np.bincount(groups, minlength=count).astype(np.float64)[:, None]
    else:
        r[~mask] = 0.0
        n = _sums(mask.astype(np.float64), groups, count)
    effect = _sums(r, groups, count) / np.maximum(n, 1)
    _subtract(r, effect, groups)
    if not is_complete:
        r *= mask
    enough = n >= AT_LEAST
    groups_seen = np.maximum(enough.sum(axis=0), 1)
    noise = np.einsum("kj,kj->j", r, r) / np.maximum(n.sum(axis=0) - groups_seen, 1)
    own = noise / np.maximum(n, 1)
    spread = np.where(enough, effect**2, 0.0).sum(axis=0) / np.maximum(groups_seen - 1, 1)
    tau2 = np.maximum(spread - np.where(enough, own, 0.0).sum(axis=0) / groups_seen, 0.0)
    return np.where(enough & (tau2 > 0), effect * tau2 / np.maximum(tau2 + own, 1e-300), 0.0)


def subtract_effects(values: Floats, effect: Floats, groups: Groups) -> Floats:
    """The values, shape (K, J), without the effect of their groups, shape (count, J)."""
    remainder = values.copy()
    _subtract(remainder, effect, groups)
    return remainder


def _subtract(values: Floats, effect: Floats, groups: Groups) -> None:
    """Subtract the effect of each group from `values` in place."""
    period = _period(groups)
    whole = len(values) // period * period if period else 0
    if whole:
        values[:whole].reshape(-1, period, values.shape[1])[...] -= effect[groups[:period]]
    values[whole:] -= effect[groups[whole:]]


def _period(groups: Groups) -> int:
    """The windows after which the groups repeat themselves; 0 where they do not."""
    is_first = groups == groups[:1]
    others = np.flatnonzero(~is_first)
    if not len(others):
        return 0
    again = np.flatnonzero(is_first[others[0] :])
    period = int(others[0] + again[0]) if len(again) else 0
    return period if period and np.array_equal(groups[period:], groups[:-period]) else 0


def _sums(values: Floats, groups: Groups, count: int) -> Floats:
    period = _period(groups)
    if period and len(values) >= 2 * period:
        # Windows at the same place of each period are added up first: nothing is sorted.
        whole = len(values) // period * period
        totals = values[:whole].reshape(-1, period, values.shape[1]).sum(axis=0)
        totals[: len(values) - whole] += values[whole:]
        return _sums(totals, groups[:period], count)
    # By sorting: a product with a matrix of ones wakes all processors for a few thousand additions.
    order = np.argsort(groups, kind="stable")
    present, first = np.unique(groups[order], return_index=True)
    effects = np.zeros((count, values.shape[1]))
    if len(present):
        effects[present] = np.add.reduceat(values[order], first, axis=0)
    return effects


def mark_effect(values: Floats, marks: NDArray[np.bool_]) -> Floats:
    """Difference between the marked windows and the others, shrunk; shape (J,).

    The difference d times 1 - sigma^2/(n d^2), at least 0. For rare marks, such as the last day of
    a month, whose effect is known from few windows.
    """
    marked_values, unmarked_values = values[marks], values[~marks]
    n = np.isfinite(marked_values).sum(axis=0)
    difference = np.where(n >= AT_LEAST, nan_mean(marked_values) - nan_mean(unmarked_values), 0.0)
    noise = nan_variance(unmarked_values) / np.maximum(n, 1)
    weight = np.maximum(0.0, 1 - noise / np.maximum(difference**2, 1e-300))
    return np.where(np.isfinite(difference), difference * weight, 0.0)


def nan_mean(values: Floats) -> Floats:
    """The mean of each stream, shape (J,); 0 where there is no value."""
    mask = np.isfinite(values)
    if len(values) and mask.all():
        mean: Floats = values.sum(axis=0) / len(values)
        return mean
    total: Floats = np.where(mask, values, 0.0).sum(axis=0) / np.maximum(mask.sum(axis=0), 1)
    return total


def nan_variance(values: Floats) -> Floats:
    """The variance of each stream (ddof 1), shape (J,); 0 with fewer than two values."""
    mask = np.isfinite(values)
    if len(values) and mask.all():
        count = np.full(values.shape[1], len(values))
        deviations = values - values.sum(axis=0) / len(values)
    else:
        count = mask.sum(axis=0)
        deviations = values - nan_mean(values)
        deviations[~mask] = 0.0
    with np.errstate(over="ignore"):
        squares: Floats = np.einsum("kj,kj->j", deviations, deviations)
        variance = squares / np.maximum(count - 1, 1)
    return np.where((count > 1) & np.isfinite(variance), variance, 0.0)
