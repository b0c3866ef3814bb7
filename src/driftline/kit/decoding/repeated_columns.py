"""Notes names that several columns of a file have. The first column of each name is read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MARK = b"driftline.repeated_columns"
"""Key in the metadata of a batch."""


def note_repeated(batch: pa.RecordBatch, names: Iterable[str]) -> pa.RecordBatch:
    """The batch with a note of the names that are repeated in its file."""
    note = json.dumps(list(names)).encode()
    return batch.replace_schema_metadata({**(batch.schema.metadata or {}), MARK: note})


def repeated_columns(batches: Iterable[pa.RecordBatch]) -> list[str]:
    """The names that are noted in some batches, each once."""
    notes = (json.loads((batch.schema.metadata or {}).get(MARK, b"[]")) for batch in batches)
    return list(dict.fromkeys(name for note in notes for name in note))
