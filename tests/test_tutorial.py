"""docs/tutorial.md is true: its files are written, its commands run, and its output appears as it is shown."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.extensions import Registry
from driftline.testing import assert_plugin_contract

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, str, str]]:
    """Of each block: the file it stands for (empty for commands), its language, its text."""
    for match in BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")):
        yield match[1] or "", match[2], match[3]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command, with the lines that its output must hold, in that order."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def install(package: Path, site: Path) -> str:
    """Put a package where `pip install` would: its modules, and beside them its name, version and entry points."""
    project = tomllib.loads((package / "pyproject.toml").read_text())
    about = project["project"]
    for name in project["tool"]["setuptools"]["packages"]:
        shutil.copytree(package / name, site / name)
    info = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    points = "\n".join(f"{name} = {value}" for name, value in about["entry-points"]["driftline"].items())
    (info / "entry_points.txt").write_text(f"[driftline]\n{points}\n")
    return ""


def run(command: str, folder: Path) -> str:
    site = folder.parent / "site"
    if command.startswith("pip install "):
        return install(folder / command.removeprefix("pip install "), site)
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}", "PYTHONPATH": str(site), "COLUMNS": "200"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, text=True, timeout=120, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Path:
    """The folder of a reader who did all that the tutorial says, and saw what it shows."""
    folder = tmp_path_factory.mktemp("tutorial") / "work"
    for file, language, text in steps():
        if file:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
            continue
        assert language == "console", f"a block of {language} without the name of its file"
        for command, shown in commands(text):
            output = run(command, folder)
            place = 0
            for line in shown:
                pattern = r".*".join(re.escape(part.strip()) for part in line.split("..."))
                found = re.compile(pattern).search(output, place)
                assert found, f"$ {command}\nshould show: {line}\nbut shows:\n{output}"
                place = found.end()
    return folder


def test_a_reader_sees_what_the_tutorial_shows(followed):
    """Every file can be written and every command gives the output shown, from the empty folder to the end."""
    assert (followed / "diary.txt").exists()


def test_the_first_check_is_short():
    """A user's check is one file of at most 15 lines."""
    first = next(text for file, _, text in steps() if file == "checks/busiest.py")
    assert len(first.splitlines()) <= 15


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [("sink", "diary", {"path": "contract.txt"}), ("source", "zipped", {"path": "logs.zip"}), ("format", "pairs", {})],
)
def test_the_tutorials_plugins_keep_the_contract(followed, monkeypatch, kind, name, options):
    """What the tutorial teaches passes what is asked of every plugin."""
    monkeypatch.chdir(followed)
    registry = Registry.load([followed / "more" / f"{name}.py"], entry_points=False)
    assert not registry.problems
    assert_plugin_contract(registry.get(kind, name), **options)


def test_the_installed_check_keeps_the_contract(followed, monkeypatch):
    """The check that became a package does too."""
    monkeypatch.syspath_prepend(followed.parent / "site")
    from acme_driftline.unseen import Unseen

    assert_plugin_contract(Unseen)
