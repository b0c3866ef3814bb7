"""Remembers the end of a stream without its line end: a record that may still be written.

Keeps at most 1 MiB; a longer end is not held to be unfinished.
"""

from __future__ import annotations

from typing import BinaryIO

from driftline.ingest.read.compression import PlainStream

LIMIT = 1 << 20
SAMPLE = 1000
"""Bytes that a sample of a long record has at least."""


class TailStream(PlainStream):
    """A stream that knows the bytes after its last line end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._tail = b""
        self._has_ended = False

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes of the stream."""
        data = self._stream.read(-1 if size is None else size)
        self._has_ended = not data and size != 0
        line_end = data.rfind(b"\n") + 1
        self._tail = ((b"" if line_end else self._tail) + data[line_end:])[: LIMIT + 1]
        return data

    @property
    def tail(self) -> bytes:
        """The bytes after the last line end; empty before the stream has ended."""
        return self._tail if self._has_ended and len(self._tail) <= LIMIT else b""

    def ends_with(self, record: bytes) -> bool:
        """Return whether the stream ends with `record`; of a long one the start is compared."""
        tail, start = self.tail.strip(), record.strip()
        if len(record) < SAMPLE:
            return tail != b"" and tail == start
        return tail.startswith(start)
