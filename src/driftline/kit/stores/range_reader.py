"""One version of an object of a store, read by ranges: seekable, and taken up where a connection
broke.

Refuses to know a store: who fetches a range, pins its version and says what an answer means is
handed in.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from driftline.types.errors import SourceError

PART = 8 << 20
"""Bytes asked for at a time."""
CUTS = 4
"""Connections that may break in a row without a byte between."""


class Body(Protocol):
    """The bytes of one answer."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end, be it the right one or not."""
        ...

    def close(self) -> object:
        """Let go of the connection."""
        ...


Fetch = Callable[[int, int], Body]
"""`fetch(start, end)` asks for the bytes `[start, end)` of the pinned version. An answer may end
early.
"""


def read_ranges(
    uri: str,
    fetch: Fetch,
    start: int,
    end: int,
    *,
    part: int = 0,
    breaks: tuple[type[Exception], ...] = (OSError,),
) -> BinaryIO:
    """The bytes `[start, end)` of `uri`, at most `part` of them in one request; nothing is fetched
    before it is read.

    `breaks` are the exceptions of a connection that broke; all others, such as `ObjectChanged`, are
    the reader's. Reading raises SourceError when connections keep breaking without a byte between.
    """
    return cast(
        BinaryIO, io.BufferedReader(_Ranges(uri, fetch, start, end, part or PART, breaks), 1 << 20)
    )


class _Ranges(io.RawIOBase):
    def __init__(
        self,
        uri: str,
        fetch: Fetch,
        start: int,
        end: int,
        part: int,
        breaks: tuple[type[Exception], ...],
    ) -> None:
        self._uri, self._fetch, self._part, self._breaks = uri, fetch, part, breaks
        self._start, self._at, self._end = start, start, max(end, start)
        self._body: Body | None = None
        self._part_end = 0
        self._cuts = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        wanted = min(len(view), self._end - self._at)
        while wanted > 0:
            try:
                if self._body is None:
                    # After a cut less is asked for: where whole parts never come through, smaller
                    # ones may.
                    self._part_end = min(self._at + max(self._part >> self._cuts, 1), self._end)
                    self._body = self._fetch(self._at, self._part_end)
                data = self._body.read(min(wanted, self._part_end - self._at))
                broken = "" if data else "the connection ended early"
            except self._breaks as error:
                data, broken = b"", f"{type(error).__name__}: {error}"
            if data:
                view[: len(data)] = data
                self._at += len(data)
                self._cuts = 0
                if self._at >= self._part_end:
                    self._drop()
                return len(data)
            self._drop()
            self._cuts += 1
            if self._cuts > CUTS:
                raise SourceError(f"{self._uri}: the connection broke {self._cuts} times: {broken}")
        return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self._start, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        at = max(base + offset, self._start)
        if at != self._at:
            self._drop()
            self._at = at
        return at - self._start

    def tell(self) -> int:
        return self._at - self._start

    def close(self) -> None:
        self._drop()
        super().close()

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()
