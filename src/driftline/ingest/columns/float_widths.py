"""Numbers of 32 bits with the digits that were meant: 0.1, not 0.10000000149011612.

Writers of JSON and CSV widen such floats to 64 bits, and pandas rounds them to 10 decimals then.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

SAMPLE = 256
"""Values by which a column of 64 bits is judged."""
DECIMALS = 10
"""Decimals of `DataFrame.to_json`."""


def to_doubles(array: pa.Array) -> pa.Array:
    """Return floats of 64 bits, shape (n,).

    Floats of 16 and 32 bits get their shortest digits, and so do those of a column of 64 bits that
    only has widened ones. Whole numbers stay as they are.
    """
    if pa.types.is_float16(array.type):
        halves = array.to_numpy(zero_copy_only=False)
        return pa.array([float(str(half)) for half in halves], pa.float64(), mask=_nulls(array))
    if pa.types.is_float32(array.type):
        return _shortest(array, array.cast(pa.float64()))
    values = array.to_numpy(zero_copy_only=False)
    sample = values[:: max(1, len(values) // SAMPLE)]
    fractions = sample[np.isfinite(sample) & (sample != np.rint(sample))]
    if not len(fractions) or not _is_widened(fractions).all():
        return array
    widened = pa.array(_is_widened(values))
    with np.errstate(over="ignore"):
        narrow = pa.array(values.astype(np.float32), mask=_nulls(array))
    return pc.if_else(widened, _shortest(narrow, array), array)


def _shortest(narrow: pa.Array, wide: pa.Array) -> pa.Array:
    """Return the shortest digits of floats of 32 bits; `wide` are the same values in 64 bits."""
    is_whole = pc.equal(wide, pc.round(wide))
    return pc.if_else(is_whole, wide, narrow.cast(pa.string()).cast(pa.float64()))


def _is_widened(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each value is a float of 32 bits, or one rounded to 10 decimals; shape (n,)."""
    scale = 10.0**DECIMALS
    with np.errstate(all="ignore"):
        wide = values.astype(np.float32).astype(np.float64)
        decimals = np.rint(values * scale)
        is_rounded = (decimals / scale == values) & (np.rint(wide * scale) == decimals)
        return np.asarray((wide == values) | is_rounded, bool)


def _nulls(array: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)
