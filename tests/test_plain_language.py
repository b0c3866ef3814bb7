"""Docs, help, errors and docstrings avoid phrases that stop a reader."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from driftline.cli.main import cli as main

ROOT = Path(__file__).parent.parent
PHRASES = re.compile(
    r"\b[Rr]efuses\b|\bthe mend\b|\bcomes? to\b|\bis told\b|\btells? nobody\b|\bof which\b"
)
PAGES = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "config.example.yaml")
]


def strings() -> Iterator[tuple[str, str]]:
    """Place and text of each string literal of the agent and its plugins, docstrings included."""
    for folder in ("src/driftline", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def test_pages_have_no_stumbling_phrase() -> None:
    """README, documentation, comments of the example."""
    pages = [*PAGES, *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    places = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in pages
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PHRASES.search(line)
    ]
    assert places == []


def test_strings_have_no_stumbling_phrase() -> None:
    """Errors, log lines, help and docstrings."""
    assert [place for place, text in strings() if PHRASES.search(text)] == []


def commands(group: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names of all commands below a group."""
    yield names
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            if command := group.get_command(context, name):
                yield from commands(command, (*names, name))


@pytest.mark.parametrize("names", sorted(commands(main)), ids=" ".join)
def test_help_has_no_stumbling_phrase(names: tuple[str, ...]) -> None:
    """The help of every command, as a terminal shows it."""
    command: click.Command = main
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    text = command.get_help(click.Context(command, info_name=" ".join(("driftline", *names))))
    assert not PHRASES.search(" ".join(text.split()))
