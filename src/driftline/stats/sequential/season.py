"""What a calendar adds to a series: effects of groups of windows, shrunk by how little is known of
each.

Windows lie along the first axis, streams along the second; NaN is a window without a value. Refuses
to know any calendar: groups are handed in as whole numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftline.stats.basics.sample import Floats

Groups = NDArray[np.int64]
AT_LEAST = 2
"""Windows of a group from which on its effect is told from chance."""


def season_effects(values: Floats, groups: Groups, count: int) -> Floats:
    """The effect of each of `count` groups on values of shape (K, J), as shape (count, J), by
    empirical Bayes.

    The mean residual of a group times tau^2 / (tau^2 + sigma^2/n), with tau^2 the variance of the
    effects beyond what chance makes of them, at least 0 (James and Stein 1961). A group seen fewer
    than twice has none.
    """
    known = np.isfinite(values)
    r = np.where(known, values - nan_mean(values), 0.0)
    n, total = _sums(known.astype(np.float64), groups, count), _sums(r, groups, count)
    effect = total / np.maximum(n, 1)
    rest = r - effect[groups]
    rest *= known
    rest *= rest
    seen = n >= AT_LEAST
    groups_seen = np.maximum(seen.sum(axis=0), 1)
    noise = rest.sum(axis=0) / np.maximum(n.sum(axis=0) - groups_seen, 1)
    own = noise / np.maximum(n, 1)
    spread = np.where(seen, effect**2, 0.0).sum(axis=0) / np.maximum(groups_seen - 1, 1)
    tau2 = np.maximum(spread - np.where(seen, own, 0.0).sum(axis=0) / groups_seen, 0.0)
    return np.where(seen & (tau2 > 0), effect * tau2 / np.maximum(tau2 + own, 1e-300), 0.0)


def _sums(values: Floats, groups: Groups, count: int) -> Floats:
    # By sorting: a product with a matrix of ones wakes all processors for a few thousand additions.
    order = np.argsort(groups, kind="stable")
    present, first = np.unique(groups[order], return_index=True)
    found = np.zeros((count, values.shape[1]))
    if len(present):
        found[present] = np.add.reduceat(values[order], first, axis=0)
    return found


def mark_effect(values: Floats, marked: NDArray[np.bool_]) -> Floats:
    """How much the marked windows lie above the others, shape (J,): the difference d times 1 -
    sigma^2/(n d^2), at least 0.

    For marks that are rare, such as the last day of a month: their effect is known from few
    windows.
    """
    own, others = values[marked], values[~marked]
    n = np.isfinite(own).sum(axis=0)
    difference = np.where(n >= AT_LEAST, nan_mean(own) - nan_mean(others), 0.0)
    noise = nan_variance(others) / np.maximum(n, 1)
    kept = np.maximum(0.0, 1 - noise / np.maximum(difference**2, 1e-300))
    return np.where(np.isfinite(difference), difference * kept, 0.0)


def nan_mean(values: Floats) -> Floats:
    """The mean of each stream, shape (J,); 0 where there is no value."""
    known = np.isfinite(values)
    total: Floats = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return total


def nan_variance(values: Floats) -> Floats:
    """The variance of each stream (ddof 1), shape (J,); 0 with fewer than two values."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    rest = np.where(known, values - nan_mean(values), 0.0)
    with np.errstate(over="ignore"):
        found: Floats = (rest**2).sum(axis=0) / np.maximum(count - 1, 1)
    return np.where((count > 1) & np.isfinite(found), found, 0.0)
