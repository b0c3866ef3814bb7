"""Converts local times of a zone to UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from driftline.types.times import EPOCH

MINUTE = 60 * 10**6
LAST_MINUTE = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(minutes=1)
_MICROS = timedelta(microseconds=1)


def to_utc(local: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Convert local times to UTC, both microseconds since 1970, int64, shape (n,).

    `zone` is the IANA name of the zone, empty for UTC. A time that a clock shows twice, in autumn,
    is the first of the two. A time that it skips, in spring, is read with the offset before the
    change, so that 02:30 is 03:30. Python and Java read local times in the same way.
    """
    if not zone:
        return local
    minutes, rows = np.unique(np.clip(local // MINUTE, 0, LAST_MINUTE), return_inverse=True)
    clock = ZoneInfo(zone)
    offsets = [
        (EPOCH + timedelta(minutes=minute)).replace(tzinfo=clock).utcoffset() or timedelta()
        for minute in minutes.tolist()
    ]
    shifts = np.array([offset // _MICROS for offset in offsets], np.int64)
    return local - shifts[rows]
