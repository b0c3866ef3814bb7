"""Describes settings for pages and comments: type, default and description of each.

Does not add to the declarations in the code.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from driftline.contracts.format import FormatRef
from driftline.types.scalars import Bytes, format_scalar
from driftline.types.secret import Secret
from driftline.types.settings import field_descriptions

_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    timedelta: "time",
    Bytes: "size",
    Any: "anything",
}


_WORD = re.compile(r"[A-Za-z][\w-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDoc:
    """The description of one setting."""

    name: str
    type: str
    """For people: `whole number`, `list of text`."""
    default: str
    """As YAML; empty when the setting is required."""
    description: str
    """The text of its docstring, on one line."""
    field: FieldInfo

    @property
    def required(self) -> bool:
        """Whether the setting has no default."""
        return self.field.is_required()

    @property
    def is_group(self) -> bool:
        """Whether it is a group of settings with a default each."""
        return isinstance(_default_value(self.field), BaseModel)


def describe_fields(
    model: type[BaseModel], skip: frozenset[str] = frozenset()
) -> Iterator[FieldDoc]:
    """Yield the settings of a model in the order of declaration, required ones first."""
    texts = field_descriptions(model)
    fields = [(name, field) for name, field in model.model_fields.items() if name not in skip]
    for name, field in sorted(fields, key=lambda pair: not pair[1].is_required()):
        yield FieldDoc(
            name=field.alias or name,
            type=type_of(field.annotation),
            default=default_of(field),
            description=" ".join(texts.get(name, "").split()),
            field=field,
        )


def _default_value(field: FieldInfo) -> Any:
    """Return the default of a setting; PydanticUndefined where it has none."""
    if field.is_required():
        return PydanticUndefined
    return field.get_default(call_default_factory=True, validated_data={})


def default_of(field: FieldInfo) -> str:
    """Return the default as YAML; `see below` for a group of settings."""
    value = _default_value(field)
    if value is PydanticUndefined:
        return ""
    if isinstance(value, BaseModel):
        return "see below"
    return (
        format_scalar(value)
        if isinstance(value, (timedelta, Bytes))
        else to_flow(to_jsonable_python(value))
    )


def to_flow(value: Any) -> str:
    """Write a value as YAML on one line, without quotes where YAML needs none."""
    if (
        isinstance(value, str)
        and _WORD.fullmatch(value)
        and value.lower() not in ("true", "false", "null")
    ):
        return value
    if isinstance(value, list):
        return f"[{', '.join(to_flow(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {to_flow(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def type_of(annotation: Any) -> str:
    """Return the type of a setting in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "null"
    if origin is Annotated:
        return type_of(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_of(part) for part in inner))
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    kind = origin or annotation
    if isinstance(kind, type):
        if issubclass(kind, dict) or kind.__name__ == "Mapping":
            return (
                "settings" if inner[1:] in ((), (Any,)) else f"names, each with {type_of(inner[1])}"
            )
        if issubclass(kind, (list, set, frozenset)):
            return f"list of {type_of(inner[0])}" if inner else "list"
        if issubclass(kind, tuple):
            if inner == (datetime, datetime):
                return "START/END"
            ends = [part for part in inner if part is not Ellipsis]
            return (
                f"list of {type_of(ends[0])}"
                if Ellipsis in inner
                else f"[{', '.join(type_of(part) for part in ends)}]"
            )
        if issubclass(kind, Enum):
            return ", ".join(f"`{member.value}`" for member in kind)
        if issubclass(kind, Secret):
            return "secret"
        if kind is FormatRef:
            return "settings"
        if issubclass(kind, BaseModel):
            return kind.__name__.removesuffix("Config")
    return str(getattr(kind, "__name__", kind))
