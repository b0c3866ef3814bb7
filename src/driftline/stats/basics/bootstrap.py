"""The bootstrap: the interval of any number that is computed of rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from driftline.types.arrays import Ints

REPEATS = 300
"""Draws: the ends of a 95% interval are then known to a tenth of its width."""
LEAST_SHARE = 0.95
"""The share of draws that must have a value."""


def bootstrap_interval(
    measure: Callable[[Ints], float | None],
    rows: int,
    rng: np.random.Generator,
    repeats: int = REPEATS,
) -> tuple[float, float] | None:
    """The 95% percentile interval of `measure` over draws of `rows` rows with replacement.

    `measure` gets the places of the rows that were drawn, shape (rows,), and returns a finite
    number or None. The result is None with fewer than two rows, where more than 5% of the draws
    have no value, and where all draws have the same value: they then say nothing of the spread.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    if rows < 2:
        return None
    draws = (measure(rng.integers(0, rows, rows)) for _ in range(repeats))
    values = [value for value in draws if value is not None and math.isfinite(value)]
    if len(values) < LEAST_SHARE * repeats:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return (float(low), float(high)) if low < high else None
