"""Cuts a stream into chunks of whole lines, for formats with one record on a line.

Holds at most 16 MiB of one line. Returns all whole lines before an error of the stream. Does not
parse the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from driftline.types.errors import DriftlineError

SIZE = 8 << 20
CAP = 16 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some whole lines."""

    data: bytes
    """The lines with their line ends; of an oversized line only the start."""
    end: int
    """Offset in the stream of the first byte after the chunk."""
    oversized: bool = False
    """Whether this is one line longer than the cap: the caller rejects it."""


def read_blocks(stream: BinaryIO, size: Callable[[], int]) -> Iterator[bytes]:
    """Return blocks of `size()` bytes; the last one may be shorter.

    A thread reads the next block while the caller handles the current one. After an error of the
    stream, the bytes before it come first, then the error is raised.
    """

    def fill() -> tuple[bytes, Exception | None, bool]:
        parts: list[bytes] = []
        missing = size()
        try:
            while missing > 0:
                part = stream.read(missing)
                if not part:
                    return b"".join(parts), None, True
                parts.append(part)
                missing -= len(part)
        except (DriftlineError, UnicodeError) as error:
            return b"".join(parts), error, True
        return parts[0] if len(parts) == 1 else b"".join(parts), None, False

    block, error, is_last = fill()
    if not is_last:
        with ThreadPoolExecutor(1, "driftline-read") as reader:
            while not is_last:
                following = reader.submit(fill)
                yield block
                block, error, is_last = following.result()
    if block:
        yield block
    if error is not None:
        raise error


class LineChunks:
    """Iterates over chunks of about `size` bytes that end after a newline.

    Where the stream is complete, the last chunk may have no newline at its end.
    """

    def __init__(
        self,
        stream: BinaryIO,
        is_complete: bool,
        *,
        size: int = SIZE,
        cap: int = CAP,
        between: bytes = b"",
    ) -> None:
        self._stream, self._sealed, self._cap = stream, is_complete, cap
        self.size = min(size, cap)
        """Bytes of the next chunks; the caller may change it between two chunks."""
        self._between = between
        """Two bytes, such as `}{`; a line longer than the cap may be cut between them."""

    def __iter__(self) -> Iterator[Chunk]:
        tail, end = b"", 0  # the start of an unfinished line, and its offset
        skip_size, head = 0, b""  # bytes of an oversized line so far, and its start
        for block in read_blocks(self._stream, lambda: self.size):
            newline = block.find(b"\n")
            if not skip_size and newline >= 0 and len(tail) + newline > self._cap:
                skip_size, head, tail = len(tail), tail[:1000], b""
            if skip_size:
                if newline < 0:
                    skip_size += len(block)
                    continue
                end += skip_size + newline + 1
                yield Chunk(head, end, oversized=True)
                skip_size, block = 0, block[newline + 1 :]
            cut = block.rfind(b"\n") + 1
            if not cut:
                tail += block
                may_cut = self._between and len(tail) > self._cap
                cut = tail.rfind(self._between) + 1 if may_cut else 0
                if cut:
                    end += cut
                    yield Chunk(tail[:cut], end)
                    tail = tail[cut:]
                elif len(tail) > self._cap:
                    skip_size, head, tail = len(tail), tail[:1000], b""
                continue
            data, tail = b"".join((tail, memoryview(block)[:cut])), block[cut:]
            end += len(data)
            yield Chunk(data, end)
        if self._sealed and (tail or skip_size):
            data, size = (head, skip_size) if skip_size else (tail, len(tail))
            yield Chunk(data, end + size, oversized=bool(skip_size))
