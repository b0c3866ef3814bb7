"""Repeats a request while a store is busy or a connection fails, for at most 30 seconds.

After that the caller gets the error, and the next tick of the agent tries again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from driftline.types.errors import SourceBusy

T = TypeVar("T")

ATTEMPTS = 4
MAX_PAUSES = 30.0
"""Seconds of all pauses together."""


def retry_while_busy(send: Callable[[], T], sleep: Callable[[float], object] = time.sleep) -> T:
    """Return the result of `send()`; on SourceBusy, pause and call it again.

    The pause is the one that the error names, or 0.5, 1, 2 s. Raises what `send` raises; raises
    SourceBusy after four attempts, or when the pauses would add up to more than 30 s.
    """
    remaining = MAX_PAUSES
    for failures in count():
        try:
            return send()
        except SourceBusy as error:
            pause = 0.5 * 2**failures if error.pause is None else error.pause
            remaining -= pause
            if failures + 1 >= ATTEMPTS or remaining < 0:
                raise
        sleep(pause)
    raise AssertionError


def parse_retry_after(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header; None without a header or for a date in it.

    No object store sends dates.
    """
    try:
        return max(float(header or ""), 0.0)
    except ValueError:
        return None
