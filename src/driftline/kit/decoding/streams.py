"""Reads streams in ways that several formats need."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

BLOCK = 1 << 20


def read_at_most(stream: BinaryIO, limit: int) -> bytes | None:
    """Return all bytes of a stream; None where it has more than `limit` bytes."""
    parts, size = [], 0
    while part := stream.read(BLOCK):
        parts.append(part)
        size += len(part)
        if size > limit:
            return None
    return b"".join(parts)


@contextmanager
def spool(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Copy a stream to a temporary file, for readers that must seek."""
    with tempfile.TemporaryFile(prefix="driftline-") as file:
        shutil.copyfileobj(stream, file, BLOCK)
        file.seek(0)
        yield cast(BinaryIO, file)


class PeekedStream(io.RawIOBase, BinaryIO):
    """A stream whose first bytes, `head`, were read before."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the head first, then what follows it."""
        if self._head:
            end = len(self._head) if size < 0 else size
            piece, self._head = self._head[:end], self._head[end:]
            return piece
        return self._stream.read(size)


def stream_of_lines(lines: Iterator[bytes]) -> BinaryIO:
    """Return the lines as one stream, for a source whose rows go through a format.

    No line is taken from `lines` before the stream is read.
    """
    return cast(BinaryIO, io.BufferedReader(_LineStream(lines), BLOCK))


class _LineStream(io.RawIOBase):
    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines, self._line = lines, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._line or next(self._lines, b"")
        size = min(len(data), len(buffer))
        buffer[:size], self._line = data[:size], data[size:]
        return size
