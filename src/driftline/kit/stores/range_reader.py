"""Reads one version of a stored object by ranges; continues after a broken connection.

Does not know any store: the caller fetches a range, pins the version and translates the answers.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from driftline.kit.stores.faults import describe_connection
from driftline.kit.stores.short_uri import shorten_uri
from driftline.types.errors import SourceError

PART = 8 << 20
"""Bytes of one request."""
MAX_CUTS = 4
"""Connections that may break in a row without delivering a byte."""
MAX_SHORT_CUTS = 100
"""Connections of one stream that may break beyond one for each `BYTES_PER_CUT`."""
BYTES_PER_CUT = 16 << 10
SIZE_DIVISOR = 16
"""Divisor of the size of the next request, after a connection that broke."""


class RangeBody(Protocol):
    """The bytes of one answer."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end, also where the answer ends early."""
        ...

    def close(self) -> object:
        """Close the connection."""
        ...


Fetch = Callable[[int, int], RangeBody]
"""`fetch(start, end)` requests the bytes `[start, end)` of the pinned version.

The answer may end early.
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
    """Return the bytes `[start, end)` of `uri` as a stream that fetches `part` bytes at a time.

    Nothing is fetched before it is read. `breaks` are the exceptions of a broken connection: the
    stream fetches the remaining bytes again. All other exceptions, such as ObjectChanged, go to the
    reader. Reading raises SourceError when five connections in a row break without a byte, or when
    connections keep breaking after fewer than `BYTES_PER_CUT` bytes each.
    """
    ranges = _Ranges(uri, fetch, start=start, end=end, part=part or PART, breaks=breaks)
    return cast(BinaryIO, io.BufferedReader(ranges, 1 << 20))


class _Ranges(io.RawIOBase):
    def __init__(
        self,
        uri: str,
        fetch: Fetch,
        *,
        start: int,
        end: int,
        part: int,
        breaks: tuple[type[Exception], ...],
    ) -> None:
        self._uri, self._fetch, self._part, self._breaks = uri, fetch, part, breaks
        self._start, self._at, self._end = start, start, max(end, start)
        self._body: RangeBody | None = None
        self._part_end = 0
        self._cuts = self._all_cuts = 0
        self._size, self._bytes = part, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        size = min(len(view), self._end - self._at)
        while size > 0:
            try:
                if self._body is None:
                    # Request less after a cut: where whole parts never arrive, smaller ones may.
                    self._part_end = min(self._at + self._size, self._end)
                    self._body = self._fetch(self._at, self._part_end)
                data = self._body.read(min(size, self._part_end - self._at))
                failure = "" if data else "it ended early"
            except self._breaks as error:
                data, failure = b"", describe_connection(error)
            if data:
                view[: len(data)] = data
                self._at += len(data)
                self._bytes += len(data)
                self._cuts = 0
                if self._at >= self._part_end:
                    self._drop()
                    self._size = min(self._size * 2, self._part)
                return len(data)
            self._drop()
            self._cuts += 1
            self._all_cuts += 1
            self._size = max(self._size // SIZE_DIVISOR, 1)
            allowed = MAX_SHORT_CUTS + self._bytes // BYTES_PER_CUT
            if self._cuts > MAX_CUTS or self._all_cuts > allowed:
                raise SourceError(
                    f"{shorten_uri(self._uri)}: the connection broke {self._all_cuts} times: "
                    f"{failure}"
                )
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
