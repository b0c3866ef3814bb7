"""New and vanished categories: the share that chance explains, and the share beyond it.

Works on counts: the caller knows the names of the categories.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.proportion import clopper_pearson, wilson
from driftline.stats.distributions.shift import Shift


def news_shift(new: int, rows: int, reference_rows: int, once: int = 0) -> Shift:
    """Share of rows in categories that the reference does not have, minus the expected share.

    A reference of M rows in which `once` categories appear once leads to an expected share of
    once/M of unseen ones (Good 1953), plus or minus 3 sqrt(once)/M: a long tail always brings new
    names. Without such categories the reference only shows that the share is below 3/M (rule of
    three). The interval is exact, and reaches down to 0 unless its lower end is above that. `raw`
    is the whole share.
    """
    interval = clopper_pearson(new, rows)
    if interval is None or reference_rows <= 0:
        return Shift(None)
    low, high = interval
    tail, wide = once / reference_rows, 3 * math.sqrt(once) / reference_rows
    proven = low - tail - wide if low > tail + wide + 3 / reference_rows else 0.0
    return Shift(max(0.0, new / rows - tail), (proven, max(proven, high - tail)), None, new / rows)


def gone_shift(ref: ArrayLike, cur: ArrayLike, reference_rows: int, rows: int) -> Shift:
    """Share of the reference in categories that the window does not have, minus the expected share.

    `ref` and `cur` count the categories that the reference knows by name, shape (C,). If both sides
    had one distribution, all `a` rows of a category would lie in the reference with a probability
    of at most (n/(n+m))^a. The lower end of the interval counts only categories so large that in
    97.5% of windows no category of their size would vanish by chance. `raw` is the whole share.
    """
    if reference_rows <= 0 or rows <= 0:
        return Shift(None)
    before, after = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    order = np.argsort(-before, kind="stable")
    before, vanished_mask = before[order], (after[order] == 0) & (before[order] > 0)
    chance = np.exp(before * math.log(reference_rows / (reference_rows + rows)))
    vanished_rows, significant_rows = (
        float(before[vanished_mask].sum()),
        float(before[vanished_mask & (np.cumsum(chance) <= 0.025)].sum()),
    )
    low = (wilson(significant_rows, reference_rows) or (0.0, 0.0))[0] if significant_rows else 0.0
    high = (wilson(vanished_rows, reference_rows) or (0.0, 1.0))[1]
    expected = float(np.sum(before * chance)) / reference_rows
    return Shift(
        max(low, vanished_rows / reference_rows - expected),
        (low, high),
        None,
        vanished_rows / reference_rows,
    )
