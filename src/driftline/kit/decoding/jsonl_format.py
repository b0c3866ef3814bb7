"""Decodes JSON lines into records of one type, chunk by chunk.

A line of another shape is rejected at its place; the other lines of the chunk stay. Does not know
what the records mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Generic, TypeVar, cast

import msgspec

from driftline.contracts.format import DecodeContext
from driftline.kit.decoding import json_values
from driftline.kit.decoding.glued_objects import parse_line, peek_glued
from driftline.kit.decoding.line_chunks import CAP, LineChunks

T = TypeVar("T")
K = TypeVar("K")
NEWLINE = 0x0A
ROWS = 1 << 17
"""About how many rows a chunk should have."""


@dataclass(frozen=True, slots=True)
class RecordChunk(Generic[T]):
    """The records of some lines."""

    records: list[T]
    places: Sequence[int]
    """Position of each record in the stream."""
    lines: Sequence[bytes]
    """The line of each record, to show it with a reject."""
    size: int = 0
    """Bytes of all lines together."""

    def select(self, kind: type[K]) -> RecordChunk[K]:
        """Return the records of one type."""
        if set(map(type, self.records)) == {kind}:
            return cast("RecordChunk[K]", self)
        places = [i for i, record in enumerate(self.records) if type(record) is kind]
        return RecordChunk(
            [cast("K", self.records[i]) for i in places],
            [self.places[i] for i in places],
            [self.lines[i] for i in places],
            self.size,
        )


class _LazyLines(Sequence[bytes]):
    """The lines of some bytes, which are split on first access."""

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
    """Iterates over the chunks of a stream as records.

    It reports each chunk to `ctx.report_progress`.

    `shape` is any type that msgspec can decode. A line has one document, except in a stream that
    starts with several documents on a line, as Firehose writes them.
    """

    def __init__(self, stream: BinaryIO, ctx: DecodeContext, shape: Any) -> None:
        stream, self._is_glued = peek_glued(stream, ctx)
        self._chunks = LineChunks(stream, ctx.is_complete)
        self._ctx, self._shape = ctx, shape
        self._decoder = msgspec.json.Decoder(shape)
        self._records = 0

    def __iter__(self) -> Iterator[RecordChunk[T]]:
        for chunk in self._chunks:
            if chunk.oversized:
                self._reject("line longer than 16 MiB", chunk.data)
                self._report_progress(chunk.end)
                continue
            records = self._decode(chunk.data)
            self._report_progress(chunk.end)
            if records.records:
                self._resize(len(records.records), records.size)
                yield records
                del records  # otherwise two chunks are in memory at the same time

    def resize_for(self, rows: int, chunk: RecordChunk[T]) -> None:
        """Adapt the size of the next chunk to the `rows` of the last one.

        For formats whose records may have several rows.
        """
        self._resize(rows, chunk.size)

    def _report_progress(self, end: int) -> None:
        if not self._is_glued:
            self._ctx.report_progress(end)

    def _resize(self, rows: int, size: int) -> None:
        self._chunks.size = min(8 << 20, max(1 << 16, ROWS * size // max(rows, 1)))

    def _reject(self, reason: str, line: bytes) -> None:
        self._ctx.reject(self._records, reason, line)
        self._records += 1

    def _decode(self, data: bytes) -> RecordChunk[T]:
        import numpy as np

        try:
            records = self._decoder.decode_lines(data)
            newlines = int(np.count_nonzero(np.frombuffer(data, np.uint8) == NEWLINE))
            line_count = newlines + (not data.endswith(b"\n"))
            # The counts differ where documents share a line, or lines are blank.
            if len(records) == line_count:
                start = self._records
                self._records += len(records)
                places = range(start, self._records)
                return RecordChunk(records, places, _LazyLines(data, line_count), len(data))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        return self._decode_line_by_line(data)

    def _decode_line_by_line(self, data: bytes) -> RecordChunk[T]:
        records: list[T] = []
        lines: list[bytes] = []
        places: list[int] = []
        for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
            if not line.strip():
                continue
            try:
                parse = json_values.parse_documents if self._is_glued else parse_line
                for document in parse(line):
                    records.append(msgspec.convert(document, self._shape))
                    lines.append(line)
                    places.append(self._records)
                    self._records += 1
            except msgspec.ValidationError as error:
                self._reject(f"not a record of this format: {error}", line)
            except ValueError as error:
                self._reject(str(error), line)
        return RecordChunk(records, places, lines, len(data))


def read_document_or_lines(
    stream: BinaryIO, reject: Callable[[bytes], None]
) -> Iterator[list[bytes]]:
    """Return the records of a stream in parts: its lines, or one JSON document of several lines.

    A document longer than 16 MiB is read as lines. `reject` gets the start of a line longer than
    16 MiB.
    """
    buffer = b""
    for chunk in LineChunks(stream, True, size=1 << 18):
        if not chunk.oversized:
            buffer += chunk.data
            if _continues(buffer) and len(buffer) <= CAP:
                continue
        if buffer:
            yield _lines(buffer)
        buffer = b""
        if chunk.oversized:
            reject(chunk.data)
    if buffer:
        yield [buffer] if _is_document(buffer) else _lines(buffer)


def _lines(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line.strip()]


def _continues(data: bytes) -> bool:
    """Return whether `data` starts with a JSON document that continues after the first line."""
    data = data.lstrip()
    return data[:1] in (b"{", b"[") and not _is_document(data.split(b"\n", 1)[0])


def _is_document(data: bytes) -> bool:
    try:
        return len(list(islice(json_values.parse_documents(data), 2))) == 1
    except ValueError:
        return False
