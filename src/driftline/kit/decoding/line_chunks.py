"""Cuts a stream into chunks of whole lines, for formats with a record on a line.

Refuses to hold more than a cap, to know what a record is, and to lose whole lines that stand before
an error.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from driftline.types.errors import DriftlineError

SIZE = 8 << 20
CAP = 16 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some whole lines."""

    data: bytes
    """The lines with their ends; of a line that is too long only the beginning."""
    end: int
    """Offset in the stream of the first byte after it."""
    oversized: bool = False
    """Whether this is one line beyond the cap: to be rejected."""


def read_blocks(stream: BinaryIO, size: Callable[[], int]) -> Iterator[bytes]:
    """Blocks of `size()` bytes, the last one shorter, each next one read while the one before is
    worked on.

    What was read before an error of the stream is given first.
    """

    def fill() -> tuple[bytes, Exception | None, bool]:
        parts: list[bytes] = []
        left = size()
        try:
            while left > 0:
                part = stream.read(left)
                if not part:
                    return b"".join(parts), None, True
                parts.append(part)
                left -= len(part)
        except (DriftlineError, UnicodeError) as error:
            return b"".join(parts), error, True
        return parts[0] if len(parts) == 1 else b"".join(parts), None, False

    block, error, ended = fill()
    if not ended:
        with ThreadPoolExecutor(1, "driftline-read") as reader:
            while not ended:
                following = reader.submit(fill)
                yield block
                block, error, ended = following.result()
    if block:
        yield block
    if error is not None:
        raise error


class LineChunks:
    """Chunks of about `size` bytes that end after a newline; the last one may lack it when the
    stream is sealed.
    """

    def __init__(
        self,
        stream: BinaryIO,
        sealed: bool,
        *,
        size: int = SIZE,
        cap: int = CAP,
        between: bytes = b"",
    ) -> None:
        self._stream, self._sealed, self._cap = stream, sealed, cap
        self.size = min(size, cap)
        """Bytes of the next chunks; may be changed between chunks."""
        self._between = between
        """Two bytes between which a line beyond the cap may be cut too, such as `}{`."""

    def __iter__(self) -> Iterator[Chunk]:
        rest, end = b"", 0
        skipped, head = 0, b""
        for block in read_blocks(self._stream, lambda: self.size):
            first = block.find(b"\n")
            if not skipped and first >= 0 and len(rest) + first > self._cap:
                skipped, head, rest = len(rest), rest[:1000], b""
            if skipped:
                if first < 0:
                    skipped += len(block)
                    continue
                end += skipped + first + 1
                yield Chunk(head, end, oversized=True)
                skipped, block = 0, block[first + 1 :]
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                cut = (
                    rest.rfind(self._between) + 1 if self._between and len(rest) > self._cap else 0
                )
                if cut:
                    end += cut
                    yield Chunk(rest[:cut], end)
                    rest = rest[cut:]
                elif len(rest) > self._cap:
                    skipped, head, rest = len(rest), rest[:1000], b""
                continue
            data, rest = b"".join((rest, memoryview(block)[:cut])), block[cut:]
            end += len(data)
            yield Chunk(data, end)
        if self._sealed and (rest or skipped):
            yield Chunk(
                head if skipped else rest, end + (skipped or len(rest)), oversized=bool(skipped)
            )


def stream_of_lines(lines: Iterator[bytes]) -> BinaryIO:
    """Return the lines as one stream, for a source whose rows go through a format.

    No line is taken from `lines` before the stream is read.
    """
    return cast(BinaryIO, io.BufferedReader(_LineStream(lines), 1 << 20))


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
