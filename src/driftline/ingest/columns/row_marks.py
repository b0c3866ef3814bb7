"""Recognises columns that name rows instead of describing them: rising ids and times as numbers.

Looks at a few records only; what it finds is a guess for a person to check.
"""

from __future__ import annotations

import numpy as np

from driftline.types.arrays import Floats

LEAST_ROWS = 20
"""Values below which nothing is recognised."""
EPOCH_START, EPOCH_END = 946_684_800.0, 2_208_988_800.0
"""2000-01-01 and 2040-01-01 in seconds since 1970."""
EPOCH_UNITS = (1.0, 1e3, 1e6, 1e9)
"""Seconds, milliseconds, microseconds, nanoseconds."""


def is_rising_id(values: Floats) -> bool:
    """Whether all values are whole numbers and each is larger than the one before, shape (n,)."""
    return bool(
        len(values) >= LEAST_ROWS
        and np.all(np.isfinite(values))
        and np.all(np.floor(values) == values)
        and np.all(np.diff(values) > 0)
    )


def is_epoch(values: Floats) -> bool:
    """Whether all values, shape (n,), are times since 1970 from 2000 to 2040, in one unit.

    Fewer than half of them may be equal to another one.
    """
    if len(values) < LEAST_ROWS or 2 * len(np.unique(values)) < len(values):
        return False
    low, high = float(np.min(values)), float(np.max(values))
    return any(EPOCH_START * unit <= low and high <= EPOCH_END * unit for unit in EPOCH_UNITS)
