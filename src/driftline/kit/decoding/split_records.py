"""Halves of records: requests and answers that are logged apart, given to the host to be paired by
id.

Refuses to pair: an answer may lie in another object, or come first. That is the host's work, across
objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Side = Literal["request", "response"]
PAIR = "driftline.pair"
"""The column with the ids, and the key in the batch's metadata that names the side."""


def half(batch: pa.RecordBatch, side: Side, ids: Sequence[str | None] | pa.Array) -> pa.RecordBatch:
    """`batch` marked as one side of its records, to be yielded by a format like any other.

    A request and a response with equal `ids` (shape (rows,); None pairs with nothing) become one
    row: each column is the request's unless it is null there. Where an id comes again, its second
    request belongs to its second response, by window and place. A request that stays alone is a row
    without an answer; a response that stays alone is only counted. Where a record has several rows,
    put the place and their number into the id (`ID:0/2`, `ID:1/2`), so that sides of different
    length don't pair.
    """
    import pyarrow as pa

    column = ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string())
    marked = batch.append_column(PAIR, column)
    return marked.replace_schema_metadata(
        {**(batch.schema.metadata or {}), PAIR.encode(): side.encode()}
    )


def side_of(batch: pa.RecordBatch) -> Side | None:
    """Which side a batch is; None for whole records."""
    found = (batch.schema.metadata or {}).get(PAIR.encode())
    return None if found is None else "request" if found == b"request" else "response"
