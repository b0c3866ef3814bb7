"""Categories that come and categories that go: what chance makes of either, and what is left beyond
that.

Refuses names: which categories these are is for the caller to tell.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.proportion import clopper_pearson, wilson
from driftline.stats.distributions.shift import Shift


def news_shift(new: int, rows: int, reference_rows: int, once: int = 0) -> Shift:
    """Share of rows in categories that the reference lacks, beyond what it lets expect, with its
    exact interval.

    A reference of M rows in which `once` categories stand once lets expect a share of once/M of
    unseen ones (Good 1953), give or take 3 sqrt(once)/M: a long tail always brings names that were
    never seen. Without such categories it only says that the share is below 3/M (rule of three):
    the interval reaches down to 0 unless its lower end is above that. `raw` is the whole share.
    """
    interval = clopper_pearson(new, rows)
    if interval is None or reference_rows <= 0:
        return Shift(None)
    low, high = interval
    tail, wide = once / reference_rows, 3 * math.sqrt(once) / reference_rows
    proven = low - tail - wide if low > tail + wide + 3 / reference_rows else 0.0
    return Shift(max(0.0, new / rows - tail), (proven, max(proven, high - tail)), None, new / rows)


def gone_shift(ref: ArrayLike, cur: ArrayLike, reference_rows: int, rows: int) -> Shift:
    """The reference's share in categories that the window lacks, beyond what so few rows let
    expect.

    `ref` and `cur` count the categories that the reference knows by name, shape (C,). All a rows of
    a category lie in the reference by chance (n/(n+m))^a at most, were both sides one law. The
    lower end of the interval counts only categories so large that no category of such size would be
    gone by chance in 97.5% of windows. `raw` is the whole share.
    """
    if reference_rows <= 0 or rows <= 0:
        return Shift(None)
    known, seen = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    order = np.argsort(-known, kind="stable")
    known, gone = known[order], (seen[order] == 0) & (known[order] > 0)
    chance = np.exp(known * math.log(reference_rows / (reference_rows + rows)))
    lost, sure = float(known[gone].sum()), float(known[gone & (np.cumsum(chance) <= 0.025)].sum())
    low = (wilson(sure, reference_rows) or (0.0, 0.0))[0] if sure else 0.0
    high = (wilson(lost, reference_rows) or (0.0, 1.0))[1]
    expected = float(np.sum(known * chance)) / reference_rows
    return Shift(
        max(low, lost / reference_rows - expected), (low, high), None, lost / reference_rows
    )
