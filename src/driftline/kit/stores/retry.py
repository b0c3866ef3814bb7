"""Asking again: a store that is busy, or a connection that failed, is given a moment.

Refuses to wait long: whoever asked is told instead, and the next tick tries again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from driftline.types.errors import SourceBusy

T = TypeVar("T")

TRIES = 4
LONGEST = 30.0
"""Seconds of pauses in all."""


def patiently(ask: Callable[[], T], sleep: Callable[[float], object] = time.sleep) -> T:
    """What `ask()` gives. When it raises SourceBusy it is asked again, after the pause that it
    names or 0.5, 1, 2 s.

    Raises what `ask` raises; also SourceBusy, after four tries or when the pauses would come to
    more than 30 s.
    """
    left = LONGEST
    for tried in count():
        try:
            return ask()
        except SourceBusy as error:
            pause = 0.5 * 2**tried if error.pause is None else error.pause
            left -= pause
            if tried + 1 >= TRIES or left < 0:
                raise
        sleep(pause)
    raise AssertionError


def pause_of(retry_after: str | None) -> float | None:
    """The seconds of a `Retry-After` header; None without one, or with a date in it: no store sends
    dates.
    """
    try:
        return max(float(retry_after or ""), 0.0)
    except ValueError:
        return None
