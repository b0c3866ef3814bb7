"""What is on offer: every plugin type by kind and name, and who listens to announcements.

Refuses to choose: two plugins of one name are an error that names both, never the last one to win.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import pluggy

from driftline.contracts import hookspecs
from driftline.contracts.action import Action
from driftline.contracts.check import Check
from driftline.contracts.executor import ExecutorFactory
from driftline.contracts.format import Format
from driftline.contracts.plugin import Plugin, PluginKind
from driftline.contracts.sink import Sink
from driftline.contracts.source import Source
from driftline.extensions.load import Found, built_in_collectors, describe, installed, own
from driftline.extensions.problem import PluginProblem

if TYPE_CHECKING:
    from driftline.profiles.collector import Collector

KINDS: tuple[PluginKind, ...] = get_args(PluginKind)
BASES: dict[PluginKind, type[Plugin]] = {
    "source": Source,
    "format": Format,
    "check": Check,
    "sink": Sink,
    "action": Action,
    "executor": ExecutorFactory,
}


class PluginInfo(NamedTuple):
    """One row of the listing."""

    name: str
    kind: str
    """The kind of plugin; `hooks` for a module that only listens."""
    version: str
    """The distribution's version; of a file, the beginning of its SHA-256."""
    origin: str
    hooks: tuple[str, ...]
    """All hooks of the module it stands in."""


@dataclass(frozen=True)
class Registry:
    """The result of one look around; a new look makes a new one."""

    types: dict[tuple[PluginKind, str], type[Any]]
    infos: tuple[PluginInfo, ...]
    problems: tuple[PluginProblem, ...]
    manager: pluggy.PluginManager

    @classmethod
    def load(cls, paths: Sequence[Path] = (), *, entry_points: bool = True) -> Registry:
        """Everything installed and everything at `paths`. Never raises for a plugin: see
        `problems`.
        """
        maker = _Maker()
        if entry_points:
            maker.add([built_in_collectors(), *installed()])
        maker.add(own(paths))
        return maker.made()

    def get(self, kind: PluginKind, name: str) -> type[Any]:
        """The type of that name. Raises KeyError with the mend in its text."""
        try:
            return self.types[kind, name]
        except KeyError:
            raise KeyError(self.unknown(kind, name)) from None

    def unknown(self, kind: PluginKind, name: str) -> str:
        """What to say when there is no such plugin."""
        near = get_close_matches(name, self.names(kind), 1)
        mend = (
            f"did you mean '{near[0]}'?"
            if near
            else f"there are: {', '.join(self.names(kind)) or 'none'}"
        )
        broken = next(
            (problem for problem in self.problems if name and name in problem.origin), None
        )
        return f"no {kind} plugin is called '{name}'; {mend}" + (f" ({broken})" if broken else "")

    def names(self, kind: PluginKind) -> list[str]:
        """The names of that kind, sorted."""
        return sorted(name for of, name in self.types if of == kind)

    def collectors(self) -> dict[str, type[Collector]]:
        """The collectors, by name."""
        return {name: type_ for (kind, name), type_ in self.types.items() if kind == "collector"}

    def describe(self) -> list[PluginInfo]:
        """Every plugin by kind and name, then the modules that only listen."""
        return sorted(self.infos, key=lambda info: ([*KINDS, "hooks"].index(info.kind), info.name))

    def info(self, kind: PluginKind, name: str) -> PluginInfo:
        """Version and origin of one plugin. Raises KeyError."""
        try:
            return next(info for info in self.infos if (info.kind, info.name) == (kind, name))
        except StopIteration:
            raise KeyError(self.unknown(kind, name)) from None


class _Maker:
    """Collects what was found; the registry itself never changes."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("driftline")
        self.manager.add_hookspecs(hookspecs)
        self.types: dict[tuple[PluginKind, str], type[Any]] = {}
        self.infos: list[PluginInfo] = []
        self.problems: list[PluginProblem] = []
        self.origins: dict[tuple[PluginKind, str], str] = {}

    def add(self, findings: Iterable[Found | PluginProblem]) -> None:
        for found in findings:
            if isinstance(found, PluginProblem):
                self.problems.append(found)
            elif not self.manager.is_registered(found.plugin):
                self._register(found)

    def made(self) -> Registry:
        return Registry(self.types, tuple(self.infos), tuple(self.problems), self.manager)

    def _problem(self, found: Found, message: str, *, fatal: bool = False) -> None:
        self.problems.append(PluginProblem(found.origin, message, fatal, found.path))

    def _register(self, found: Found) -> None:
        try:
            self.manager.register(found.plugin, found.origin)
        except pluggy.PluginValidationError as error:
            if self.manager.is_registered(found.plugin):
                self.manager.unregister(found.plugin)
            reason = str(error).strip().splitlines()[-1]
            self._problem(
                found, f"a hook asks for arguments that it doesn't get: {reason}", fatal=True
            )
            return
        callers = self.manager.get_hookcallers(found.plugin) or []
        known = [
            name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "driftline_spec")
        ]
        for caller in callers:
            if not caller.has_spec():
                near = get_close_matches(caller.name, known, 1, 0.5)
                mend = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
                self._problem(found, f"there is no hook '{caller.name}'; {mend}", fatal=True)
        names = tuple(caller.name for caller in callers if caller.has_spec())
        if not callers:
            self._problem(found, "offers nothing: no function in it is marked with @hookimpl")
        before = len(self.infos)
        for kind in KINDS:
            if f"register_{kind}s" in names:
                self._collect(kind, found, names)
        if (
            names
            and not any(name.startswith("register_") for name in names)
            and len(self.infos) == before
        ):
            self.infos.append(
                PluginInfo(Path(found.origin).stem, "hooks", found.version, found.origin, names)
            )

    def _collect(self, kind: PluginKind, found: Found, names: tuple[str, ...]) -> None:
        try:
            offered = list(getattr(found.plugin, f"register_{kind}s")())
        except Exception as error:
            self._problem(found, f"register_{kind}s failed: {describe(error)}")
            return
        for type_ in offered:
            if reason := _unfit(kind, type_):
                self._problem(found, f"register_{kind}s offers {reason}")
                continue
            name = _name(kind, type_)
            if (kind, name) in self.types:
                first = self.origins[kind, name]
                self._problem(
                    found,
                    f"a {kind} plugin called '{name}' is there already, from {first}; rename one",
                    fatal=True,
                )
                continue
            self.types[kind, name] = type_
            self.origins[kind, name] = found.origin
            self.infos.append(PluginInfo(name, kind, found.version, found.origin, names))


def _name(kind: PluginKind, type_: type[Any]) -> str:
    return str(type_.name if kind == "collector" else type_.type)


def _unfit(kind: PluginKind, type_: object) -> str:
    """Why this can't be offered as a plugin; empty when it can."""
    base = _base(kind)
    if not (isinstance(type_, type) and issubclass(type_, base)):
        return f"{type_!r}, which is no {base.__name__}"
    if inspect.isabstract(type_):
        lacking = ", ".join(sorted(getattr(type_, "__abstractmethods__", ())))
        return f"{type_.__name__} without {lacking}"
    attribute = "name" if kind == "collector" else "type"
    name = getattr(type_, attribute, None)
    if not (isinstance(name, str) and name):
        return f'{type_.__name__} without a name: add `{attribute} = "..."`'
    return ""


def _base(kind: PluginKind) -> type:
    if kind == "collector":
        # Collectors bring numpy with them.
        from driftline.profiles.collector import Collector

        return Collector
    return BASES[kind]
