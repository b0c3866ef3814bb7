"""Find plugin modules: installed ones by entry point, a user's own by file. One that can't be
loaded costs only itself.

Refuses to look inside: what a module offers is the registry's business.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import linecache
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from driftline.extensions.problem import PluginProblem

GROUP = "driftline"


@dataclass(frozen=True, slots=True)
class Found:
    """A module (or any object with hooks), where it came from and its version."""

    plugin: Any
    origin: str
    version: str
    path: Path | None = None


def built_in_collectors() -> Found:
    """The collectors that driftline brings."""
    from driftline.extensions import built_in  # loads numpy

    return Found(built_in, "driftline", importlib.metadata.version("driftline"))


def installed() -> Iterator[Found | PluginProblem]:
    """Every entry point of the group, loaded one by one."""
    points = importlib.metadata.entry_points(group=GROUP)
    for point in sorted(
        points, key=lambda point: (point.dist.name if point.dist else "", point.name)
    ):
        dist = point.dist
        origin = f"{dist.name} ({point.value})" if dist else point.value
        try:
            plugin = point.load()
        except Exception as error:
            yield PluginProblem(origin, f"could not be loaded: {describe(error)}")
        else:
            yield Found(plugin, origin, dist.version if dist else "")


def own(paths: Sequence[Path]) -> Iterator[Found | PluginProblem]:
    """The plugin files at `paths`, each once; in a folder all `*.py` but tests and names that begin
    with `_` or `.`.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            yield PluginProblem(str(path), "there is no such file or folder", fatal=True, path=path)
            continue
        for file in _files(path):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield _load(file, path)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in sorted(path.glob("*.py")) if not _is_aside(file.stem)]


def _is_aside(stem: str) -> bool:
    return stem.startswith(("_", ".", "test_")) or stem.endswith("_test") or stem == "conftest"


def _load(file: Path, path: Path) -> Found | PluginProblem:
    origin = str(file)
    name = f"driftline_own_{file.stem}_{sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
    try:
        source = file.read_bytes()
        module = _execute(name, file, source)
    # A plugin may also call sys.exit() as it loads; that is no reason to leave.
    except (Exception, SystemExit) as error:
        return PluginProblem(origin, f"could not be loaded: {describe(error)}", path=path)
    return Found(module, origin, sha256(source).hexdigest()[:12], path)


def _execute(name: str, file: Path, source: bytes) -> ModuleType:
    """Compiled here, not by an import: no stale bytecode after an edit, and none written beside the
    file.
    """
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    linecache.checkcache(str(file))
    sys.modules[name] = module
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def describe(error: BaseException) -> str:
    """The kind of error, its text, and the place in the plugin where it arose."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})" if place else ""
    return text + ("" if isinstance(error, SyntaxError) else where)
