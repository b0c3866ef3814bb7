"""Clarify's counterfactual flip test (FT): would a neighbour of another group be decided alike?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from driftline.stats.basics.estimate import Z95, Estimate
from driftline.types.arrays import Floats


def flip_test(
    group: Floats,
    group_accepted: NDArray[np.bool_],
    others: Floats,
    others_accepted: NDArray[np.bool_],
    neighbours: int = 5,
) -> Estimate:
    """FT: members of the group who would gain by a flip, less those who would lose, as a share.

    `group` and `others` have shape (n, F) and (m, F), in comparable units and without NaN. The
    neighbours of a member are the nearest rows of the others; the member's decision flips where
    most of them were decided differently. A member who was rejected and whose neighbours were
    accepted counts +1, the opposite -1. The interval is that of a mean, 95%. It has no value where
    the others have fewer rows than `neighbours`, or the group has none.

    Source: Amazon SageMaker Developer Guide, "Counterfactual Fliptest (FT)".
    """
    if not len(group) or len(others) < neighbours:
        return Estimate(None, reason=f"needs a row of the group and {neighbours} of the others")
    from scipy.spatial import cKDTree

    _, places = cKDTree(others).query(group, k=neighbours)
    share = others_accepted[np.asarray(places).reshape(len(group), -1)].mean(axis=1)
    flips = np.where(share > 0.5, 1.0, 0.0) - group_accepted
    # With an even number of neighbours half of them are no majority: nothing flips.
    flips[share == 0.5] = 0.0
    value, n = float(flips.mean()), len(flips)
    if n < 2:
        return Estimate(value, n=n)
    room = Z95 * float(flips.std(ddof=1)) / math.sqrt(n)
    return Estimate(value, interval=(max(-1.0, value - room), min(1.0, value + room)), n=n)
