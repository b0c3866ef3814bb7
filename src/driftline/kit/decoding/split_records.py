"""Marks requests and responses that are logged apart, so that the host can pair them by id.

Does not pair them: a response may be in another object than its request, and may come first. The
host pairs across objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Side = Literal["request", "response"]
PAIR = "driftline.pair"
"""Name of the column with the ids, and key of the side in the metadata of the batch."""


def mark_side(
    batch: pa.RecordBatch, side: Side, ids: Sequence[str | None] | pa.Array
) -> pa.RecordBatch:
    """Return `batch`, marked as one side of its records, for a format to yield.

    A request and a response with equal `ids` (shape (rows,); None has no partner) become one row.
    Each of its columns has the value of the request, or of the response where that is null. Where
    an id repeats, the second request belongs to the second response, by window and place. A request
    without a response is a row without a prediction; a response without a request is only counted.

    Where a record has several rows, add the place and their number to the id (`ID:0/2`, `ID:1/2`),
    so that sides of different length do not pair.
    """
    import pyarrow as pa

    column = ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string())
    side_batch = batch.append_column(PAIR, column)
    return side_batch.replace_schema_metadata(
        {**(batch.schema.metadata or {}), PAIR.encode(): side.encode()}
    )


def side_of(batch: pa.RecordBatch) -> Side | None:
    """Return the side of a batch; None for whole records."""
    side = (batch.schema.metadata or {}).get(PAIR.encode())
    if side is None:
        return None
    return "request" if side == b"request" else "response"
