"""Imports point one way: from the faces of the agent down to its types. A plugin imports `driftline`
and `driftline.kit.*` only.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import driftline

ROOT = Path(__file__).parent.parent
CORE = ROOT / "src/driftline"

LAYERS = (
    {"types"},
    {"stats", "profiles"},
    {"contracts"},
    {"kit"},
    {"extensions"},
    {"alerting", "config"},
    {"state"},
    {"ingest", "evaluate", "delivery", "telemetry", "charts"},
    {"agent", "onboarding", "incidents", "documents", "catalog"},
    {"comparison"},
    {"cli", "web", "report", "backtest", "testing", "client", "spark", "__main__"},
)
"""Lowest first. A room imports from itself and from the layers below its own."""

WITHIN_LAYER = {
    ("profiles", "stats"),
    ("agent", "catalog"),
    ("agent", "incidents"),
    ("cli", "backtest"),
    ("cli", "report"),
    ("cli", "web"),
    ("__main__", "cli"),
}
"""Imports between two rooms of one layer that are allowed: (importer, imported)."""

NEVER = {("evaluate", "state")}
"""Imports that the layers would allow: evaluation gets its windows and history as arguments."""

ROOT_FILES = 12
"""The most files beside the folders in the package root."""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of each import, also within functions and `if TYPE_CHECKING`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 1 and path.is_relative_to(ROOT / "plugins"):
                assert path.parent.parent.parent == ROOT / "plugins", (
                    f"{path}: no folder of a plugin"
                )
                continue  # a file of the same plugin
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def room(name: str) -> str | None:
    """`ingest` of `driftline.ingest.ledger.Ledger`; None of `driftline.Check`."""
    package, _, inner = name.partition(".")
    part = inner.partition(".")[0]
    return part if package == "driftline" and any(part in layer for layer in LAYERS) else None


def level(name: str) -> int:
    """The height of a room."""
    return next(height for height, layer in enumerate(LAYERS) if name in layer)


def python_files(folder: str) -> list[Path]:
    """All Python files of a folder."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    return paths


def test_every_room_has_a_layer():
    """A new folder must be given its layer."""
    assert {path.parent.name for path in CORE.glob("*/__init__.py")} <= set().union(*LAYERS)


def test_root_holds_few_files():
    """The package root is a list of rooms, not a drawer."""
    assert len([path for path in CORE.iterdir() if path.is_file()]) <= ROOT_FILES
    assert len(driftline.__all__) <= 54


@pytest.mark.parametrize(
    "path",
    python_files("src/driftline"),
    ids=lambda path: path.relative_to(ROOT / "src").as_posix(),
)
def test_core_imports_downwards(path):
    """The core imports no plugin, and no room imports from a layer above its own, not even types."""
    importer = path.relative_to(CORE).parts[0].removesuffix(".py")
    for line, name in imports(path):
        assert not name.startswith("driftline_plugins"), f"line {line}: {name}"
        imported = room(name)
        if imported is None or importer == imported or importer == "__init__":
            assert importer != "types" or not name.startswith("driftline.") or imported == "types"
            continue
        below = level(imported) < level(importer)
        allowed = (below and (importer, imported) not in NEVER) or (
            importer,
            imported,
        ) in WITHIN_LAYER
        assert allowed, f"line {line}: {importer} may not import {name}"


def module_imports() -> dict[str, set[str]]:
    """The modules of driftline that each module imports, type-only imports included."""
    modules = {}
    for path in python_files("src/driftline"):
        name = ".".join(path.relative_to(CORE.parent).with_suffix("").parts)
        modules[name.removesuffix(".__init__")] = path
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        graph[name] = set()
        for _, target in imports(path):
            while target and target not in modules:
                target = target.rpartition(".")[0]
            if target and target not in (name, "driftline"):
                graph[name].add(target)
    return graph


def test_no_import_cycle():
    """No module imports itself through others, not even for types."""
    graph, done = module_imports(), set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize(
    "path", python_files("plugins"), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_plugins_import_the_contract_only(path):
    """A shipped plugin imports what anyone's plugin may, and no other plugin.

    A plugin of several files is a folder, whose files import each other.
    """
    for line, name in imports(path):
        package, _, inner = name.partition(".")
        assert package != "driftline_plugins", f"line {line}: {name}"
        allowed = inner in driftline.__all__ or inner == "stats" or inner.startswith("kit.")
        assert package != "driftline" or allowed, f"line {line}: {name}"


def test_every_package_is_part_of_the_distribution():
    """A folder with modules that the list lacks would be missing after `pip install`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        ".".join([name, *path.relative_to(base).parent.parts])
        for name, base in (
            ("driftline", ROOT / "src/driftline"),
            ("driftline_plugins", ROOT / "plugins"),
        )
        for path in base.rglob("*.py")
    }
    assert folders == set(settings["packages"])
