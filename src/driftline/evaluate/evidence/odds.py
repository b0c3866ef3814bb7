"""Shares on the scale on which their changes are compared: the logarithm of their odds.

5% to 7% is a larger change there than 50% to 52%. Half a point is added to both sides of the odds:
0.01% to 0.05% is a change of 8% then, and 0% to 0.5% one of 100%.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats

ADDED_SHARE = 0.005
"""Share that is added to both sides of the odds."""


def log_odds(share: ArrayLike) -> Floats:
    """The logarithm of (share + 0.005) / (1 - share + 0.005); of the shape of `share`."""
    inside = np.clip(np.asarray(share, np.float64), 0.0, 1.0)
    size: Floats = np.log((inside + ADDED_SHARE) / (1 - inside + ADDED_SHARE))
    return size


def log_odds_of(share: float) -> float:
    """The `log_odds` of one share, without the cost of an array."""
    inside = min(max(share, 0.0), 1.0)
    return math.log((inside + ADDED_SHARE) / (1 - inside + ADDED_SHARE))


def share_of(size: ArrayLike) -> Floats:
    """The inverse of `log_odds`, from 0 to 1."""
    bounded = np.minimum(np.maximum(np.asarray(size, np.float64), -50.0), 50.0)
    odds = np.exp(bounded)
    share: Floats = (odds * (1 + ADDED_SHARE) - ADDED_SHARE) / (1 + odds)
    return np.minimum(np.maximum(share, 0.0), 1.0)


def share_of_one(size: float) -> float:
    """The `share_of` one size, without the cost of an array."""
    odds = math.exp(min(max(size, -50.0), 50.0))
    return min(max((odds * (1 + ADDED_SHARE) - ADDED_SHARE) / (1 + odds), 0.0), 1.0)
