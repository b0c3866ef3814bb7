"""Reads fields of a record as people write them in a command: `params.max_depth=6`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, get_args, get_origin

from driftline.catalog.catalog import RecordError
from driftline.config.mistakes import unknown_name
from driftline.types.record_fields import KINDS


def read_assignments(kind: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return the fields that `NAME=VALUE` texts set; an empty value removes a field or an entry.

    The value of a parameter or metric is read as JSON where it is JSON, such as a number. Raises
    RecordError.
    """
    if kind not in KINDS:
        raise RecordError(unknown_name(kind, KINDS, f"there is no kind '{kind}' of records"))
    fields: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise RecordError(f"{text}: should be NAME=VALUE, such as {_example(kind)}")
        head, dot, entry = name.partition(".")
        known = KINDS[kind].model_fields
        if head not in known:
            raise RecordError(f"{name}: {unknown_name(head, known, 'unknown field')}")
        is_mapping = _is_mapping(known[head].annotation)
        if dot and not is_mapping:
            raise RecordError(f"{name}: {head} has no entries: write {head}={value}")
        if is_mapping and not dot:
            raise RecordError(f"{name}: name an entry, such as {head}.name={value}")
        if is_mapping:
            scalars = head in ("params", "metrics")
            fields.setdefault(head, {})[entry] = (
                None if not value else _scalar(value) if scalars else value
            )
        elif not value:
            fields[head] = None
        elif get_origin(known[head].annotation) is tuple:
            fields[head] = [item.strip() for item in value.split(",")]
        else:
            fields[head] = value
    return fields


def _example(kind: str) -> str:
    return {"version": "params.max_depth=6", "alias": "version=v3", "event": "type=deployment"}.get(
        kind, "description=TEXT"
    )


def _is_mapping(annotation: Any) -> bool:
    while get_origin(annotation) is not None and get_origin(annotation) is not dict:
        inner = get_args(annotation)
        if not inner or get_origin(annotation) is tuple:
            return False
        annotation = inner[0]
    return get_origin(annotation) is dict


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text
