"""Marks the rows of a file whose first line should have names but looks like a record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MARK = b"driftline.missing_header"
"""Key in the metadata of a batch."""


def looks_like_record(names: Sequence[str]) -> bool:
    """Whether column names are rather values: numbers, dates, or nothing."""
    values = [name for name in names if re.fullmatch(r"[-+\d.,:eETZ /]*", name)]
    return 2 * len(values) >= len(names) > 0


def mark_missing_header(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with the mark that the header of its file is missing."""
    return batch.replace_schema_metadata({**(batch.schema.metadata or {}), MARK: b"1"})


def misses_header(batch: pa.RecordBatch) -> bool:
    """Whether the batch has that mark."""
    return MARK in (batch.schema.metadata or {})
