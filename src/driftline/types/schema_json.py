"""A schema as JSON, as the state and the files of profiles store it."""

from __future__ import annotations

import msgspec

from driftline.types.model import Schema


def schema_to_json(schema: Schema) -> str:
    """Encode an inferred schema; `schema_from_json` returns an equal one."""
    return msgspec.json.encode(schema, order="deterministic").decode()


def schema_from_json(text: str) -> Schema:
    """Decode what `schema_to_json` wrote."""
    return msgspec.json.decode(text, type=Schema)
