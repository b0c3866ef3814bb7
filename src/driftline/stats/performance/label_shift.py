"""How often each class occurs now, from predictions alone: BBSE (Lipton, Wang and Smola 2018).

It holds if the inputs of each class are what they were: then the predictions change only because
the classes occur more or less often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats

MOST_CONDITION = 20.0
"""Condition number of the confusion table above which predictions say too little about classes."""


class LabelShift(NamedTuple):
    """How many times more often each class occurs, and its share now; or the reason for none."""

    weights: Floats | None
    """Shape (K,)."""
    prior: Floats | None
    """Shape (K,), sum 1."""
    condition: float
    reason: str = ""


def label_shift(joint: ArrayLike, labels: ArrayLike, predictions: ArrayLike) -> LabelShift:
    """Solve `joint` @ weights = `predictions` for the weights of the classes.

    Args:
        joint: Share of reference rows by predicted class and label, shape (K, K), rows predictions.
        labels: Share of each label in the reference, shape (K,).
        predictions: Share of each predicted class now, shape (K,).

    Returns:
        The weights and the shares; negative weights are 0. None where the table is too near to one
        that can't be inverted.
    """
    c, q, mu = (np.asarray(values, np.float64) for values in (joint, labels, predictions))
    condition = float(np.linalg.cond(c)) if np.isfinite(c).all() and c.size else np.inf
    if not condition <= MOST_CONDITION:
        return LabelShift(None, None, condition, "the predictions hardly tell the classes apart")
    weights = np.maximum(np.linalg.solve(c, mu), 0.0)
    prior = weights * q
    total = float(prior.sum())
    if not total > 0:
        return LabelShift(None, None, condition, "no class is left")
    return LabelShift(weights, prior / total, condition)
