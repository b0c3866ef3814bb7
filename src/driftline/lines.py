"""Cuts a stream into chunks of whole lines, for formats with a record on a line.

Refuses to hold more than a cap, to know what a record is, and to lose whole lines that stand before an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from driftline.errors import Unreadable

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


class LineChunks:
    """Chunks of about `size` bytes that end after a newline; the last one may lack it when the stream is sealed."""

    def __init__(self, stream: BinaryIO, sealed: bool, *, size: int = SIZE, cap: int = CAP, between: bytes = b"") -> None:
        self._stream, self._sealed, self._cap = stream, sealed, cap
        self.size = min(size, cap)
        """Bytes of the next chunks; may be changed between chunks."""
        self._between = between
        """Two bytes between which a line beyond the cap may be cut too, such as `}{`."""
        self._error: Unreadable | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Chunk]:
        rest, end = b"", 0
        skipped, head = 0, b""
        while not self._ended:
            block = self._fill()
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
                cut = rest.rfind(self._between) + 1 if self._between and len(rest) > self._cap else 0
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
        if self._error is not None:
            raise self._error
        if self._sealed and (rest or skipped):
            yield Chunk(head if skipped else rest, end + (skipped or len(rest)), oversized=bool(skipped))

    def _fill(self) -> bytes:
        """The next `size` bytes, fewer only at the end of the stream or before an error."""
        parts: list[bytes] = []
        left = self.size
        try:
            while left > 0:
                part = self._stream.read(left)
                if not part:
                    self._ended = True
                    break
                parts.append(part)
                left -= len(part)
        except Unreadable as error:
            self._error, self._ended = error, True
        return parts[0] if len(parts) == 1 else b"".join(parts)
