"""JSON lines of one shape, a chunk at a time, for formats whose records stand one on a line.

Refuses to know what the shape means. A line that doesn't have it is rejected at its place, and its
neighbours stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Generic, TypeVar, cast

import msgspec

from driftline.contracts.format import DecodeContext
from driftline.kit.decoding import json_values
from driftline.kit.decoding.line_chunks import CAP, LineChunks

T = TypeVar("T")
K = TypeVar("K")
NEWLINE = 0x0A
ROWS = 1 << 17
"""About how many rows a chunk should come to."""


@dataclass(frozen=True, slots=True)
class RecordChunk(Generic[T]):
    """The records of some lines."""

    found: list[T]
    places: Sequence[int]
    """Their ordinals in the stream."""
    lines: Sequence[bytes]
    """The line of each, to be shown with a reject."""
    size: int = 0
    """Bytes of all lines."""

    def of(self, kind: type[K]) -> RecordChunk[K]:
        """Those of one type."""
        kinds = set(map(type, self.found))
        if kinds == {kind}:
            return cast("RecordChunk[K]", self)
        kept = (
            [i for i, record in enumerate(self.found) if type(record) is kind]
            if kind in kinds
            else []
        )
        found = [cast("K", self.found[i]) for i in kept]
        return RecordChunk(
            found, [self.places[i] for i in kept], [self.lines[i] for i in kept], self.size
        )


class _Split(Sequence[bytes]):
    """The lines of some bytes, split only when one is asked for."""

    def __init__(self, data: bytes, count: int) -> None:
        self._data, self._count = data, count
        self._lines: list[bytes] = []

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if index >= self._count:
            raise IndexError(index)
        self._lines = self._lines or _lines(self._data)
        return self._lines[index] if index < len(self._lines) else b""


class JsonRecords(Generic[T]):
    """Iterates over the chunks of a stream, each as its records. `ctx.consumed` is up to date with
    each chunk.

    `shape` is any type that msgspec knows. One line may hold several documents without anything
    between.
    """

    def __init__(self, stream: BinaryIO, ctx: DecodeContext, shape: Any) -> None:
        self._chunks = LineChunks(stream, ctx.sealed)
        self._ctx, self._shape = ctx, shape
        self._decoder = msgspec.json.Decoder(shape)
        self._records = 0

    def __iter__(self) -> Iterator[RecordChunk[T]]:
        for chunk in self._chunks:
            if chunk.oversized:
                self._reject("line longer than 16 MiB", chunk.data)
                self._ctx.consumed(chunk.end)
                continue
            some = self._records_of(chunk.data)
            self._ctx.consumed(chunk.end)
            if some.found:
                self._fit(len(some.found), some.size)
                yield some
                del some  # or two chunks are held at a time

    def came_to(self, rows: int, chunk: RecordChunk[T]) -> None:
        """Say how many rows the last chunk had, where a record may have several: the next one is
        made to fit.
        """
        self._fit(rows, chunk.size)

    def _fit(self, rows: int, size: int) -> None:
        self._chunks.size = min(8 << 20, max(1 << 16, ROWS * size // max(rows, 1)))

    def _reject(self, reason: str, line: bytes) -> None:
        self._ctx.reject(self._records, reason, line)
        self._records += 1

    def _records_of(self, data: bytes) -> RecordChunk[T]:
        import numpy as np

        try:
            found = self._decoder.decode_lines(data)
            ends = int(np.count_nonzero(np.frombuffer(data, np.uint8) == NEWLINE))
            if len(found) == ends + (
                not data.endswith(b"\n")
            ):  # else some share a line, or lines are blank
                start = self._records
                self._records += len(found)
                return RecordChunk(
                    found, range(start, self._records), _Split(data, len(found)), len(data)
                )
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        kept: list[T] = []
        lines: list[bytes] = []
        places: list[int] = []
        for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
            if not line.strip():
                continue
            try:
                for document in json_values.documents(line):
                    kept.append(msgspec.convert(document, self._shape))
                    lines.append(line)
                    places.append(self._records)
                    self._records += 1
            except msgspec.ValidationError as error:
                self._reject(f"not a record of this format: {error}", line)
            except ValueError as error:
                self._reject(str(error), line)
        return RecordChunk(kept, places, lines, len(data))


def document_or_lines(stream: BinaryIO, reject: Callable[[bytes], None]) -> Iterator[list[bytes]]:
    """The records of a stream, some at a time: its lines, or all of it where it is one JSON
    document over many lines.

    `reject` is given the beginning of a line longer than 16 MiB; a longer document is taken for
    lines.
    """
    held = b""
    for chunk in LineChunks(stream, True, size=1 << 18):
        if not chunk.oversized:
            held += chunk.data
            if _goes_on(held) and len(held) <= CAP:
                continue
        if held:
            yield _lines(held)
        held = b""
        if chunk.oversized:
            reject(chunk.data)
    if held:
        yield [held] if _is_document(held) else _lines(held)


def _lines(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line.strip()]


def _goes_on(data: bytes) -> bool:
    """Whether a JSON document begins here and does not end with the line."""
    data = data.lstrip()
    return data[:1] in (b"{", b"[") and not _is_document(data.split(b"\n", 1)[0])


def _is_document(data: bytes) -> bool:
    try:
        return len(list(islice(json_values.documents(data), 2))) == 1
    except ValueError:
        return False
