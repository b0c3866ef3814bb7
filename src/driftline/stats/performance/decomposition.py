"""Why an overall rate moved: because segments changed their size, or because they changed
themselves.

Refuses causes: segments explain only what they separate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.sample import Floats


class Decomposition(NamedTuple):
    """A change of sum(weight * value) in two parts, segment by segment; both have shape (S,)."""

    mix: Floats
    """What each segment's change of size did, against the overall value: a segment of average value
    changes nothing.
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
    """Split of the change of an overall value over segments, the same both ways round in time
    (Kitagawa 1955).

    Weights are shares, summing to 1; values are the segment's metric or rate; all of shape (S,).
    """
    before, after, was, now = (
        np.asarray(side, dtype=np.float64)
        for side in (weights_ref, weights_now, values_ref, values_now)
    )
    overall = (float(before @ was) + float(after @ now)) / 2
    return Decomposition(
        (after - before) * ((was + now) / 2 - overall), (now - was) * (before + after) / 2
    )
