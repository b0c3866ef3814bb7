"""A table in memory as a source, so that it is read, cast and profiled as a file is."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from math import isfinite
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from pydantic import PrivateAttr

from driftline.contracts.format import DecodeContext
from driftline.contracts.source import DiscoverContext, Source
from driftline.kit.decoding.json_values import record_batch, value_array
from driftline.kit.decoding.plain_columns import (
    flatten_structs,
    to_plain_column,
    to_plain_columns,
)
from driftline.kit.decoding.plain_types import without_view
from driftline.kit.decoding.profile_records import is_profile_batch
from driftline.types.errors import Unreadable
from driftline.types.model import Field, Kind, LogObject

if TYPE_CHECKING:
    import pyarrow as pa

MARKED_ROWS = 20
"""Rows that stand for all in the name of a table."""
ROWS = 1 << 17
"""Rows of a batch."""


class MemorySource(Source):
    """Holds one table, which is its only object."""

    type: ClassVar[str] = "memory"
    name: str
    """The name of the table in messages."""

    _table: pa.Table = PrivateAttr()

    @classmethod
    def of(cls, name: str, table: pa.Table) -> MemorySource:
        """Return the source of `table`."""
        source = cls(name=name)
        source._table = table
        return source

    @property
    def table(self) -> pa.Table:
        """The rows."""
        return self._table

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """Yield the table."""
        yield LogObject(
            uri=f"memory://{self.name}/{self._content_mark()}",
            version=str(self._table.num_rows),
            size=self._table.nbytes,
            modified=ctx.now,
        )

    def _content_mark(self) -> str:
        """Return a few digits that stand for the first rows, by which samples are drawn.

        They do not depend on the library that made the table.
        """
        head = self._table.slice(0, MARKED_ROWS)
        values = {
            name: [_plain(value) for value in column.to_pylist()]
            for name, column in zip(head.column_names, head.columns, strict=True)
        }
        content = repr((self._table.num_rows, sorted(values.items()))).encode(
            "utf-8", "surrogatepass"
        )
        return sha256(content).hexdigest()[:16]

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """Raise NotImplementedError: the table needs no format."""
        raise NotImplementedError(f"{self.type} has no bytes")

    def open_reference(self, uri: str) -> BinaryIO:
        """Raise Unreadable: a table in memory may not read files that its values name."""
        raise Unreadable(f"{uri}: a table in memory follows no references")

    def batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Yield the columns that are asked for, in batches of at most 131,072 rows."""
        for batch in self._table.to_batches(max_chunksize=ROWS):
            if is_profile_batch(batch):
                yield batch
            elif ctx.fields is None:
                yield to_plain_columns(batch)
            else:
                flat = flatten_structs(batch)
                arrays = [_extract(flat, field) for field in ctx.fields]
                names = [field.name for field in ctx.fields]
                yield record_batch(names, arrays, batch.num_rows)


def _plain(value: object) -> str:
    """Return a value as text, whole numbers alike whatever their type."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        return f"{value:.15g}"
    return str(value)


def _extract(table: pa.Table, field: Field) -> pa.Array:
    """Return the column of a field; null where the table does not have it."""
    if field.path not in table.column_names:
        return value_array([None] * table.num_rows, field.kind)
    # Of columns with one name the first is read.
    column = table.column(table.column_names.index(field.path)).combine_chunks()
    if field.kind in (Kind.IMAGE, Kind.EMBEDDING):
        return without_view(column)
    return to_plain_column(column)
