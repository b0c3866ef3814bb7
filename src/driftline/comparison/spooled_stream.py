"""Takes the rows of an Arrow stream, which can be read once, so that they can be read again.

Small ones stay in memory; larger ones go to a temporary file, which is mapped into memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

MOST_BYTES = 256 << 20
"""Bytes of a stream that stay in memory."""
ROWS = 1 << 17
"""Rows of a batch in the file: small batches are slow, and sums of other parts differ."""


def read_stream(data: Any) -> pa.Table:
    """Return all rows of an object with `__arrow_c_stream__`.

    Raises what the library that makes the stream raises.
    """
    if isinstance(data, pa.Table):
        return data.combine_chunks()
    stream = pa.RecordBatchReader.from_stream(data)
    batches: list[pa.RecordBatch] = []
    size = 0
    for batch in stream:
        batches.append(batch)
        size += batch.nbytes
        if size > MOST_BYTES:
            return _spool(batches, stream)
    return pa.Table.from_batches(batches, stream.schema).combine_chunks()


def _spool(batches: list[pa.RecordBatch], rest: pa.RecordBatchReader) -> pa.Table:
    """Write all batches to a temporary file, and return its rows as a table on the file."""
    handle, name = tempfile.mkstemp(prefix="driftline-", suffix=".arrow")
    os.close(handle)
    try:
        with pa.ipc.new_file(name, rest.schema) as writer:
            for table in _even_tables(batches, rest):
                writer.write_table(table, max_chunksize=ROWS)
        with pa.memory_map(name) as file:
            return pa.ipc.open_file(file).read_all()
    finally:
        # The mapping keeps the content until the table is gone.
        Path(name).unlink()


def _even_tables(batches: list[pa.RecordBatch], rest: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Yield the rows in tables of ROWS rows, the last one shorter; `batches` is emptied."""
    waiting = pa.Table.from_batches(batches, rest.schema)
    batches.clear()
    for batch in rest:
        while waiting.num_rows >= ROWS:
            yield waiting.slice(0, ROWS).combine_chunks()
            waiting = waiting.slice(ROWS)
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
    if waiting.num_rows:
        yield waiting.combine_chunks()
