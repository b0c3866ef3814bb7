"""Reads YAML as YAML 1.2 does, and keeps the line and column of each key and value.

Merge keys (`<<`) are read, top-level keys that begin with `x-` are left out, and what stands under
`defaults` is merged into each model: mappings are merged, all else is replaced. A name with a
placeholder is a pattern: the models that it has are written out, and plain models whose names fit
it are completed by it.

Duplicate keys, tags, NaN and further documents are mistakes. Does not show a value in an error: it
may be a secret.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from driftline.config.patterns import (
    MERGE,
    NamePattern,
    complete,
    fill,
    may_complete,
    pairs_of,
)
from driftline.types.errors import ConfigError, Problem

Loc = tuple[str | int, ...]

MAX_BYTES = 4_000_000
"""The largest file."""
MAX_NODES = 100_000
"""The most values, after aliases are written out."""
MAX_DEPTH = 60
"""The deepest nesting."""


SURROGATE = re.compile("[\ud800-\udfff]")
OWN = "x-"
"""The begin of top-level keys that are left out: anchors may stand there."""
DEFAULTS = "defaults"


class Quoted(str):
    """Text in quotes or in a block: always text, even if it looks like a number."""


class Loader(yaml.SafeLoader):
    """PyYAML's parser with the YAML 1.2 core schema: `NO`, `on` and `12:30` are text."""

    # The base class declares it without ClassVar.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def compose_scalar_node(self, anchor: dict[Any, yaml.Node]) -> yaml.ScalarNode:
        """Read the two halves of a character that JSON escapes, such as an emoji, as one."""
        node = super().compose_scalar_node(anchor)
        if SURROGATE.search(node.value):
            pairs = node.value.encode("utf-16", "surrogatepass")
            try:
                node.value = pairs.decode("utf-16")
            except UnicodeDecodeError:
                raise yaml.MarkedYAMLError(
                    problem=r"half a character, escaped as \uD800 to \uDFFF",
                    problem_mark=node.start_mark,
                ) from None
        return node


_TAG = "tag:yaml.org,2002:"
for _name, _pattern, _first in (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
):
    Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), _first)


@dataclass(frozen=True, slots=True)
class Position:
    """The position where something begins; line and column count from 1."""

    line: int
    column: int


@dataclass(kw_only=True)
class Document:
    """The plain values of one file, and the position of each key and value by its path."""

    path: Path
    value: Any = None
    keys: dict[Loc, Position] = field(default_factory=dict)
    values: dict[Loc, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    """Mistakes of the YAML itself. What could be read is in `value` nevertheless."""

    def problem(
        self, loc: Sequence[str | int], message: str, *, at_key: bool = False, name: str = ""
    ) -> Problem:
        """Return a mistake with the position of the deepest part of `loc` that the file has."""
        path = tuple(loc)
        while path and path not in self.values:
            path = path[:-1]
        place = self.keys.get(path) if at_key or len(path) < len(loc) else None
        place = place or self.values.get(path) or Position(1, 1)
        return Problem(
            path=str(self.path),
            line=place.line,
            column=place.column,
            name=name or dotted_name(loc) or "file",
            message=message,
        )

    def get(self, loc: Sequence[str | int]) -> Any:
        """Return the value at `loc`. Raises KeyError."""
        value = self.value
        for part in loc:
            try:
                value = value[part]
            except (TypeError, IndexError, KeyError):
                raise KeyError(dotted_name(loc)) from None
        return value


def dotted_name(loc: Sequence[str | int]) -> str:
    """Write a path as `checks.drift.rule[1].above`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


Parts = Mapping[str, Sequence[str]]
"""The parts for which each pattern of model names has a model."""


def read_document(path: Path, parts: Parts | None = None) -> Document:
    """Read the file at `path`, with a model for each of the `parts` of its patterns.

    Raises ConfigError when it can't be read or is not YAML at all.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise _file_error(
            path, 1, 1, "there is no such file; `driftline init` writes one, -c names another"
        ) from None
    except OSError as error:
        raise _file_error(path, 1, 1, f"can't be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _file_error(path, 1, 1, f"is larger than {MAX_BYTES} bytes; name the right file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        raise _file_error(
            path,
            line,
            error.start - before.rfind(b"\n"),
            "is not UTF-8 here; save the file as UTF-8",
        ) from None
    return parse_document(text, path, parts)


def parse_document(text: str, path: Path, parts: Parts | None = None) -> Document:
    """Parse `text`, the content of `path`. Raises ConfigError when it is not YAML at all."""
    try:
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _file_error(path, line, column, _yaml_message(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        raise _file_error(
            path, line, column, "there is a control character here; remove it"
        ) from None
    except RecursionError:
        raise _file_error(path, 1, 1, "is nested too deeply") from None
    if root is None:
        raise _file_error(path, 1, 1, "is empty; `driftline init` writes a first configuration")
    return _Walk(Document(path=path), parts or {}).all(root)


def _file_error(path: Path, line: int, column: int, message: str) -> ConfigError:
    return ConfigError(
        [Problem(path=str(path), line=line, column=column, name="file", message=message)]
    )


def _yaml_message(error: yaml.MarkedYAMLError) -> str:
    """Return the parser's message without quoted values, with a hint for the usual mistakes."""
    if "'\\t'" in (error.problem or ""):
        return "a tab can't indent YAML; use spaces"
    text = re.sub(r"'[^'<][^']+'", "something", error.problem or "something is wrong")
    if "undefined alias" in text:
        return "there is no such anchor; put text that begins with * in quotes"
    if "mapping values are not allowed" in text:
        return (
            "not YAML: a second ': ' in one line, or a line indented too far; "
            "put text that holds ': ' in quotes"
        )
    if "cannot start any token" in text:
        return f"not YAML: {text}; put the text in quotes"
    context = f" {error.context}" if error.context and error.context_mark else ""
    return f"not YAML: {text}{context}"


class _Walk:
    """Converts nodes to plain values, and notes positions and mistakes."""

    def __init__(self, document: Document, parts: Parts) -> None:
        self.document = document
        self.parts = parts
        self.nodes = 0
        self.above: list[int] = []
        self.defaults: yaml.Node | None = None
        """What each model has where it says nothing else."""
        self.patterns: list[tuple[NamePattern, yaml.Node, yaml.Node]] = []
        """Each with the node of its name and that of its settings, completed by the defaults."""

    def all(self, root: yaml.Node) -> Document:
        self.defaults = pairs_of(root).get(DEFAULTS, (None, None))[1]
        for name, (key, item) in pairs_of(pairs_of(root).get("models", (None, None))[1]).items():
            if pattern := NamePattern.parse(name):
                self.patterns.append((pattern, key, complete(item, self.defaults)))
        if self.defaults is not None and not isinstance(self.defaults, yaml.MappingNode):
            self.document.values[DEFAULTS,] = _position(self.defaults)
            self._add_problem((DEFAULTS,), "should be settings of a model: `windows: ...`")
        try:
            self.document.value = self.value(root, ())
        except OverflowError:
            path = self.document.path
            raise _file_error(
                path, 1, 1, f"has more than {MAX_NODES} values once its aliases are written out"
            ) from None
        if not isinstance(self.document.value, dict):
            raise ConfigError([self.document.problem((), "should be settings: `name: value`")])
        return self.document

    def value(self, node: yaml.Node, loc: Loc, fallback: yaml.Node | None = None) -> Any:
        """The plain value of a node; `fallback` has what a mapping leaves out."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise OverflowError
        self.document.values[loc] = _position(node)
        if id(node) in self.above or len(self.above) > MAX_DEPTH:
            self._add_problem(
                loc, "is nested within itself" if id(node) in self.above else "is nested too deeply"
            )
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self._add_problem(
                loc, "a YAML tag (!...) has no meaning here; put text that begins with ! in quotes"
            )
        self.above.append(id(node))
        value = (
            self._mapping(node, loc, fallback)
            if isinstance(node, yaml.MappingNode)
            else self._sequence(node, loc)
        )
        self.above.pop()
        return value

    def _add_problem(self, loc: Loc, message: str, *, at_key: bool = False) -> None:
        self.document.problems.append(self.document.problem(loc, message, at_key=at_key))

    def _sequence(self, node: yaml.Node, loc: Loc) -> list[Any]:
        return [self.value(item, (*loc, number)) for number, item in enumerate(node.value)]

    def _mapping(
        self, node: yaml.MappingNode, loc: Loc, fallback: yaml.Node | None
    ) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        others = pairs_of(fallback) if may_complete(node, fallback) else {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._key_problem(key, loc, "a name must be plain text")
                continue
            if key.value == MERGE and key.style is None:
                merged += self._merged(item, (*loc, MERGE))
                continue
            if not loc and (key.value.startswith(OWN) or key.value == DEFAULTS):
                continue
            below = (*loc, key.value)
            if key.value in mapping:
                first = self.document.keys[below].line
                message = f"is set twice, first in line {first}; keep one of them"
                self._key_problem(key, below, message)
                continue
            self._add(mapping, key, item, loc, others.pop(key.value, (None, None))[1])
        for key, item in (*merged, *others.values()):
            if isinstance(key, yaml.ScalarNode) and key.value not in mapping:
                self._add(mapping, key, item, loc, None)
        if loc == ("models",):
            self._add_pattern_models(mapping)
        return mapping

    def _add_pattern_models(self, models: dict[str, Any]) -> None:
        """Write out the models of each pattern that have no settings of their own."""
        for pattern, key, item in self.patterns:
            for part in self.parts.get(pattern.text, ()):
                name = pattern.fill(part)
                if name not in models:
                    # Each has as many values as the pattern, which are counted once.
                    count = self.nodes
                    self.document.keys["models", name] = _position(key)
                    instance = fill(item, pattern.placeholder, part)
                    models[name] = self.value(instance, ("models", name))
                    self.nodes = count

    def _model_fallback(self, name: str) -> yaml.Node | None:
        """What completes a model: the first pattern that its name fits, or the defaults."""
        if NamePattern.parse(name) is None:
            for pattern, _, item in self.patterns:
                if (part := pattern.part_of(name)) is not None:
                    return fill(item, pattern.placeholder, part)
        return self.defaults

    def _add(
        self,
        mapping: dict[str, Any],
        key: yaml.ScalarNode,
        item: yaml.Node,
        loc: Loc,
        fallback: yaml.Node | None,
    ) -> None:
        below = (*loc, key.value)
        self.document.keys[below] = _position(key)
        if below[:1] == ("models",) and len(below) == 2:
            fallback = self._model_fallback(key.value)
        mapping[key.value] = self.value(item, below, fallback)

    def _merged(self, node: yaml.Node, loc: Loc) -> list[tuple[yaml.Node, yaml.Node]]:
        """The keys and values of a merge key: of one mapping, or of several, the first one wins."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        for item in nodes:
            if not isinstance(item, yaml.MappingNode):
                self.document.values[loc] = _position(node)
                self._add_problem(loc, "should be a mapping, or a list of mappings: `<<: *name`")
                continue
            for key, value in item.value:
                if isinstance(key, yaml.ScalarNode) and key.value == MERGE:
                    pairs += self._merged(value, loc)
                else:
                    pairs.append((key, value))
            self.nodes += len(item.value)
            if self.nodes > MAX_NODES:
                raise OverflowError
        return pairs

    def _key_problem(self, key: yaml.Node, loc: Loc, message: str) -> None:
        place, path = _position(key), str(self.document.path)
        self.document.problems.append(
            Problem(
                path=path,
                line=place.line,
                column=place.column,
                name=dotted_name(loc),
                message=message,
            )
        )

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> Any:
        text: str = node.value
        if node.style is not None and node.tag == f"{_TAG}str":
            return Quoted(text)
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return self._int(text, loc)
            case "float":
                number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
                if not math.isfinite(number):
                    self._add_problem(loc, "should be a finite number")
                return number
        self._add_problem(
            loc, "a YAML tag (!...) has no meaning here; put text that begins with ! in quotes"
        )
        return None

    def _int(self, text: str, loc: Loc) -> int:
        if len(text) > 300:
            self._add_problem(loc, "is too long for a number; put text in quotes")
            return 0
        # int(text, 0) would refuse the leading zeros that YAML allows.
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
