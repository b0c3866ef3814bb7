"""Finds and loads plugin modules: installed ones by entry point, a user's own by file.

A module that can't be loaded is a problem in the result, not an error. Does not look at what a
module offers: the registry does, and decides when an installed module is loaded.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import linecache
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from driftline.contracts.plugin import PluginKind

GROUP = "driftline"
"""The group of entry points."""

OWN_PREFIX = "driftline_own_"
"""Begins the names of modules from `plugins.paths`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProblem:
    """A plugin, or a part of one, that can't be used."""

    origin: str
    """The file, or the distribution and module."""
    message: str
    """What is wrong, and how to fix it."""
    fatal: bool = False
    """Whether this is a mistake of the configuration, so that nothing starts."""
    path: Path | None = None
    """The entry of `plugins.paths` that names the plugin; None for an installed one."""
    distribution: str = ""
    """The distribution of an installed plugin; empty for a file."""

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginModule:
    """A loaded module, or any object with hooks."""

    module: Any
    origin: str
    """The file, or the distribution and module."""
    version: str
    """The version of the distribution; for a file, 12 hex digits of its SHA-256."""
    path: Path | None = None
    """The entry of `plugins.paths` that names it; None for an installed one."""
    distribution: str = ""
    """The distribution of an installed module; empty for a file."""


def load_built_in() -> PluginModule:
    """Load the module that registers driftline's own collectors."""
    from driftline.extensions import built_in  # loads numpy

    return PluginModule(
        module=built_in, origin="driftline", version=importlib.metadata.version("driftline")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledModule:
    """A module that an entry point names, before it is loaded."""

    point: importlib.metadata.EntryPoint
    distribution: str
    version: str
    """The version of the distribution."""
    promise: tuple[str, str] | None
    """Kind and name of the plugin that an entry point `KIND-NAME` offers; None for others."""

    @property
    def origin(self) -> str:
        """The distribution and module."""
        name, value = self.distribution, self.point.value
        return f"{name} ({value})" if name else value

    def load(self) -> PluginModule | PluginProblem:
        """Import the module."""
        name, origin = self.distribution, self.origin
        try:
            plugin = self.point.load()
        except Exception as error:
            message = f"could not be loaded: {describe_error(error)}"
            return PluginProblem(origin=origin, message=message, distribution=name)
        return PluginModule(module=plugin, origin=origin, version=self.version, distribution=name)


def _promise(point: str) -> tuple[str, str] | None:
    kind, hyphen, name = point.partition("-")
    return (kind, plain_name(name)) if hyphen and kind in get_args(PluginKind) else None


def plain_name(name: str) -> str:
    """Return the name of a plugin in the one form in which names are compared."""
    return name.replace("-", "_")


def find_installed() -> list[InstalledModule]:
    """Return the modules of all entry points of the group, by distribution and name."""
    # A distribution parses its whole metadata for its name, and again for its version.
    names: dict[int, str] = {}
    versions: dict[int, str] = {}
    points = importlib.metadata.entry_points(group=GROUP)
    for point in points:
        dist = point.dist
        if dist is not None and id(dist) not in names:
            metadata = dist.metadata
            names[id(dist)], versions[id(dist)] = metadata["Name"], metadata["Version"]
    modules = [
        InstalledModule(
            point=point,
            distribution=names.get(id(point.dist), ""),
            version=versions.get(id(point.dist), ""),
            promise=_promise(point.name),
        )
        for point in points
    ]
    return sorted(modules, key=lambda module: (module.distribution, module.point.name))


def load_own(paths: Sequence[Path]) -> Iterator[PluginModule | PluginProblem]:
    """Load the plugin files at `paths`, each file once.

    Of a folder, load every `*.py` except tests and names that begin with `_` or `.`.
    """
    resolved_paths: set[Path] = set()
    for path in paths:
        if not path.exists():
            message = "there is no such file or folder; correct plugins.paths"
            yield PluginProblem(origin=str(path), message=message, fatal=True, path=path)
            continue
        if _others_can_write(path):
            message = (
                "everybody on this machine can write to it, and so could have the agent run their "
                f"code; take the right away with: chmod o-w {path}"
            )
            yield PluginProblem(origin=str(path), message=message, fatal=True, path=path)
            continue
        for file in _files(path):
            if file.resolve() not in resolved_paths:
                resolved_paths.add(file.resolve())
                yield _load(file, path)


def _others_can_write(path: Path) -> bool:
    """Whether people other than owner and group can change a file, or the files of a folder."""
    parts = [path, *(_files(path) if path.is_dir() else [path.parent])]
    modes = [part.stat().st_mode for part in parts]
    # In a folder with the sticky bit, such as /tmp, nobody can replace the file of another one.
    return any(
        mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX) for mode in modes
    )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in sorted(path.glob("*.py")) if not _is_skipped(file.stem)]


def _is_skipped(stem: str) -> bool:
    return stem.startswith(("_", ".", "test_")) or stem.endswith("_test") or stem == "conftest"


def _load(file: Path, path: Path) -> PluginModule | PluginProblem:
    origin = str(file)
    name = f"{OWN_PREFIX}{file.stem}_{sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
    try:
        source = file.read_bytes()
        module = _execute(name, file, source)
    # SystemExit too: a plugin that calls sys.exit() while it loads must not end the agent.
    except (Exception, SystemExit) as error:
        return PluginProblem(
            origin=origin, message=f"could not be loaded: {describe_error(error)}", path=path
        )
    return PluginModule(
        module=module, origin=origin, version=sha256(source).hexdigest()[:12], path=path
    )


def own_modules() -> dict[str, tuple[Path, bytes]]:
    """Return file and source of each module that was loaded from `plugins.paths`, by its name."""
    files = {
        name: Path(module.__file__)
        for name, module in sys.modules.items()
        if name.startswith(OWN_PREFIX) and module.__file__
    }
    return {name: (file, file.read_bytes()) for name, file in files.items() if file.exists()}


def load_own_modules(modules: Mapping[str, tuple[Path, bytes]]) -> None:
    """Load what `own_modules` returned in another process; the files need not be there."""
    for name, (file, source) in modules.items():
        if name not in sys.modules:
            _execute(name, file, source)


def _execute(name: str, file: Path, source: bytes) -> ModuleType:
    """Run the source as a module, without bytecode files, so that each edit takes effect."""
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


def describe_error(error: BaseException) -> str:
    """Return the type of an error, its text, and the file and line that raised it."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})" if place else ""
    return text + ("" if isinstance(error, SyntaxError) else where)
