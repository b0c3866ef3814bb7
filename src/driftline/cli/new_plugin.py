"""`driftline new-plugin`: write a plugin that works, and its test, to start from.

Does not overwrite a file.
"""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path

import click

from driftline.extensions.registry import Registry

KINDS = ("check", "collector", "source", "format", "sink", "action")
"""The kinds that have a template."""


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=".",
    show_default=True,
    help="Where to write the files.",
)
def new_plugin(kind: str, name: str, folder: Path) -> int:
    """Write a new plugin of KIND called NAME, and its test, to start from.

    A collector is written together with a check that uses it. A sink is written together with a
    golden file: the body of the request that its test expects.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise click.UsageError(
            "NAME must begin with a small letter; small letters, digits, _ and - may follow."
        )
    module = name.replace("-", "_")
    if (
        keyword.iskeyword(module)
        or module.startswith("test_")
        or module.endswith("_test")
        or module == "conftest"
    ):
        raise click.UsageError(
            f"A file called {module}.py would not be loaded as a plugin; choose another NAME."
        )
    _assert_free(kind, name)
    words = {
        "name": name,
        "module": module,
        "upper": module.upper(),
        "class_name": "".join(part.capitalize() for part in module.split("_") if part),
    }
    targets = {
        folder / f"{module}.py": f"{kind}.py.txt",
        folder / f"test_{module}.py": f"{kind}_test.py.txt",
    }
    if kind == "sink":
        targets[folder / "golden" / f"{module}_opened.json"] = "sink_opened.json.txt"
    for path in targets:
        if path.exists():
            raise click.UsageError(f"{path} exists; choose another NAME or --dir.")
    templates = files("driftline.cli") / "templates"
    for path, template in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            (templates / template).read_text(encoding="utf-8").format(**words), encoding="utf-8"
        )
        click.echo(path)
    click.echo(f"Try it: pytest {folder / f'test_{module}.py'}")
    click.echo(f"Use it: plugins: {{paths: [{folder}]}} in the configuration, then `type: {name}`.")
    return 0


def _assert_free(kind: str, name: str) -> None:
    """Raise UsageError if an installed plugin of the kind has the name."""
    registry = Registry.load()
    for taken in ("collector", "check") if kind == "collector" else (kind,):
        if name in registry.names(taken):
            origin = registry.info(taken, name).origin
            raise click.UsageError(
                f"A {taken} called {name} exists already, from {origin}; choose another NAME."
            )
