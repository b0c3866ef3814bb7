"""Parquet: columns by path, row groups streamed in bounded batches.

Refuses to read columns that nobody asked for, and to resume: a Parquet object is read as a whole.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from driftline import DecodeContext, DriftlineError, Field, Format, Kind, Unreadable, hookimpl
from driftline.kit.decoding import json_values

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 17
BYTES = 1 << 26
GROUPS = 8
"""Row groups by which the size of a row is told."""


class Parquet(Format):
    """Apache Parquet, of any compression that pyarrow knows."""

    type = "parquet"
    magic = b"PAR1"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    compressed: ClassVar[bool] = True

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of at most 131,072 rows and of about 64 MiB. A stream that can't seek is copied
        to a temporary file first.
        """
        if stream.seekable():
            yield from _decode(stream, ctx)
            return
        with tempfile.TemporaryFile(prefix="driftline-") as spool:
            shutil.copyfileobj(stream, spool, 1 << 20)
            spool.seek(0)
            yield from _decode(cast(BinaryIO, spool), ctx)


def _decode(stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import parquet

    given = 0
    try:
        schema = parquet.read_schema(stream)
        stream.seek(0)
        paths = (
            {field.path: _Path(schema, field) for field in ctx.fields}
            if ctx.fields is not None
            else None
        )
        dictionaries = [path.leaf for path in paths.values() if path.dictionary] if paths else []
        file = parquet.ParquetFile(
            stream, read_dictionary=dictionaries, pre_buffer=False, page_checksum_verification=True
        )
        columns = (
            list(dict.fromkeys(path.leaf for path in paths.values() if path.there))
            if paths is not None
            else None
        )
        for batch in file.iter_batches(
            batch_size=_rows(file.metadata, columns), columns=columns, use_threads=True
        ):
            given += batch.num_rows
            if not batch.num_rows:
                continue
            if ctx.fields is None or paths is None:
                yield _everything(batch)
            else:
                arrays = [paths[field.path].extract(batch) for field in ctx.fields]
                yield json_values.record_batch(
                    [field.name for field in ctx.fields], arrays, batch.num_rows
                )
    except DriftlineError:
        raise
    except (pa.ArrowException, OSError, EOFError) as error:
        where = f"damaged after {given:,} rows" if given else "not a whole Parquet file"
        raise Unreadable(f"{where}: {error}") from None


def _rows(metadata: Any, columns: list[str] | None) -> int:
    """How many rows come to BYTES: of images or embeddings far fewer than ROWS."""
    size = 1.0
    for place in range(min(metadata.num_row_groups, GROUPS)):
        group = metadata.row_group(place)
        parts = [group.column(number) for number in range(group.num_columns)]
        wanted = [
            part
            for part in parts
            if columns is None
            or f"{part.path_in_schema}.".startswith(tuple(f"{c}." for c in columns))
        ]
        size = max(
            size, sum(part.total_uncompressed_size for part in wanted) / max(group.num_rows, 1)
        )
    return max(1, min(ROWS, int(BYTES / size)))


class _Path:
    """Where a field stands in the file, and how to get it out of a batch."""

    def __init__(self, schema: pa.Schema, field: Field) -> None:
        import pyarrow as pa

        steps: tuple[str | int, ...] = (field.path,)
        if field.path not in schema.names:
            steps = json_values.parse_path(field.path)
        self.steps, self.kind = steps, field.kind
        names: list[str] = []
        kind: Any = schema.field(steps[0]).type if steps[0] in schema.names else None
        self.there = kind is not None
        for step in steps[1:] if self.there else ():
            if (
                isinstance(step, str)
                and pa.types.is_struct(kind)
                and kind.get_field_index(step) >= 0
            ):
                names.append(step)
                kind = kind.field(step).type
            elif isinstance(step, int) and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
                kind = kind.value_type
            else:
                self.there = False
                break
        positions = any(isinstance(step, int) for step in steps)
        self.leaf = str(steps[0]) if positions else ".".join([str(steps[0]), *names])
        """The name of what is read: of a list all of it."""
        text = self.there and (
            pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
        )
        self.dictionary = text and not positions and field.kind is Kind.CATEGORICAL

    def extract(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.there:
            return json_values.column([None] * batch.num_rows, self.kind)
        column = batch.column(batch.schema.get_field_index(str(self.steps[0])))
        for step in self.steps[1:]:
            if isinstance(step, str):
                column = pc.struct_field(column, step)
            else:
                there = pc.greater(pc.list_value_length(column), step)
                column = column.values.take(
                    pc.if_else(there, pc.add(column.offsets[:-1], step), None)
                )
        return (
            _text(column)
            if pa.types.is_nested(column.type) and self.kind is not Kind.EMBEDDING
            else column
        )


def _text(column: pa.Array) -> pa.Array:
    """Lists, maps and structs as JSON text."""
    import pyarrow as pa

    return pa.array(
        [None if value is None else json_values.text(value) for value in column.to_pylist()],
        pa.string(),
    )


def _everything(batch: pa.RecordBatch) -> pa.RecordBatch:
    """All columns, those of structs under names joined by dots."""
    import pyarrow as pa

    table = pa.Table.from_batches([batch])
    while any(pa.types.is_struct(kind) and kind.num_fields for kind in table.schema.types):
        table = table.flatten()
    arrays = [column.combine_chunks() for column in table.columns]
    arrays = [_text(array) if pa.types.is_nested(array.type) else array for array in arrays]
    return json_values.record_batch(table.column_names, arrays, batch.num_rows)


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [Parquet]
