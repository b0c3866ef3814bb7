"""Turns the errors of pydantic into mistakes with a position, in plain words, with a hint.

Does not show a value: it may be a secret.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from driftline.config.document import Document, Loc
from driftline.types.errors import Problem

PLAIN = {
    "string_type": "should be text; put it in quotes",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "finite_number": "should be a finite number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "list_type": "should be a list: [a, b]",
    "tuple_type": "should be a list: [a, b]",
    "set_type": "should be a list: [a, b]",
    "frozen_set_type": "should be a list: [a, b]",
    "dict_type": "should be settings: `name: value`",
    "model_type": "should be settings: `name: value`",
    "model_attributes_type": "should be settings: `name: value`",
    "missing": "this setting is missing",
}
"""The message for each type of pydantic error."""
SHAPES = frozenset(kind for kind in PLAIN if kind.endswith("_type"))
"""Error types that say only that a value has another shape; ignored where several are allowed."""


class FailedPlugin:
    """Stands for a plugin that could not be built; its mistakes are reported elsewhere."""


def problems_of(
    error: ValidationError,
    document: Document,
    prefix: Loc,
    annotation: Any,
    internal: frozenset[str] = frozenset(),
) -> Iterator[tuple[Loc, Problem]]:
    """Yield each mistake with the path of its value.

    `prefix` is the path of what was validated against `annotation`. Settings named in `internal`
    are never suggested.
    """
    for loc, details in _relevant(error.errors(include_url=False), document, prefix):
        kind = details["type"]
        if isinstance(details["input"], FailedPlugin):
            continue
        if kind == "extra_forbidden":
            names = [
                name for name in fields_at(annotation, details["loc"][:-1]) if name not in internal
            ]
            yield loc, document.problem(loc, unknown_name(str(loc[-1]), names), at_key=True)
        elif kind == "missing":
            yield loc, document.problem(loc, PLAIN["missing"], at_key=True)
        else:
            yield loc, document.problem(loc, explain_error(details))


def unknown_name(name: str, names: Iterable[str], text: str = "unknown setting") -> str:
    """Return the message for a `name` that is not in `names`, with the nearest one."""
    names = sorted(names)
    near = get_close_matches(name, names, 1, 0.6)
    if near:
        return f"{text}; did you mean '{near[0]}'?"
    return f"{text}; there are: {', '.join(names)}" if names else f"{text}; there are none here"


def explain_error(details: ErrorDetails) -> str:
    """Return one pydantic error in plain words."""
    kind, context = details["type"], details.get("ctx", {})
    if kind in PLAIN:
        return PLAIN[kind]
    if kind in ("literal_error", "enum"):
        choices = str(context.get("expected", "")).replace("'", "")
        options = choices.replace(" or ", ", ").split(", ")
        near = (
            get_close_matches(str(details["input"]), options, 1)
            if isinstance(details["input"], str)
            else []
        )
        return f"should be one of {', '.join(options)}" + (
            f"; did you mean '{near[0]}'?" if near else ""
        )
    if kind == "too_short":
        return "should name at least one"
    text = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text.replace("Input should", "should").replace("Field required", PLAIN["missing"])


def _relevant(
    errors: list[ErrorDetails], document: Document, prefix: Loc
) -> Iterator[tuple[Loc, ErrorDetails]]:
    """Yield the errors with their paths in the document.

    Where several shapes are allowed, only the errors of the shape that the value has are kept.
    """
    groups: dict[Loc, list[tuple[Loc, ErrorDetails]]] = {}
    for details in errors:
        loc, fork = _in_document(details, document, prefix)
        groups.setdefault(loc if fork is None else fork, []).append((loc, details))
    for fork, group in groups.items():
        apt = [
            (loc, details) for loc, details in group if loc != fork or details["type"] not in SHAPES
        ]
        if apt or len(group) == 1:
            yield from apt or group
            continue
        loc, first = group[0]
        words = list(
            dict.fromkeys(explain_error(details).removeprefix("should be ") for _, details in group)
        )
        yield loc, {**first, "type": "value_error", "msg": f"should be {', or '.join(words)}"}


def _in_document(details: ErrorDetails, document: Document, prefix: Loc) -> tuple[Loc, Loc | None]:
    """Return the path in the document, and where pydantic's path left it.

    The paths differ where several shapes are allowed: pydantic adds the name of the shape.
    """
    loc, fork = prefix, None
    parts = list(details["loc"])
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        try:
            value = document.get(loc)
        except KeyError:
            # The group of the missing setting is not in the file itself.
            return ((*prefix, *parts), None) if details["type"] == "missing" else (loc, fork)
        inside = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int)
        )
        if inside or (last and details["type"] == "missing" and isinstance(value, dict)):
            loc = (*loc, part)
        elif fork is None:
            fork = loc
    return loc, fork


def fields_at(annotation: Any, loc: Sequence[str | int]) -> list[str]:
    """Return the names of the settings at `loc` below `annotation`; none if any are allowed."""
    if get_origin(annotation) is Annotated:
        return fields_at(get_args(annotation)[0], loc)
    if get_origin(annotation) in (Union, types.UnionType):
        branches = get_args(annotation)
        inner_loc = (
            loc[1:]
            if loc and any(getattr(branch, "__name__", None) == loc[0] for branch in branches)
            else loc
        )
        return [name for branch in branches for name in fields_at(branch, inner_loc)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        if not loc:
            return list(fields)
        return fields_at(fields[str(loc[0])].annotation, loc[1:]) if loc[0] in fields else []
    inner = get_args(annotation)
    if not loc or not inner:
        return []
    return fields_at(inner[1] if isinstance(loc[0], str) and len(inner) > 1 else inner[0], loc[1:])
