"""Patterns of model names: `prod-{endpoint}` stands for one model for each folder of a source.

Works on the nodes of the YAML file, so that each value keeps its position.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

MERGE = "<<"
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_TEXT = "tag:yaml.org,2002:str"

Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A name with one placeholder."""

    text: str
    placeholder: str
    """The name of the placeholder, without braces."""

    @classmethod
    def parse(cls, name: str) -> NamePattern | None:
        """Return the pattern that a model's name is; None for a plain name.

        A name with several placeholders counts by its first one.
        """
        match = PLACEHOLDER.search(name)
        return None if match is None else cls(name, match.group(1))

    def fill(self, part: str) -> str:
        """Return the text with `part` in place of the placeholder."""
        return fill_text(self.text, self.placeholder, part)

    def part_of(self, name: str) -> str | None:
        """Return the part for which this pattern has `name`; None where it has no such name."""
        return part_in(self.text, self.placeholder, name)


def fill_text(text: str, placeholder: str, part: str) -> str:
    """Return `text` with `part` in place of each `{placeholder}`."""
    return text.replace(f"{{{placeholder}}}", part)


def part_in(text: str, placeholder: str, name: str) -> str | None:
    """Return what stands in `name` where `text` has its placeholder; None where it doesn't fit."""
    before, _, after = text.partition(f"{{{placeholder}}}")
    fits = len(name) > len(before) + len(after) and name.startswith(before) and name.endswith(after)
    return name[len(before) : len(name) - len(after)] if fits else None


def find_folder_option(options: Mapping[str, Any], placeholder: str) -> str | None:
    """Return the option of a source that names the folder of each model; None unless one does.

    A layout may have the placeholder too: it says where the times are.
    """
    mark = f"{{{placeholder}}}"
    names = [
        name
        for name, value in options.items()
        if isinstance(value, str) and mark in value and name != "layout"
    ]
    return names[0] if len(names) == 1 else None


def pairs_of(node: yaml.Node | None, depth: int = 0) -> Pairs:
    """Return the keys and values of a mapping with those that it merges; empty for other nodes."""
    if not isinstance(node, yaml.MappingNode) or depth > 20:
        return {}
    own: Pairs = {}
    merged: list[yaml.Node] = []
    for key, item in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value == MERGE and key.style is None:
                merged += item.value if isinstance(item, yaml.SequenceNode) else [item]
            else:
                own.setdefault(key.value, (key, item))
    for item in merged:
        own = pairs_of(item, depth + 1) | own
    return own


def may_complete(node: yaml.Node, fallback: yaml.Node | None) -> bool:
    """Whether `fallback` may complete `node`: options of another plugin say nothing of this one."""
    types = [pairs_of(side).get("type", (None, None))[1] for side in (node, fallback)]
    own, other = (item.value if isinstance(item, yaml.ScalarNode) else None for item in types)
    return own is None or other is None or own == other


def complete(node: yaml.Node, fallback: yaml.Node | None) -> yaml.Node:
    """Return `node` with what `fallback` has and `node` leaves out; mappings are merged."""
    if (
        not isinstance(node, yaml.MappingNode)
        or fallback is None
        or not may_complete(node, fallback)
    ):
        return node
    others = pairs_of(fallback)
    entries = []
    for key, item in node.value:
        other = others.pop(key.value, None) if isinstance(key, yaml.ScalarNode) else None
        entries.append((key, item if other is None else complete(item, other[1])))
    rest = yaml.MappingNode(node.tag, list(others.values()), node.start_mark, node.end_mark)
    merge = yaml.ScalarNode(_TEXT, MERGE, node.start_mark, node.end_mark)
    return yaml.MappingNode(node.tag, [*entries, (merge, rest)], node.start_mark, node.end_mark)


def fill(
    node: yaml.Node, placeholder: str, part: str, copies: dict[int, yaml.Node] | None = None
) -> yaml.Node:
    """Return a copy of `node` with `part` in place of each `{placeholder}` of its texts.

    Keys stay as they are.
    """
    copies = {} if copies is None else copies
    if id(node) in copies:
        return copies[id(node)]
    value = node.value
    if isinstance(node, yaml.ScalarNode):
        text = fill_text(value, placeholder, part) if node.tag == _TEXT else value
        return yaml.ScalarNode(node.tag, text, node.start_mark, node.end_mark, node.style)
    copy: yaml.CollectionNode
    if isinstance(node, yaml.MappingNode):
        copy = yaml.MappingNode(node.tag, [], node.start_mark, node.end_mark)
        copies[id(node)] = copy
        copy.value = [(key, fill(item, placeholder, part, copies)) for key, item in value]
    else:
        copy = yaml.SequenceNode(node.tag, [], node.start_mark, node.end_mark)
        copies[id(node)] = copy
        copy.value = [fill(item, placeholder, part, copies) for item in value]
    return copy
