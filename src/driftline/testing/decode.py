"""Decodes bytes by a format, as the agent does."""

from __future__ import annotations

import io
from typing import Any

from driftline.contracts.format import Format
from driftline.ingest.read.decoding import Decoding
from driftline.types.model import Field

Reject = tuple[int, str, bytes]
"""Number of the record, the reason, its first bytes."""


def decode(
    form: Format, data: bytes, fields: tuple[Field, ...] | None = None, *, is_complete: bool = True
) -> tuple[list[dict[str, Any]], list[Reject]]:
    """Return the rows of `data` as dicts, and the first 20 rejected records.

    Raises what `decode` of the format raises.
    """
    ctx = Decoding(uri="memory:///data", fields=fields, is_complete=is_complete)
    rows = [row for batch in form.decode(io.BytesIO(data), ctx) for row in batch.to_pylist()]
    return rows, ctx.samples
