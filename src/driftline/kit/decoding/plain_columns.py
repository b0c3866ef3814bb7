"""Turns the columns of an Arrow batch into plain ones: numbers, texts, and JSON for nested values.

Formats and tables that hold Arrow data share it, so that they give the same columns.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from driftline.kit.decoding import json_values
from driftline.kit.decoding.plain_types import bytes_of_invalid_text, to_plain_type
from driftline.kit.decoding.repeated_columns import note_repeated

if TYPE_CHECKING:
    import pyarrow as pa


def to_plain_column(column: pa.Array) -> pa.Array:
    """Return a column of a plain type; lists, maps and structs are JSON text."""
    import pyarrow as pa

    plain = to_plain_type(column)
    return _text(plain) if pa.types.is_nested(plain.type) else bytes_of_invalid_text(plain)


def _text(column: pa.Array) -> pa.Array:
    """Return lists, maps and structs as JSON text."""
    import pyarrow as pa

    return pa.array(
        [None if value is None else json_values.to_text(value) for value in column.to_pylist()],
        pa.string(),
    )


def flatten_structs(batch: pa.RecordBatch) -> pa.Table:
    """Return all columns as they are; those of structs have names joined by dots."""
    import pyarrow as pa

    table = pa.Table.from_batches([batch])
    while any(pa.types.is_struct(kind) and kind.num_fields for kind in table.schema.types):
        table = table.flatten()
    return table


def to_plain_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return all columns as plain ones; those of structs have names joined by dots."""
    table = flatten_structs(batch)
    arrays = [column.combine_chunks() for column in table.columns]
    arrays = [to_plain_column(array) for array in arrays]
    first_of_name = dict(reversed(list(zip(table.column_names, arrays, strict=True))))
    names = list(dict.fromkeys(table.column_names))
    columns = [first_of_name[name] for name in names]
    plain = json_values.record_batch(names, columns, batch.num_rows)
    repeated = [name for name, count in Counter(table.column_names).items() if count > 1]
    return note_repeated(plain, repeated) if repeated else plain
