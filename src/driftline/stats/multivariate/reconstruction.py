"""How well the components of a reference describe the rows of a window.

Rows have shape (n, d), standardised, in random order. No row is judged by components that were
fitted on it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Estimate, log_interval
from driftline.stats.multivariate.components import principal_components
from driftline.types.arrays import Floats

FOLDS = 5
LEAST = 2 * FOLDS
"""Rows of the reference, two for a fold."""
ROUNDING = 0.01
"""Standard deviations below which an error counts as none.

So columns that determine each other have a ratio, too.
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
    """Reconstruction errors of both sides.

    The components of a row are fitted on the four fifths of `ref` that exclude its place. They keep
    `share` of the variance, but are fewer than the columns: otherwise there is no error. Since each
    place has its own components, equal samples have equal errors. None below ten rows of `ref`, one
    row of `cur` or two columns, and where nothing varies.
    """
    x, y = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    if len(x) < LEAST or not len(y) or x.shape[1] < 2:
        return None
    errors: tuple[list[Floats], list[Floats]] = ([], [])
    squares, count, places = np.zeros((2, x.shape[1])), 0, np.arange(len(x)) % FOLDS
    for fold in range(FOLDS):
        training_rows = x[places != fold]
        components = principal_components(training_rows, share)
        if components is not None and len(components.axes) == x.shape[1]:
            components = principal_components(training_rows, count=x.shape[1] - 1)
        if components is None:
            return None
        count = max(count, len(components.axes))
        for side, rows in enumerate((x[fold::FOLDS], y[fold::FOLDS])):
            left = components.residuals(rows) ** 2
            squares[side] += left.sum(axis=0)
            errors[side].append(np.maximum(np.sqrt(left.sum(axis=1)), ROUNDING))
    before, after = (_mean(np.concatenate(side)) for side in errors)
    return Reconstruction(before, after, squares[1] / len(y) - squares[0] / len(x), count)


def _mean(errors: Floats) -> Estimate:
    n, value = len(errors), float(np.mean(errors))
    se = float(np.std(errors, ddof=1)) / math.sqrt(n) if n > 1 else value
    return Estimate(value, se, log_interval(value, se), n)
