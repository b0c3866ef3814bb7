"""Quantiles of the size of errors, from counts on a grid whose cells grow with the size.

A cell reaches from one power of 2^(1/64) to the next, so a quantile is within 0.6% of exact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from driftline.stats.basics.estimate import Estimate, z_of
from driftline.types.arrays import Floats

PARTS = 64
"""Cells in which a size doubles."""
OFFSET = 1100 * PARTS
"""Added to the number of a cell so that it is not below 0."""
ZERO = -OFFSET
"""The cell of errors that are 0."""
Cells = NDArray[np.int64]


def cells_of(sizes: Floats) -> Cells:
    """The cell of each size, shape (n,); sizes are 0 or above, and finite."""
    with np.errstate(divide="ignore"):
        places = np.floor(np.log2(sizes) * PARTS)
    return np.where(sizes > 0, places, ZERO).astype(np.int64)


def error_quantile(cells: Cells, rows: Cells, largest: float, q: float) -> Estimate:
    """The quantile `q` of sizes: `rows` in `cells`, both of shape (k,), the cells rising.

    As numpy's, between two sizes of neighbouring ranks. The interval reaches between the ranks that
    hold it with 95% confidence (binomial law, approximated by the normal one).
    """
    n = int(rows.sum())
    if not n:
        return Estimate(None, reason="no labelled rows")
    ends = np.cumsum(rows)

    def size(rank: float) -> float:
        cell = int(cells[np.searchsorted(ends, rank, "right")])
        middle = 0.0 if cell == ZERO else 2 ** ((cell + 0.5) / PARTS)
        return min(middle, largest)

    def between(place: float) -> float:
        place = min(max(place, 0.0), n - 1.0)
        low = math.floor(place)
        return size(low) + (place - low) * (size(math.ceil(place)) - size(low))

    place, half = q * (n - 1), z_of(0.95) * math.sqrt(n * q * (1 - q))
    if n < 2:
        return Estimate(between(place), n=n)
    return Estimate(between(place), None, (between(place - half), between(place + half)), n)
