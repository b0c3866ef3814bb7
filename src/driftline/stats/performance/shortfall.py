"""What a change has cost: how much less rows are worth than they usually are, summed over them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from driftline.stats.basics.estimate import Z95, Estimate


def total_shortfall(
    rows: NDArray[np.float64],
    values: NDArray[np.float64],
    errors: NDArray[np.float64],
    usual: NDArray[np.float64],
    usual_errors: NDArray[np.float64],
) -> Estimate:
    """The sum over windows of rows times (usual - value), with a 95% interval; a gain is negative.

    All arrays have the shape (windows,): the rows of each window, the mean worth of a row and its
    standard error, and the mean worth of a row of the reference and its standard error. An error
    that is not known is NaN: the window then has the spread of the other windows, pooled by their
    rows. Windows are independent of each other; they share the error of the reference.
    """
    total = int(rows.sum())
    if not total:
        return Estimate(None, reason="no row has a worth")
    cost = float(np.sum(rows * (usual - values)))
    known = np.isfinite(errors)
    row_variance = np.where(known, rows * errors**2, 0.0)
    if not known.all():
        if not known.any():
            return Estimate(cost, n=total)
        row_variance[~known] = np.average(row_variance[known], weights=rows[known])
    own = float(np.sum(rows * row_variance))
    shared = float(np.sum(rows * np.nan_to_num(usual_errors)))
    error = math.sqrt(own + shared**2)
    return Estimate(cost, error, (cost - Z95 * error, cost + Z95 * error), total)
