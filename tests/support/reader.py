"""A reader of a tutorial: writes its files, runs its commands, and looks whether they show what the
page shows.

Refuses a block that is neither a file nor commands.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: str) -> Iterator[tuple[str, str, str]]:
    """Of each block: the file it stands for (empty for commands), its language, its text."""
    for match in BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        yield match[1] or "", match[2], match[3]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command, with the lines that its output must hold, in that order."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def install(package: Path, site: Path) -> str:
    """Put a package where `pip install` would: its modules, and beside them its name, version and
    entry points.
    """
    project = tomllib.loads((package / "pyproject.toml").read_text())
    about = project["project"]
    for name in project["tool"]["setuptools"]["packages"]:
        shutil.copytree(package / name, site / name)
    info = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
    )
    points = "\n".join(
        f"{name} = {value}" for name, value in about["entry-points"]["driftline"].items()
    )
    (info / "entry_points.txt").write_text(f"[driftline]\n{points}\n")
    return ""


def run(command: str, folder: Path) -> str:
    site = folder.parent / "site"
    if command.startswith("pip install "):
        return install(folder / command.removeprefix("pip install "), site)
    scripts = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, text=True, timeout=120, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def follow(page: str, folder: Path) -> Path:
    """Do all that the page says, in `folder`, and see what it shows."""
    for file, language, text in steps(page):
        if file:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
            continue
        assert language == "console", f"a block of {language} without the name of its file"
        folder.mkdir(parents=True, exist_ok=True)
        for command, shown in commands(text):
            output = run(command, folder)
            place = 0
            for line in shown:
                pattern = r".*".join(re.escape(part.strip()) for part in line.split("..."))
                found = re.compile(pattern).search(output, place)
                assert found, f"$ {command}\nshould show: {line}\nbut shows:\n{output}"
                place = found.end()
    return folder
