"""The registry of plugins: every plugin type by kind and name, and the hooks of all modules.

Does not choose between two plugins of one name: that is a mistake that names both.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import pluggy

from driftline.contracts import hookspecs
from driftline.contracts.action import Action
from driftline.contracts.check import Check
from driftline.contracts.executor import ExecutorFactory
from driftline.contracts.format import Format, FormatRef
from driftline.contracts.plugin import Plugin, PluginKind
from driftline.contracts.sink import Sink
from driftline.contracts.source import Source
from driftline.extensions.load import (
    PluginModule,
    PluginProblem,
    describe_error,
    load_built_in,
    load_installed,
    load_own,
)
from driftline.types.family import CHECK_FAMILIES

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
    """One row in the list of plugins."""

    name: str
    kind: PluginKind | Literal["hooks"]
    """The kind of plugin; `hooks` for a module that registers no plugin."""
    version: str
    """The version of the distribution; for a file, 12 hex digits of its SHA-256."""
    origin: str
    """The file, or the distribution and module."""
    hooks: tuple[str, ...]
    """All hooks that its module implements."""
    distribution: str = ""
    """The distribution of an installed plugin; empty for a file."""


@dataclass(frozen=True)
class Registry:
    """The plugins that one search found. It never changes."""

    types: dict[tuple[PluginKind, str], type[Any]]
    infos: tuple[PluginInfo, ...]
    problems: tuple[PluginProblem, ...]
    manager: pluggy.PluginManager

    @classmethod
    def load(cls, paths: Sequence[Path] = (), *, entry_points: bool = True) -> Registry:
        """Load all installed plugins and those at `paths`; what fails is listed in `problems`."""
        builder = _Builder()
        if entry_points:
            builder.add([load_built_in(), *load_installed()])
        builder.add(load_own(paths))
        return builder.build()

    def get(self, kind: PluginKind, name: str) -> type[Any]:
        """Return the type of that name. Raises KeyError, with the nearest name in its text."""
        try:
            return self.types[kind, name]
        except KeyError:
            raise KeyError(self.unknown_message(kind, name)) from None

    def unknown_message(self, kind: PluginKind, name: str) -> str:
        """Return the error text for a name that no plugin of this kind has."""
        near = get_close_matches(name, self.names(kind), 1)
        hint = (
            f"did you mean '{near[0]}'?"
            if near
            else f"there are: {', '.join(self.names(kind)) or 'none'}"
        )
        problem = next(
            (problem for problem in self.problems if name and name in problem.origin), None
        )
        return f"no {kind} plugin is called '{name}'; {hint}" + (f" ({problem})" if problem else "")

    def names(self, kind: PluginKind) -> list[str]:
        """Return the names of that kind, sorted."""
        return sorted(name for of, name in self.types if of == kind)

    def source_for(
        self, address: str, endpoint_url: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Type and options of the source that serves an address.

        Raises KeyError when no source takes paths, which stand for all that has no other source.
        """
        scheme = address.partition("://")[0] if "://" in address else ""
        types: dict[str, type[Source]] = {}
        for name in self.names("source"):
            types.update(
                dict.fromkeys(self.types["source", name].schemes, self.types["source", name])
            )
        type_ = types.get(scheme) or types.get("")
        if type_ is None:
            raise KeyError(f"no source plugin takes {address}")
        return type_.type, type_.options_for(address, endpoint_url)

    def checks(self) -> list[type[Check]]:
        """The types of checks, by name."""
        return [self.types["check", name] for name in self.names("check")]

    def collectors(self) -> dict[str, type[Collector]]:
        """Return the collectors, by name."""
        return {name: type_ for (kind, name), type_ in self.types.items() if kind == "collector"}

    def describe(self) -> list[PluginInfo]:
        """Return every plugin by kind and name, then the modules with hooks only."""
        return sorted(self.infos, key=lambda info: ([*KINDS, "hooks"].index(info.kind), info.name))

    def info(self, kind: PluginKind, name: str) -> PluginInfo:
        """Return version and origin of one plugin. Raises KeyError."""
        try:
            return next(info for info in self.infos if (info.kind, info.name) == (kind, name))
        except StopIteration:
            raise KeyError(self.unknown_message(kind, name)) from None


def source_formats(source: Source, registry: Registry) -> Mapping[str, Format]:
    """Return the decoder of a source by file suffix; under "" where the source names a format."""
    setting = source.format
    if setting is not None:
        reference = setting if isinstance(setting, FormatRef) else FormatRef(type=setting)
        form = registry.get("format", reference.type).model_validate(reference.options)
        assert isinstance(form, Format)
        return {"": form}
    formats: dict[str, Format] = {}
    for name in registry.names("format"):
        type_ = registry.get("format", name)
        if not issubclass(type_, Format) or not type_.suffixes:
            continue
        form = type_()
        formats |= dict.fromkeys(type_.suffixes, form)
    return formats


class _Builder:
    """Collects modules and problems, then builds the registry."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("driftline")
        self.manager.add_hookspecs(hookspecs)
        self.types: dict[tuple[PluginKind, str], type[Any]] = {}
        self.infos: list[PluginInfo] = []
        self.problems: list[PluginProblem] = []
        self.origins: dict[tuple[PluginKind, str], str] = {}

    def add(self, modules: Iterable[PluginModule | PluginProblem]) -> None:
        for module in modules:
            if isinstance(module, PluginProblem):
                self.problems.append(module)
            elif not self.manager.is_registered(module.module):
                self._register(module)

    def build(self) -> Registry:
        return Registry(self.types, tuple(self.infos), tuple(self.problems), self.manager)

    def _problem(self, module: PluginModule, message: str, *, fatal: bool = False) -> None:
        problem = PluginProblem(
            origin=module.origin,
            message=message,
            fatal=fatal,
            path=module.path,
            distribution=module.distribution,
        )
        self.problems.append(problem)

    def _register(self, module: PluginModule) -> None:
        try:
            self.manager.register(module.module, module.origin)
        except pluggy.PluginValidationError as error:
            if self.manager.is_registered(module.module):
                self.manager.unregister(module.module)
            reason = str(error).strip().splitlines()[-1]
            self._problem(
                module, f"a hook has arguments that it does not get: {reason}", fatal=True
            )
            return
        callers = self.manager.get_hookcallers(module.module) or []
        hook_names = [
            name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "driftline_spec")
        ]
        for caller in callers:
            if not caller.has_spec():
                near = get_close_matches(caller.name, hook_names, 1, 0.5)
                hint = (
                    f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(hook_names)}"
                )
                self._problem(module, f"there is no hook '{caller.name}'; {hint}", fatal=True)
        names = tuple(caller.name for caller in callers if caller.has_spec())
        if not callers:
            self._problem(module, "registers nothing: mark a function of it with @hookimpl")
        before = len(self.infos)
        for kind in KINDS:
            if f"register_{kind}s" in names:
                self._collect(kind, module, names)
        if (
            names
            and not any(name.startswith("register_") for name in names)
            and len(self.infos) == before
        ):
            self.infos.append(_info(Path(module.origin).stem, "hooks", module, names))

    def _collect(self, kind: PluginKind, module: PluginModule, names: tuple[str, ...]) -> None:
        try:
            types = list(getattr(module.module, f"register_{kind}s")())
        except Exception as error:
            self._problem(module, f"register_{kind}s failed: {describe_error(error)}")
            return
        for type_ in types:
            if reason := _reject_reason(kind, type_):
                self._problem(module, f"register_{kind}s offers {reason}")
                continue
            name = _name(kind, type_)
            if (kind, name) in self.types:
                first = self.origins[kind, name]
                self._problem(
                    module,
                    f"a {kind} plugin called '{name}' exists already, from {first}; rename one",
                    fatal=True,
                )
                continue
            self.types[kind, name] = type_
            self.origins[kind, name] = module.origin
            self.infos.append(_info(name, kind, module, names))


def _info(
    name: str, kind: PluginKind | Literal["hooks"], module: PluginModule, hooks: tuple[str, ...]
) -> PluginInfo:
    return PluginInfo(
        name=name,
        kind=kind,
        version=module.version,
        origin=module.origin,
        hooks=hooks,
        distribution=module.distribution,
    )


def _name(kind: PluginKind, type_: type[Any]) -> str:
    return str(type_.name if kind == "collector" else type_.type)


def _reject_reason(kind: PluginKind, type_: object) -> str:
    """Return why this can't be a plugin of that kind; empty if it can."""
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
    if issubclass(type_, Check) and type_.cause not in CHECK_FAMILIES:
        families = ", ".join(CHECK_FAMILIES)
        return f"the check '{name}' with the family '{type_.cause}'; there are: {families}"
    return ""


def _base(kind: PluginKind) -> type:
    if kind == "collector":
        # Collectors bring numpy with them.
        from driftline.profiles.collector import Collector

        return Collector
    return BASES[kind]
