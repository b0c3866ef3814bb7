"""Bounds of a log: a stream that never fails and never floods, and exceptions that don't repeat."""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, TextIO

SPAN = 60.0
"""Seconds for which repeats and characters are counted."""
MOST_CHARACTERS = 1_000_000
"""Characters that are written within `SPAN`."""
MOST_KINDS = 1000
"""Kinds of exceptions that are remembered."""


class LogStream:
    """Writes to a stream as long as that works: a reader that went away must not end a loop."""

    def __init__(
        self,
        out: TextIO,
        clock: Callable[[], float],
        scrub: Callable[[str], str] = lambda text: text,
    ) -> None:
        """`clock` returns seconds, in a time that never goes back.

        `scrub` takes secrets out of a line.
        """
        self._out, self._clock, self._scrub = out, clock, scrub
        self._start, self._written, self._omitted = clock(), 0, 0

    def write(self, text: str) -> int:
        """Write a line; leave it out when the stream fails or has enough for this minute."""
        now, length = self._clock(), len(text)
        text = self._scrub(text)
        if now - self._start >= SPAN:
            if self._omitted:
                self._try_write(f"{self._omitted} characters of the log were left out\n")
            self._start, self._written, self._omitted = now, 0, 0
        if self._written + len(text) > MOST_CHARACTERS:
            self._omitted += len(text)
        else:
            self._written += len(text)
            self._try_write(text)
        return length

    def flush(self) -> None:
        """Flush the stream, if it still works."""
        with suppress(OSError, ValueError):
            self._out.flush()

    def _try_write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: the stream is closed
            self._out.write(text)


class RepeatedExceptions:
    """A processor of structlog that passes an exception once a minute, with the number of others.

    Two are of one kind when the event, the model or part, and the type of the exception are alike.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` returns seconds, in a time that never goes back."""
        self._clock = clock
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}

    def __call__(
        self, logger: Any, name: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Return the event. Raises DropEvent for a repeat."""
        from structlog import DropEvent

        error = find_exception(event.get("exc_info"))
        if error is None:
            return event
        key = (event.get("event"), event.get("model"), event.get("part"), type(error))
        now = self._clock()
        start, count = self._seen.get(key, (now - SPAN, 0))
        if now - start < SPAN:
            self._seen[key] = start, count + 1
            raise DropEvent
        if len(self._seen) >= MOST_KINDS:
            self._seen.clear()
        self._seen[key] = now, 0
        return {**event, "repeated": count} if count else event


def find_exception(exc_info: object) -> BaseException | None:
    """Return the exception that `exc_info` of a log call names; None where it names none."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None
