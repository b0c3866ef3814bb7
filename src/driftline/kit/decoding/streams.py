"""Reads streams in ways that several formats need."""

from __future__ import annotations

import codecs
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from driftline.types.errors import DriftlineError

BLOCK = 1 << 20
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and their encodings, the longer ones first."""


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
    """A stream whose first bytes, `head`, were read before, and the error after them, if any."""

    def __init__(self, head: bytes, stream: BinaryIO, error: Exception | None = None) -> None:
        self._head, self._stream, self._error = head, stream, error

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the head first, then what follows it."""
        if self._head:
            end = len(self._head) if size < 0 else size
            piece, self._head = self._head[:end], self._head[end:]
            return piece
        if self._error is not None:
            raise self._error
        return self._stream.read(size)


def peek(stream: BinaryIO, size: int) -> tuple[bytes, BinaryIO]:
    """Return the first `size` bytes of a stream, fewer where it ends before, and the whole stream.

    An error after some bytes is raised where these were read.
    """
    head = b""
    try:
        while len(head) < size and (part := stream.read(size - len(head))):
            head += part
    except (DriftlineError, UnicodeError) as error:
        if not head:
            raise
        return head, PeekedStream(head, stream, error)
    return head, PeekedStream(head, stream)


def open_utf8(stream: BinaryIO, encoding: str = "utf-8") -> tuple[BinaryIO, bool]:
    """Return the text of a stream as UTF-8, and whether its bytes are those of the stream.

    Where `encoding` is UTF-8 or ASCII, a stream that starts with the byte order mark of UTF-16 or
    UTF-32 is read as such. Reading the result raises UnicodeError where bytes do not fit the
    encoding.
    """
    if encoding in ("utf-8", "utf-8-sig", "ascii"):
        head = b""
        while len(head) < 4 and (part := stream.read(4 - len(head))):
            head += part
        stream = PeekedStream(head, stream)
        encoding = next((name for mark, name in MARKS if head.startswith(mark)), "")
        if not encoding:
            return stream, True
    return cast(BinaryIO, codecs.EncodedFile(stream, "utf-8", encoding)), False


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
