"""The change of an overall rate, split by segment: change of size, and change within.

A split shows where the change is, not its cause.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats


class Decomposition(NamedTuple):
    """A change of sum(weight * value) in two parts, segment by segment; both have shape (S,)."""

    mix: Floats
    """Effect of each segment's change of size, relative to the overall value.

    A segment with the average value has no effect.
    """
    within: Floats
    """What each segment's change of value did."""

    @property
    def total(self) -> float:
        """The whole change."""
        return float(self.mix.sum() + self.within.sum())


def decompose(
    weights_ref: ArrayLike, weights_now: ArrayLike, values_ref: ArrayLike, values_now: ArrayLike
) -> Decomposition:
    """Split the change of an overall value over segments, symmetric in time (Kitagawa 1955).

    Weights are shares that sum to 1; values are the metric or rate of each segment; all of shape
    (S,).
    """
    before, after, value_before, value_after = (
        np.asarray(side, dtype=np.float64)
        for side in (weights_ref, weights_now, values_ref, values_now)
    )
    overall = (float(before @ value_before) + float(after @ value_after)) / 2
    return Decomposition(
        (after - before) * ((value_before + value_after) / 2 - overall),
        (value_after - value_before) * (before + after) / 2,
    )
