"""Change of feature importances between two lists of mean |attribution| per feature.

`ref` and `live` have shape (F,), feature for feature, each 0 or more and finite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.sample import midranks
from driftline.types.arrays import Floats


def ndcg(ref: ArrayLike, live: ArrayLike) -> float | None:
    """How well the live order ranks the reference's importances, in (0, 1]: 1 for the same order.

    Sum of ref/log2(place + 1) in the live order, over the same in the reference's own (Järvelin and
    Kekäläinen 2002). Features that are equally important now share their places. None when the
    reference has no importance at all.
    """
    before, after = np.asarray(ref, dtype=np.float64), np.asarray(live, dtype=np.float64)
    largest = float(before.max(initial=0.0))
    if largest <= 0:
        return None
    gains = before / largest
    ideal = float(np.sum(np.sort(gains)[::-1] * _discounts(len(gains))))
    _, group, sizes = np.unique(-after, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    discounts = np.add.reduceat(_discounts(len(gains)), ends - sizes) / sizes
    return float(np.sum(gains * discounts[group])) / ideal


def spearman(ref: ArrayLike, live: ArrayLike) -> float | None:
    """Rank correlation, with midranks for ties, in [-1, 1].

    None below two features, or when all values of a side are equal.
    """
    ranks = [midranks(np.asarray(side, dtype=np.float64)) for side in (ref, live)]
    x, y = (side - side.mean() if len(side) else side for side in ranks)
    scale = float(np.sqrt(np.sum(x**2) * np.sum(y**2)))
    return min(1.0, max(-1.0, float(np.sum(x * y)) / scale)) if scale > 0 else None


def mass_moved(ref: ArrayLike, live: ArrayLike) -> float | None:
    """Half the sum of |share of all importance before - now|, in [0, 1].

    None when a side has no importance at all.
    """
    before, after = np.asarray(ref, dtype=np.float64), np.asarray(live, dtype=np.float64)
    if not before.max(initial=0.0) > 0 or not after.max(initial=0.0) > 0:
        return None
    before, after = before / before.max(), after / after.max()
    return float(np.sum(np.abs(before / before.sum() - after / after.sum()))) / 2


def _discounts(count: int) -> Floats:
    return 1 / np.log2(np.arange(2, count + 2))
