"""Decodes JSON Lines: one object on a line, fields by path.

Does not cast: numbers stay numbers and other values become text; the host casts. pyarrow parses a
chunk with the types of its first lines; a part that it can't parse is read line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from driftline import DecodeContext, Format, Kind, Unreadable, hookimpl
from driftline.kit.decoding import json_values
from driftline.kit.decoding.glued_objects import parse_line, peek_glued
from driftline.kit.decoding.json_documents import open_records
from driftline.kit.decoding.line_chunks import Chunk, LineChunks
from driftline.kit.decoding.streams import open_utf8

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 17
"""About the most rows of a batch."""
PARTS = 16
WINDOW = 1 << 14
NEWLINE, BRACE = b"\n{"
BARE_NULL = re.compile(rb"[ \t\r]*null")


class JsonLines(Format):
    """One JSON object on a line.

    Also reads objects without newlines between them, as Firehose writes them, and files that hold
    one array of objects, objects over several lines, or a data frame of pandas (orientation
    `split`, `columns`, `index` or `table`). UTF-16 with a byte order mark is recognised. Where a
    key is repeated in an object, its last value counts, as in other readers of JSON.
    """

    type = "jsonl"
    any_json = True
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".jsonlines", ".json")

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of whole lines. `ctx.report_progress` is called before each batch."""
        text, is_utf8 = open_utf8(stream)
        try:
            text, is_glued = peek_glued(text, ctx)
            lines, is_same = open_records(text, ctx.is_complete)
        except UnicodeError as error:
            raise Unreadable(f"not text: {error}") from None
        reader = _Reader(ctx, is_glued)
        report_progress = (
            ctx.report_progress if is_utf8 and is_same and not is_glued else lambda _: None
        )
        chunks = LineChunks(
            lines, ctx.is_complete or not is_same, between=b"}{" if is_glued else b""
        )
        for chunk in _readable(chunks):
            before = reader.records
            if chunk.oversized:
                reader.reject("line longer than 16 MiB", chunk.data)
                report_progress(chunk.end)
                continue
            end = chunk.end - len(chunk.data)
            for piece, batch in reader.read(chunk.data):
                end += len(piece)
                report_progress(end)
                if batch.num_rows:
                    yield batch
            rows = max(reader.records - before, 1)
            chunks.size = min(8 << 20, max(1 << 16, ROWS * len(chunk.data) // rows))


def _readable(chunks: LineChunks) -> Iterator[Chunk]:
    try:
        yield from chunks
    except UnicodeError as error:
        raise Unreadable(f"not text: {error}") from None


class _Reader:
    """Turns chunks into batches. Remembers the types of the fields for pyarrow's parser."""

    def __init__(self, ctx: DecodeContext, is_glued: bool) -> None:
        self.records = 0
        """Records so far, good and bad."""
        self._ctx, self._is_glued = ctx, is_glued
        self._fields = [(field, json_values.parse_path(field.path)) for field in ctx.fields or ()]
        self._path_names = [
            f'"{field.path}"'.encode() for field, path in self._fields if len(path) > 1
        ]
        self._types: list[set[type]] = [set() for _ in self._fields]
        self._schema: pa.Schema | None = None
        self._slow_chunks = 0
        """Chunks in a row without any part that pyarrow could parse."""

    def reject(self, reason: str, line: bytes) -> None:
        self._ctx.reject(self.records, reason, line)
        self.records += 1

    def read(self, data: bytes) -> Iterator[tuple[bytes, pa.RecordBatch]]:
        """Return the parts of the chunk in order, each with its batch."""
        if self._ctx.fields is None or self._slow_chunks > 1:
            yield data, self._parse_line_by_line(data)
            return
        if self._schema is None:
            self._learn_types(data)
        batch = self._parse_fast(data)
        if batch is not None:
            yield data, batch
            return
        self._learn_types(data)
        fast = 0
        for piece in _parts(data):
            batch = self._parse_fast(piece)
            fast += batch is not None
            yield piece, self._parse_line_by_line(piece) if batch is None else batch
        self._slow_chunks = 0 if fast else self._slow_chunks + 1

    def _parse_fast(self, data: bytes) -> pa.RecordBatch | None:
        """Return the batch, or None where the lines must be read one by one."""
        import numpy as np

        if (
            self._schema is None
            or any(name in data for name in self._path_names)
            or not _is_utf8(data)
        ):
            return None
        text = np.frombuffer(data, np.uint8)
        starts = np.append(0, np.flatnonzero(text == NEWLINE) + 1)
        starts = starts[:-1] if data.endswith(b"\n") else starts
        # pyarrow reads a bare null as an object, and crashes where a block starts with one.
        others = starts[text[starts] != BRACE]
        if any(BARE_NULL.match(data, at) for at in others.tolist()):
            return None
        rows = len(starts) if not len(others) else _record_lines(data)
        table = self._parse(data)
        if table is None or table.num_rows != rows:
            # With several objects on a line there are more rows than lines. Records over several
            # lines are not accepted.
            if (table is None or table.num_rows != rows) and self._is_glued and b"}{" in data:
                data = data.replace(b"}{", b"}\n{")  # Inside a string this makes pyarrow fail.
                rows = _record_lines(data)
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
                column = json_values.list_items(column, step)
        if field.kind is Kind.CATEGORICAL and pa.types.is_string(column.type):
            return column.dictionary_encode()
        return column

    def _learn_types(self, data: bytes) -> None:
        """Learn the types of the fields from some lines, and combine them with those before."""
        new_types: list[set[type]] = [set() for _ in self._fields]
        lines = data[: 1 << 18].split(b"\n")[:100] + data[-(1 << 16) :].split(b"\n")[-20:]
        for line in lines:
            try:
                documents = list(json_values.parse_documents(line))
            except ValueError:
                continue
            for document in documents:
                if isinstance(document, dict):
                    for types, (field, path) in zip(new_types, self._fields, strict=True):
                        types.add(type(json_values.look_up(document, field.path, path)))
        self._types = [
            new if _arrow_type(new | old, field.kind) is None else new | old
            for new, old, (field, _) in zip(new_types, self._types, self._fields, strict=True)
        ]
        arrow_types = [
            _arrow_type(types, field.kind)
            for types, (field, _) in zip(self._types, self._fields, strict=True)
        ]
        self._schema = _schema([path for _, path in self._fields], arrow_types)

    def _parse_line_by_line(self, data: bytes) -> pa.RecordBatch:
        rows: list[dict[str, Any]] = []
        if not self.records:
            data = data.removeprefix(b"\xef\xbb\xbf")
        for line in data.split(b"\n"):
            if not line or line.isspace():
                continue
            problem = ""
            try:
                parse = json_values.parse_documents if self._is_glued else parse_line
                for document in parse(line):
                    if isinstance(document, dict):
                        rows.append(document)
                        self.records += 1
                    else:
                        name = _NAMES.get(type(document), "a number")
                        problem = problem or f"not an object: {name}"
            except ValueError as error:
                problem = problem or str(error)
            if problem:
                self.reject(problem, line)
        return json_values.batch_of_records(self._ctx.fields, rows)


_NAMES = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}


def _parts(data: bytes) -> Iterator[bytes]:
    """Split a chunk into a few parts of whole lines and about equal size."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at + len(data) // PARTS) + 1 or len(data)
        yield data[at:end]
        at = end


def _record_lines(data: bytes) -> int:
    """Return the number of lines that are not blank."""
    return sum(1 for line in data.split(b"\n") if line and not line.isspace())


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _arrow_type(types: set[type], kind: Kind | None) -> pa.DataType | None:
    """Return the Arrow type for all values, or None where only text fits them."""
    import pyarrow as pa

    types = types - {type(None)}
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
    """Return the nested schema for all paths.

    It is None where one path is the start of another, or where the types are mixed.
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
    """Register the format of this file."""
    return [JsonLines]
