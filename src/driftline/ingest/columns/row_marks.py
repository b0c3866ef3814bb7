"""Recognises columns that name rows instead of describing them: counters, codes and times.

Looks at a few records only; what it finds is a guess for a person to check.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.arrays import Floats

LEAST_ROWS = 20
"""Values below which nothing is recognised."""
EPOCH_START, EPOCH_END = 946_684_800.0, 2_208_988_800.0
"""2000-01-01 and 2040-01-01 in seconds since 1970."""
COMPACT_START, COMPACT_END = 20_000_101_000_000.0, 20_400_101_000_000.0
"""The same times as 14 digits."""
EPOCH_UNITS = (1.0, 1e3, 1e6, 1e9)
"""Seconds, milliseconds, microseconds, nanoseconds."""


INDEX_ROWS = 50
"""Rows from which numbers in another order are recognised as an index."""
RISING = 0.99
"""The correlation of ranks with the order of rows, of a counter whose rows are a bit mixed."""
CODE = (
    r"^(?:[{]?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}[}]?"
    r"|[0-9a-fA-F]{16}|[0-9a-fA-F]{24}|[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}"
    r"|[0-9A-HJKMNP-TV-Z]{26})$"
)
"""UUID, digests in hexadecimal digits, ULID."""


def is_counter(values: Floats) -> bool:
    """Whether whole numbers count their rows, shape (n,): they rise or fall from row to row.

    A few rows may be in another order; then, and for an index in any order, all values must be
    different.
    """
    if len(values) < LEAST_ROWS or not np.all(np.isfinite(values)):
        return False
    if np.any(np.floor(values) != values):
        return False
    steps = np.diff(values)
    distinct = len(np.unique(values))
    if np.all(steps >= 0) or np.all(steps <= 0):
        return distinct >= max(LEAST_ROWS, len(values) // 10)
    if distinct < len(values) or len(values) < INDEX_ROWS:
        return False
    ranks = np.empty(len(values))
    ranks[np.argsort(values)] = np.arange(len(values))
    order = abs(float(np.corrcoef(ranks, np.arange(len(values)))[0, 1]))
    return order >= RISING or float(np.ptp(values)) < 2 * len(values)


def is_code(array: pa.Array) -> bool:
    """Whether all values are different codes, such as UUIDs or digests."""
    if not is_text_type(array.type):
        return False
    values = array.drop_null()
    return bool(
        len(values) > 1
        and pc.count_distinct(values).as_py() == len(values)
        and pc.all(pc.match_substring_regex(values, CODE)).as_py()
    )


def is_epoch(values: Floats, *, is_named: bool = False) -> bool:
    """Whether all values, shape (n,), are times from 2000 to 2040, since 1970 or as 14 digits.

    `is_named` says that the column is called like a time; without that, there must be some rows,
    and fewer than half of them may be equal to another one.
    """
    if not len(values) or not np.all(np.isfinite(values)):
        return False
    if not is_named and (len(values) < LEAST_ROWS or 2 * len(np.unique(values)) < len(values)):
        return False
    low, high = float(np.min(values)), float(np.max(values))
    if low >= COMPACT_START and high <= COMPACT_END:
        months, days = values // 10**8 % 100, values // 10**6 % 100
        is_date = (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)
        return bool(np.all(is_date & (values % 10**6 < 240_000)))
    return any(EPOCH_START * unit <= low and high <= EPOCH_END * unit for unit in EPOCH_UNITS)
