"""Dependencies point one way, from the faces of the agent down to its words; a plugin sees the package root."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import driftline

ROOT = Path(__file__).parent.parent
CORE = ROOT / "src/driftline"

LAYERS = (
    {"stats"},
    {"model", "profiles"},
    {path.stem for path in CORE.glob("*.py")} - {"model", "__main__"},
    {"state", "config", "extensions"},
    {"ingest", "evaluate", "alerting", "delivery", "charts"},
    {"runtime"},
    {"backtest"},
    {"cli", "web", "report", "testing", "__main__"},
)
"""Lowest first: a module imports from its own layer and from those below. The modules at the root are the plugin API."""

ERRORS = "driftline.errors"
"""Has no imports of its own and may be raised anywhere."""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of all that a file imports, also within functions and `if TYPE_CHECKING`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def part(name: str) -> str:
    """`ingest` of `driftline.ingest.ledger.Ledger`; `__init__` of `driftline.Check`."""
    second = name.partition(".")[2].partition(".")[0]
    known = any(second in layer for layer in LAYERS)
    return second if known else "__init__"


def level(name: str) -> int:
    """The height of a part of the house."""
    return next(height for height, layer in enumerate(LAYERS) if name in layer)


def files(folder: str) -> list[Path]:
    """All Python files of a folder."""
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def test_every_part_has_a_layer():
    """A new folder must be given its place."""
    assert {path.parent.name for path in CORE.glob("*/__init__.py")} <= set().union(*LAYERS)


@pytest.mark.parametrize("path", files("src/driftline"), ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_core_looks_down_only(path):
    """Nothing in the core imports a plugin, and nothing imports from a layer above its own, not even for types."""
    own = path.relative_to(CORE).parts[0].removesuffix(".py")
    for line, name in imports(path):
        assert not name.startswith("driftline_plugins"), f"line {line}: {name}"
        allowed = not name.startswith("driftline.") or name.startswith(ERRORS) or level(part(name)) <= level(own)
        assert allowed, f"line {line}: {own} may not import {name}"


@pytest.mark.parametrize("path", files("plugins"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_plugins_see_the_root_only(path):
    """What ships imports what anyone's plugin may: names that `driftline` offers, and not each other."""
    for line, name in imports(path):
        package, _, rest = name.partition(".")
        assert package != "driftline_plugins", f"line {line}: {name}"
        assert package != "driftline" or rest in driftline.__all__, f"line {line}: {name}"
