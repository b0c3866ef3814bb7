"""Lists the effective configuration, value by value, with the origin of each.

Does not show a secret: references stay references, and passwords within URLs are masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from driftline.config.document import Document, Loc, Parts, dotted_name, read_document
from driftline.config.load import load_config
from driftline.config.models import INTERNAL
from driftline.contracts.plugin import Plugin
from driftline.extensions.registry import Registry
from driftline.types.scalars import Bytes, Persistence, format_scalar
from driftline.types.scrubbing import mask_passwords

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of the effective configuration."""

    name: str
    """The path of the setting with dots, as in error messages."""
    value: Any
    """As plain JSON; references as they stand in the file."""
    origin: str
    """`FILE:LINE`, or `default`."""


def effective_settings(
    path: Path, registry: Registry | None = None, parts: Parts | None = None
) -> list[Setting]:
    """Return all settings of the file at `path`, in the order of the declarations.

    `parts` are those for which each pattern of model names has a model. Resolves no reference.
    Raises ConfigError.
    """
    config = load_config(path, registry, parts=parts)
    return list(_settings(config, (), read_document(path, parts)))


def _settings(value: Any, loc: Loc, document: Document) -> Iterator[Setting]:
    if isinstance(value, Plugin):
        yield from _plugin(value, loc, document)
    elif isinstance(value, BaseModel) and not _is_leaf(value, loc, document):
        plugin = getattr(value, "plugin", None)
        for name, field in type(value).model_fields.items():
            if name in INTERNAL:
                continue
            below = (*loc, field.alias or name)
            if name == "options" and isinstance(plugin, Plugin):
                yield from _options(plugin, below, document)
            else:
                yield from _settings(getattr(value, name), below, document)
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _settings(item, (*loc, key), document)
    else:
        yield _setting(value, loc, document)


def _plugin(plugin: Plugin, loc: Loc, document: Document) -> Iterator[Setting]:
    yield _setting(plugin.type, (*loc, "type"), document)
    yield from _options(plugin, (*loc, "options"), document)


def _options(plugin: Plugin, loc: Loc, document: Document) -> Iterator[Setting]:
    for name, field in type(plugin).model_fields.items():
        yield _setting(getattr(plugin, name, None), (*loc, field.alias or name), document)


def _is_leaf(value: BaseModel, loc: Loc, document: Document) -> bool:
    """Whether the file gives this group in its short form, as one value."""
    return loc in document.values and not isinstance(document.get(loc), dict)


def _setting(value: Any, loc: Loc, document: Document) -> Setting:
    place = document.values.get(loc)
    if place is None:
        value = value.setting if isinstance(value, Persistence) else value
        core = isinstance(value, (timedelta, Bytes)) and "options" not in loc
        return Setting(
            dotted_name(loc),
            _mask_passwords(format_scalar(value) if core else to_jsonable_python(value)),
            DEFAULT,
        )
    return Setting(
        dotted_name(loc), _mask_passwords(document.get(loc)), f"{document.path}:{place.line}"
    )


def _mask_passwords(value: Any) -> Any:
    if isinstance(value, str):
        return mask_passwords(value)
    if isinstance(value, dict):
        return {key: _mask_passwords(item) for key, item in value.items()}
    return [_mask_passwords(item) for item in value] if isinstance(value, list) else value
