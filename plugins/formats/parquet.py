"""Decodes Parquet: columns by path, in batches of bounded size.

Does not read columns that the schema does not name, and does not resume: an object is read as a
whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from driftline import DecodeContext, DriftlineError, Field, Format, Kind, Unreadable, hookimpl
from driftline.kit.decoding import json_values
from driftline.kit.decoding.plain_columns import to_plain_column, to_plain_columns
from driftline.kit.decoding.plain_types import is_text_type, without_view
from driftline.kit.decoding.streams import spool

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 17
BYTES = 1 << 26
GROUPS = 8
"""Row groups from which the size of a row is estimated."""


class Parquet(Format):
    """Apache Parquet, with any compression that pyarrow supports."""

    type = "parquet"
    magic = b"PAR1"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    compressed: ClassVar[bool] = True

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of at most 131,072 rows and about 64 MiB.

        A stream that can't seek is copied to a temporary file first.
        """
        if stream.seekable():
            yield from _decode(stream, ctx)
            return
        with spool(stream) as file:
            yield from _decode(file, ctx)


def _decode(stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import parquet

    row_count = 0
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
            list(dict.fromkeys(path.leaf for path in paths.values() if path.exists))
            if paths is not None
            else None
        )
        for batch in file.iter_batches(
            batch_size=_rows(file.metadata, columns), columns=columns, use_threads=True
        ):
            row_count += batch.num_rows
            if not batch.num_rows:
                continue
            if ctx.fields is None or paths is None:
                yield to_plain_columns(batch)
            else:
                arrays = [paths[field.path].extract(batch) for field in ctx.fields]
                yield json_values.record_batch(
                    [field.name for field in ctx.fields], arrays, batch.num_rows
                )
    except DriftlineError:
        raise
    except pa.ArrowNotImplementedError as error:
        raise Unreadable(f"it has a type that pyarrow can't read: {error}") from None
    except (pa.ArrowException, OSError, EOFError) as error:
        where = f"damaged after {row_count:,} rows" if row_count else "not a whole Parquet file"
        if not row_count and "magic bytes" in str(error):
            raise Unreadable(f"{where}, or a file of another format") from None
        raise Unreadable(f"{where}: {error}") from None


def _rows(metadata: Any, columns: list[str] | None) -> int:
    """Return how many rows have about BYTES: few for images or embeddings, at most ROWS."""
    size = 1.0
    for place in range(min(metadata.num_row_groups, GROUPS)):
        group = metadata.row_group(place)
        parts = [group.column(number) for number in range(group.num_columns)]
        if columns is not None:
            prefixes = tuple(f"{column}." for column in columns)
            parts = [part for part in parts if f"{part.path_in_schema}.".startswith(prefixes)]
        bytes_in_group = sum(part.total_uncompressed_size for part in parts)
        size = max(size, bytes_in_group / max(group.num_rows, 1))
    return max(1, min(ROWS, int(BYTES / size)))


class _Path:
    """The place of a field in the file, and its extraction from a batch."""

    def __init__(self, schema: pa.Schema, field: Field) -> None:
        import pyarrow as pa

        steps: tuple[str | int, ...] = (field.path,)
        if field.path not in schema.names:
            steps = json_values.parse_path(field.path)
        self.steps, self.kind = steps, field.kind
        lists = (
            pa.types.is_list,
            pa.types.is_large_list,
            pa.types.is_fixed_size_list,
            pa.types.is_list_view,
            pa.types.is_large_list_view,
        )
        names: list[str] = []
        # of columns with one name the first is read
        kind: Any = (
            schema.field(schema.names.index(steps[0])).type if steps[0] in schema.names else None
        )
        self.exists = kind is not None
        for step in steps[1:] if self.exists else ():
            if (
                isinstance(step, str)
                and pa.types.is_struct(kind)
                and kind.get_field_index(step) >= 0
            ):
                names.append(step)
                kind = kind.field(step).type
            elif isinstance(step, int) and any(is_list(kind) for is_list in lists):
                kind = kind.value_type
            else:
                self.exists = False
                break
        positions = any(isinstance(step, int) for step in steps)
        self.leaf = str(steps[0]) if positions else ".".join([str(steps[0]), *names])
        """Name of the column to read; a list is read as a whole."""
        text = self.exists and (is_text_type(kind) or pa.types.is_binary(kind))
        self.dictionary = text and not positions and field.kind is Kind.CATEGORICAL

    def extract(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the column of the field, null where the file does not have it."""
        import pyarrow.compute as pc

        if not self.exists:
            return json_values.value_array([None] * batch.num_rows, self.kind)
        column = batch.column(batch.schema.names.index(str(self.steps[0])))
        for step in self.steps[1:]:
            column = without_view(column)
            if isinstance(step, str):
                column = pc.struct_field(column, step)
            else:
                column = json_values.list_items(column, step)
        if self.kind in (Kind.IMAGE, Kind.EMBEDDING):
            return without_view(column)
        return to_plain_column(column)


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [Parquet]
