"""The core names no plugin: what it must know of one, the plugin declares.

The names are taken from the plugins that ship. Docstrings may name them as examples.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.extensions.registry import Registry
from driftline.kit.stores.layout import LAYOUTS

CORE = Path(__file__).parent.parent / "src/driftline"
REGISTRY = Registry.load()

ORDINARY = {
    "brier": "a sum that the collector of scores keeps",
    "columns": "columns of a table or a chart",
    "constant": "a schema's version that is no column; values that are all alike",
    "constraints": "the JSON field with what another tool's file asks of a feature",
    "drift": "the family of alerts, beside quality, service and performance",
    "embedding": "the kind of a column",
    "fairness": "the family of alerts about groups that are treated worse",
    "file": "`${file:...}`, and pydantic's and click's word for a file",
    "labels": "the labels of an alert, and the part of a configuration about late labels",
    "log_loss": "a sum that the collector of scores keeps",
    "mean_shift": "the sample finding of `driftline notify test`, which no check measured",
    "missing": "pydantic's name for the error that a setting is not there; a JSON field",
    "performance": "the family of alerts about a model's predictions",
    "psi": "the sample finding of the testing kit, which no check measured",
    "rows": "the rows of a window, in JSON, tables and charts",
    "s3": "a key of the JSON of Amazon's event notifications",
    "schema": "the part of a configuration that names columns",
    "text": "the kind of a column, and a key of Slack's and Google's JSON",
}
"""Words that are ordinary beside being a plugin's name, each with what it means in the core."""

READS_OPTIONS = {"config", "cli", "agent", "onboarding", "evaluate"}
"""The rooms that have the options of plugins at hand."""


def core_files() -> list[Path]:
    """Modules of the core; `stats` names its functions after what they compute."""
    return sorted(path for path in CORE.rglob("*.py") if path.parts[len(CORE.parts)] != "stats")


def measurements() -> set[str]:
    """What shipped checks declare of their measurements."""
    names = set()
    for check in REGISTRY.checks():
        names |= {
            check.main or check.type,
            *check.default_rules,
            *check.wordings,
            *check.schema_changes,
        }
    return names


def types(*kinds: str) -> set[str]:
    """The types of shipped plugins of some kinds."""
    return {name for kind in kinds for name in REGISTRY.names(kind)}


def column_options() -> set[str]:
    """The options of shipped checks that name columns."""
    return {
        option
        for check in REGISTRY.checks()
        for option, field in check.model_fields.items()
        if option == "columns" or "ColumnNames" in f"{field.annotation!r}{field.metadata!r}"
    }


def docstrings(tree: ast.Module) -> set[int]:
    """The nodes of strings that stand alone: docstrings, and those below attributes."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def strings(tree: ast.AST) -> Iterator[ast.Constant]:
    """All string constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def deciding(tree: ast.Module) -> Iterator[ast.Constant]:
    """Strings by which something is compared, looked up or matched."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            parts = list(node.keys)
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = list(node.args[:1]) if node.func.attr in ("get", "pop", "setdefault") else []
        for part in parts:
            if isinstance(part, (ast.Constant, ast.Tuple, ast.Set, ast.List)):
                yield from strings(part)


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.relative_to(CORE).as_posix())
def test_no_string_of_the_core_is_a_plugins_name(path):
    """No string equals the type of a shipped check or a measurement; none that decides equals the
    type of another shipped plugin.
    """
    tree = ast.parse(path.read_text())
    lone = docstrings(tree)
    words = (types("check") | measurements()) - set(ORDINARY)
    assert [
        f"line {node.lineno}: {node.value}"
        for node in strings(tree)
        if id(node) not in lone and node.value in words
    ] == []
    # Layouts have names of their own, which some formats share.
    names = types("source", "sink", "format", "action", "executor") - {*ORDINARY, *LAYOUTS}
    if path.parts[len(CORE.parts)] in READS_OPTIONS:
        names |= column_options() - set(ORDINARY)
    assert [
        f"line {node.lineno}: {node.value}" for node in deciding(tree) if node.value in names
    ] == []


def test_few_words_are_ordinary():
    """The list of exceptions stays short, and each is a plugin's name or option."""
    assert len(ORDINARY) <= 18
    assert all(ORDINARY.values())
    names = types("check", "source", "sink", "format", "action") | measurements() | column_options()
    assert set(ORDINARY) <= names


def test_the_plugins_declare_what_is_searched_for():
    """The lists are not empty by mistake."""
    assert {"schema", "rows_ratio", "staleness", "type_changed"} <= types("check") | measurements()
    assert {"limits", "keys", "pairs", "sets", "expressions", "tolerance"} <= column_options()
