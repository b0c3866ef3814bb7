"""The inferred schema of a model, as text for the store.

Refuses to lose anything: what is read back equals what was written.
"""

from __future__ import annotations

import msgspec

from driftline.types.model import Schema


def schema_to_json(schema: Schema) -> str:
    """All of a schema."""
    return msgspec.json.encode(schema, order="deterministic").decode()


def schema_from_json(text: str) -> Schema:
    """The inverse."""
    return msgspec.json.decode(text, type=Schema)
