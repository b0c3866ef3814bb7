"""Turn what pydantic found into problems with a place, in plain words, with the mend.

Refuses to show a value: it may be a secret.
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
"""By pydantic's type of error."""
SHAPES = frozenset(kind for kind in PLAIN if kind.endswith("_type"))
"""Where one of several shapes is allowed, these only say that it was not this one."""


class FailedPlugin:
    """Stands where a plugin could not be built; the reason is told already."""


def problems_of(
    error: ValidationError,
    document: Document,
    prefix: Loc,
    annotation: Any,
    hidden: frozenset[str] = frozenset(),
) -> Iterator[tuple[Loc, Problem]]:
    """Each mistake, with the path of the value it is about.

    `prefix` is the path of what was validated against `annotation`; settings named in `hidden` are
    never suggested.
    """
    for loc, details in _apt(error.errors(include_url=False), document, prefix):
        kind = details["type"]
        if isinstance(details["input"], FailedPlugin):
            continue
        if kind == "extra_forbidden":
            known = [
                name for name in fields_at(annotation, details["loc"][:-1]) if name not in hidden
            ]
            yield loc, document.problem(loc, unknown_name(str(loc[-1]), known), at_key=True)
        elif kind == "missing":
            yield loc, document.problem(loc, PLAIN["missing"], at_key=True)
        else:
            yield loc, document.problem(loc, explain_error(details))


def unknown_name(name: str, known: Iterable[str], what: str = "unknown setting") -> str:
    """That `name` is not one of `known`, and which was probably meant."""
    known = sorted(known)
    near = get_close_matches(name, known, 1, 0.6)
    if near:
        return f"{what}; did you mean '{near[0]}'?"
    return f"{what}; there are: {', '.join(known)}" if known else f"{what}; there are none here"


def explain_error(details: ErrorDetails) -> str:
    """One mistake in plain words."""
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


def _apt(
    errors: list[ErrorDetails], document: Document, prefix: Loc
) -> Iterator[tuple[Loc, ErrorDetails]]:
    """The errors with their paths in the document; of a choice of shapes only those of the shape
    that was meant.
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
    """The path in the document, and where it left pydantic's path: at the name of one of several
    shapes.
    """
    loc, fork = prefix, None
    parts = list(details["loc"])
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        try:
            here = document.get(loc)
        except KeyError:
            # The settings that lack it are not in the file themselves.
            return ((*prefix, *parts), None) if details["type"] == "missing" else (loc, fork)
        inside = (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int)
        )
        if inside or (last and details["type"] == "missing" and isinstance(here, dict)):
            loc = (*loc, part)
        elif fork is None:
            fork = loc
    return loc, fork


def fields_at(annotation: Any, loc: Sequence[str | int]) -> list[str]:
    """The names of the settings that may stand at `loc` below `annotation`; none when they are
    free.
    """
    if get_origin(annotation) is Annotated:
        return fields_at(get_args(annotation)[0], loc)
    if get_origin(annotation) in (Union, types.UnionType):
        branches = get_args(annotation)
        rest = (
            loc[1:]
            if loc and any(getattr(branch, "__name__", None) == loc[0] for branch in branches)
            else loc
        )
        return [name for branch in branches for name in fields_at(branch, rest)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        if not loc:
            return list(fields)
        return fields_at(fields[str(loc[0])].annotation, loc[1:]) if loc[0] in fields else []
    inner = get_args(annotation)
    if not loc or not inner:
        return []
    return fields_at(inner[1] if isinstance(loc[0], str) and len(inner) > 1 else inner[0], loc[1:])
