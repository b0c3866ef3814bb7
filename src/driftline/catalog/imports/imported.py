"""What an import yields, and how values of other registries become those of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ImportedRecord:
    """One record to write."""

    model: str
    kind: str
    name: str
    fields: dict[str, Any]


def drop_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [], ())}


def texts(value: Any) -> dict[str, str]:
    """Return a mapping with texts as values; what is no text or number is left out."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {
        str(key): str(item).lower() if isinstance(item, bool) else str(item)
        for key, item in items
        if isinstance(item, (str, int, float)) and str(key)
    }


def pairs(value: Any, key: str = "key", item: str = "value") -> dict[str, Any]:
    """Return a list of `{key: ..., value: ...}` as a mapping."""
    entries: Iterable[Any] = value if isinstance(value, list) else ()
    return {
        str(entry[key]): entry[item]
        for entry in entries
        if isinstance(entry, Mapping) and entry.get(key) and item in entry
    }


def numbers(value: Mapping[str, Any]) -> dict[str, float]:
    """Return the entries that are finite numbers."""
    result = {}
    for name, item in value.items():
        try:
            number = float(item)
        except (TypeError, ValueError):
            continue
        if not isinstance(item, bool) and abs(number) < float("inf"):
            result[name] = number
    return result


def moment(value: Any) -> str | None:
    """Return a time as ISO 8601: of text, or of seconds or milliseconds since 1970."""
    if isinstance(value, str) and not value.replace(".", "").isdigit():
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC).isoformat()
