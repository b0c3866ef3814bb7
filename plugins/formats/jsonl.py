"""JSON Lines: one object a line, fields by path.

Refuses to guess what a value means: it keeps numbers as numbers and everything else as text, and
leaves casting to the host. The fast road is pyarrow's parser with types learned from the first
lines; a piece that it refuses is read line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from driftline import DecodeContext, Format, Kind, Unreadable, hookimpl
from driftline.kit.decoding import json_values
from driftline.kit.decoding.line_chunks import LineChunks

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 17
"""About how many rows a batch has at most."""
PIECES = 16
WINDOW = 1 << 14
NEWLINE, BRACE = b"\n{"
BARE_NULL = re.compile(rb"\s*null")


class JsonLines(Format):
    """One JSON object a line. Also reads objects that stand together without newline, as Firehose
    writes them.
    """

    type = "jsonl"
    any_json = True
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".jsonlines", ".json")

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of whole lines. `ctx.consumed` is up to date with each batch when it is given."""
        reader = _Reader(ctx)
        chunks = LineChunks(stream, ctx.sealed, between=b"}{")
        for chunk in chunks:
            if chunk.data[:2] in (b"\xff\xfe", b"\xfe\xff") and not reader.records:
                raise Unreadable("is UTF-16; JSON Lines are UTF-8")
            before = reader.records
            if chunk.oversized:
                reader.reject("line longer than 16 MiB", chunk.data)
                ctx.consumed(chunk.end)
                continue
            end = chunk.end - len(chunk.data)
            for piece, batch in reader.read(chunk.data):
                end += len(piece)
                ctx.consumed(end)
                if batch.num_rows:
                    yield batch
            chunks.size = min(
                8 << 20, max(1 << 16, ROWS * len(chunk.data) // max(reader.records - before, 1))
            )


class _Reader:
    """Chunks to batches. Remembers what types the fields had, so that parsing can be told."""

    def __init__(self, ctx: DecodeContext) -> None:
        self.records = 0
        """Records seen, good and bad."""
        self._ctx = ctx
        self._fields = [(field, json_values.parse_path(field.path)) for field in ctx.fields or ()]
        self._dotted = [f'"{field.path}"'.encode() for field, path in self._fields if len(path) > 1]
        self._seen: list[set[type]] = [set() for _ in self._fields]
        self._schema: pa.Schema | None = None
        self._hopeless = 0
        """Chunks in a row of which no piece could go the fast road."""

    def reject(self, reason: str, line: bytes) -> None:
        self._ctx.reject(self.records, reason, line)
        self.records += 1

    def read(self, data: bytes) -> Iterator[tuple[bytes, pa.RecordBatch]]:
        """The chunk's pieces in order, each with its batch."""
        if self._ctx.fields is None or self._hopeless > 1:
            yield data, self._slow(data)
            return
        if self._schema is None:
            self._learn(data)
        batch = self._fast(data)
        if batch is not None:
            yield data, batch
            return
        self._learn(data)
        fast = 0
        for piece in _pieces(data):
            batch = self._fast(piece)
            fast += batch is not None
            yield piece, self._slow(piece) if batch is None else batch
        self._hopeless = 0 if fast else self._hopeless + 1

    def _fast(self, data: bytes) -> pa.RecordBatch | None:
        """The batch, or None where a careful look at each line is needed."""
        import numpy as np

        if self._schema is None or any(name in data for name in self._dotted) or not _is_utf8(data):
            return None
        text = np.frombuffer(data, np.uint8)
        starts = np.append(0, np.flatnonzero(text == NEWLINE) + 1)
        starts = starts[:-1] if data.endswith(b"\n") else starts
        # A bare null is no object; the parser takes it for one, and dies of it at the start of a
        # block.
        if any(BARE_NULL.match(data, at) for at in starts[text[starts] != BRACE].tolist()):
            return None
        rows = len(starts)
        table = self._parse(data)
        if table is None or table.num_rows != rows:
            # Blank lines make more lines than rows; objects without newline between them make more
            # rows than lines.
            # Records broken over several lines do so too, and are not taken.
            rows = sum(1 for line in data.split(b"\n") if line.strip())
            if (table is None or table.num_rows != rows) and b"}{" in data:
                data = data.replace(b"}{", b"}\n{")  # Inside a string this makes the parser refuse.
                rows = sum(1 for line in data.split(b"\n") if line.strip())
                table = self._parse(data)
            if table is None or table.num_rows != rows:
                return None
        self.records += rows
        return json_values.record_batch(
            [field.name for field, _ in self._fields],
            [self._extract(table, i) for i in range(len(self._fields))],
            rows,
        )

    def _parse(self, data: bytes) -> pa.Table | None:
        import pyarrow as pa
        from pyarrow import json

        block = 2 << 20
        if any(
            data.find(b"\n", at, at + WINDOW) < 0 for at in range(0, len(data) - WINDOW, WINDOW)
        ):
            block = len(data) + 1
        try:
            return json.read_json(
                pa.BufferReader(data),
                read_options=json.ReadOptions(use_threads=True, block_size=block),
                parse_options=json.ParseOptions(
                    explicit_schema=self._schema, unexpected_field_behavior="ignore"
                ),
            )
        except pa.ArrowException:
            return None

    def _extract(self, table: pa.Table, index: int) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        field, path = self._fields[index]
        column = table.column(path[0]).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        for step in path[1:]:
            if isinstance(step, str):
                column = pc.struct_field(column, step)
            else:
                there = pc.greater(pc.list_value_length(column), step)
                column = column.values.take(
                    pc.if_else(there, pc.add(column.offsets[:-1], step), None)
                )
        return (
            column.dictionary_encode()
            if field.kind is Kind.CATEGORICAL and pa.types.is_string(column.type)
            else column
        )

    def _learn(self, data: bytes) -> None:
        """Types of the fields from some lines of the chunk, added to what was seen before where
        both fit together.
        """
        found: list[set[type]] = [set() for _ in self._fields]
        lines = data[: 1 << 18].split(b"\n")[:100] + data[-(1 << 16) :].split(b"\n")[-20:]
        for line in lines:
            try:
                documents = list(json_values.documents(line))
            except ValueError:
                continue
            for document in documents:
                if isinstance(document, dict):
                    for types, (field, path) in zip(found, self._fields, strict=True):
                        types.add(type(json_values.look_up(document, field.path, path)))
        self._seen = [
            new if _arrow_type(new | old, field.kind) is None else new | old
            for new, old, (field, _) in zip(found, self._seen, self._fields, strict=True)
        ]
        fitting = [
            _arrow_type(seen, field.kind)
            for seen, (field, _) in zip(self._seen, self._fields, strict=True)
        ]
        self._schema = _schema([path for _, path in self._fields], fitting)

    def _slow(self, data: bytes) -> pa.RecordBatch:
        rows: list[dict[str, Any]] = []
        if not self.records:
            data = data.removeprefix(b"\xef\xbb\xbf")
        for line in data.split(b"\n"):
            if not line or line.isspace():
                continue
            problem = ""
            try:
                for document in json_values.documents(line):
                    if isinstance(document, dict):
                        rows.append(document)
                        self.records += 1
                    else:
                        problem = (
                            problem or f"not an object: {_NAMES.get(type(document), 'a number')}"
                        )
            except ValueError as error:
                problem = problem or str(error)
            if problem:
                self.reject(problem, line)
        return json_values.tabulated(self._ctx.fields, rows)


_NAMES = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}


def _pieces(data: bytes) -> Iterator[bytes]:
    """The lines of a chunk in a few parts of about equal size."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at + len(data) // PIECES) + 1 or len(data)
        yield data[at:end]
        at = end


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _arrow_type(seen: set[type], kind: Kind | None) -> pa.DataType | None:
    """The type that holds all values seen, or None when only text could."""
    import pyarrow as pa

    types = seen - {type(None)}
    if types == {bool}:
        return pa.bool_()
    if types == {str} or (not types and kind is not Kind.NUMERIC):
        return pa.string()
    if types == {int} and kind is not Kind.NUMERIC:
        return pa.int64()
    if types == {list} and kind is Kind.EMBEDDING:
        return pa.list_(pa.float64())
    return pa.float64() if types <= {int, float} else None


def _schema(paths: list[json_values.Path], types: list[pa.DataType | None]) -> pa.Schema | None:
    """The nested schema that leads to all paths, or None when a path ends where another goes on, or
    types are mixed.
    """
    import pyarrow as pa

    if None in types or any(isinstance(path[0], int) for path in paths):
        return None
    tree: dict[str | int, Any] = {}
    for path, leaf in zip(paths, types, strict=True):
        level = tree
        for step in path[:-1]:
            level = level.setdefault(step, {})
            if not isinstance(level, dict):
                return None
        if level.setdefault(path[-1], leaf) != leaf:
            return None

    def arrow(node: Any) -> pa.DataType:
        if not isinstance(node, dict):
            return node
        inner = {step: arrow(child) for step, child in node.items()}
        if all(isinstance(step, str) for step in inner):
            return pa.struct(list(inner.items()))
        if all(isinstance(step, int) for step in inner) and len(set(inner.values())) == 1:
            return pa.list_(next(iter(inner.values())))
        raise ValueError("positions of one list have several types")

    try:
        return pa.schema(arrow(tree))
    except ValueError:
        return None


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [JsonLines]
