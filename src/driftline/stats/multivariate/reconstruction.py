"""How well the components of a reference still describe the rows of a window.

Rows have shape (n, d), standardised, in random order. Refuses to judge a row by components that it
had a part in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Estimate, log_interval
from driftline.stats.basics.sample import Floats
from driftline.stats.multivariate.components import principal_components

FOLDS = 5
LEAST = 2 * FOLDS
"""Rows of the reference, two for a fold."""
ROUNDING = 0.01
"""Standard deviations; an error below it is as good as none, so that columns which determine each
other have a ratio too.
"""


class Reconstruction(NamedTuple):
    """Mean errors of both sides, in standard deviations of the reference."""

    was: Estimate
    now: Estimate
    growth: Floats
    """How much each column's mean squared error has grown, shape (d,)."""
    components: int
    """How many were kept, at most."""


def reconstruction(ref: ArrayLike, cur: ArrayLike, share: float = 0.8) -> Reconstruction | None:
    """Errors of both sides, each row's by components of the four fifths of `ref` that do not hold
    its place.

    They keep `share` of the variance, but are fewer than the columns: else there would be no error.
    As each place has its own components, equal samples have equal errors. None below ten rows of
    `ref`, one of `cur` or two columns, and where nothing varies.
    """
    x, y = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    if len(x) < LEAST or not len(y) or x.shape[1] < 2:
        return None
    errors: tuple[list[Floats], list[Floats]] = ([], [])
    squares, kept, places = np.zeros((2, x.shape[1])), 0, np.arange(len(x)) % FOLDS
    for fold in range(FOLDS):
        fitted = x[places != fold]
        found = principal_components(fitted, share)
        if found is not None and len(found.axes) == x.shape[1]:
            found = principal_components(fitted, count=x.shape[1] - 1)
        if found is None:
            return None
        kept = max(kept, len(found.axes))
        for side, rows in enumerate((x[fold::FOLDS], y[fold::FOLDS])):
            left = found.residuals(rows) ** 2
            squares[side] += left.sum(axis=0)
            errors[side].append(np.maximum(np.sqrt(left.sum(axis=1)), ROUNDING))
    was, now = (_mean(np.concatenate(side)) for side in errors)
    return Reconstruction(was, now, squares[1] / len(y) - squares[0] / len(x), kept)


def _mean(errors: Floats) -> Estimate:
    n, value = len(errors), float(np.mean(errors))
    se = float(np.std(errors, ddof=1)) / math.sqrt(n) if n > 1 else value
    return Estimate(value, se, log_interval(value, se), n)
