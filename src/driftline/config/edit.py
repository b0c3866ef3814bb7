"""Sets a value in the text of a configuration and keeps comments, order and layout.

Does not write a file. Reads its result again and raises an error unless it holds the old values
and the new one.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from driftline.config.document import Document, Loader, Loc, dotted_name, parse_document
from driftline.types.errors import ConfigError

WIDE = 120


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.2 would read as another type."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their name."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write no value as an alias."""
        return True


def set_value(text: str, path: Path, loc: Loc, key: str, value: Any, comment: str = "") -> str:
    """Return `text`, the content of `path`, with `key` of the mapping at `loc` set to `value`.

    A new key becomes the last one. `comment` is written above it if the mapping is in block style.
    Raises ConfigError when the text can't be changed safely: when the mapping is an alias or is
    merged from one, or when an anchor would be lost.
    """
    before = parse_document(text, path)
    expected = copy.deepcopy(before.value)
    holder = expected
    for part in loc:
        holder = holder[part]
    holder[key] = value
    changed_text = _put(text, _node(text, loc), key, value, comment)
    try:
        after = parse_document(changed_text, path)
    except ConfigError:
        raise _unsafe(before, loc, key) from None
    if after.value != expected or len(after.problems) > len(before.problems):
        raise _unsafe(before, loc, key)
    return changed_text


def _unsafe(document: Document, loc: Loc, key: str) -> ConfigError:
    name = dotted_name((*loc, key))
    return ConfigError(
        [
            document.problem(
                loc, f"{name} can't be set without changing other values: set it by hand"
            )
        ]
    )


def snippet(value: dict[str, Any]) -> str:
    """Write a mapping as YAML in block style, its innermost lists and mappings on one line each."""
    # PyYAML would write a mapping that holds only scalars on one line, too.
    flow = None if any(isinstance(part, (dict, list)) for part in value.values()) else False
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=WIDE,
        default_flow_style=flow,
    )
    return text


def _node(text: str, loc: Loc) -> yaml.MappingNode:
    node: Any = yaml.compose(text, Loader=Loader)
    for part in loc:
        node = next(value for key, value in node.value if key.value == part)
    assert isinstance(node, yaml.MappingNode)
    return node


def _put(text: str, node: yaml.MappingNode, key: str, value: Any, comment: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    have = next(((name, old) for name, old in node.value if name.value == key), None)
    if node.flow_style:
        entry = _in_flow(key, value)
        if have is not None:
            return text[: have[0].start_mark.index] + entry + text[_end(have[1]) :]
        if not node.value:
            return text[: node.start_mark.index + 1] + entry + text[node.start_mark.index + 1 :]
        end = _last(node)
        return f"{text[:end]}, {entry}{text[end:]}"
    indent = " " * node.value[0][0].start_mark.column
    lines = [
        *(f"# {line}" for line in comment.splitlines() if have is None),
        *snippet({key: value}).splitlines(),
    ]
    entry = f"{newline}{indent}".join(lines)
    if have is not None:
        return (
            text[: have[0].start_mark.index]
            + entry
            + text[max(_end(have[1]), have[0].end_mark.index + 1) :]
        )
    end = text.find("\n", _last(node))
    if end < 0:
        return f"{text}{newline}{indent}{entry}{newline}"
    return f"{text[: end + 1]}{indent}{entry}{newline}{text[end + 1 :]}"


def _in_flow(key: str, value: Any) -> str:
    text: str = yaml.dump(
        {key: value},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=True,
        width=1e9,
    )
    return text.strip()[1:-1]


def _last(node: yaml.Node) -> int:
    """Return where the last entry of a mapping or list ends, before the comment of its line."""
    ends = [
        _end(part)
        for entry in node.value
        for part in (entry if isinstance(entry, tuple) else (entry,))
    ]
    return max(ends, default=node.end_mark.index)


def _end(node: yaml.Node) -> int:
    """Return where the text of a node ends. Marks of nested blocks end at the next token only."""
    if isinstance(node, yaml.CollectionNode):
        return int(node.end_mark.index) if node.flow_style else _last(node)
    literal = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    return int(node.end_mark.index) - literal
