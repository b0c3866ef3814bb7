"""The registry of plugins: every plugin type by kind and name, and the hooks of all modules.

An installed module whose entry point is called `KIND-NAME` is loaded when that plugin is asked for,
any other one at once. Does not choose between two plugins of one name: that is a mistake that names
both.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import ModuleType
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
    InstalledModule,
    PluginModule,
    PluginProblem,
    describe_error,
    find_installed,
    load_built_in,
    load_own,
    plain_name,
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


class _Manager(pluggy.PluginManager):
    """Looks closely at the marked functions of a module only: it has many other names."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        if isinstance(plugin, ModuleType):
            function = vars(plugin).get(name)
            if f"{self.project_name}_impl" not in getattr(function, "__dict__", ()):
                return None
        return super().parse_hookimpl_opts(plugin, name)


class Registry:
    """The plugins that one search found."""

    def __init__(
        self,
        types: Mapping[tuple[PluginKind, str], type[Any]] | None = None,
        infos: Iterable[PluginInfo] = (),
    ) -> None:
        """Start with the plugins of `types`, without their hooks."""
        self.manager = _Manager("driftline")
        self.manager.add_hookspecs(hookspecs)
        self._types = dict(types or {})
        self._infos = list(infos)
        self._problems: list[PluginProblem] = []
        self._waiting: list[InstalledModule] = []
        """Installed modules that nobody has asked for yet."""
        self._promised: list[InstalledModule] = []
        """Installed modules whose entry point names a plugin, loaded or not."""
        self._lock = threading.RLock()

    @classmethod
    def load(cls, paths: Sequence[Path] = (), *, entry_points: bool = True) -> Registry:
        """Find all installed plugins and load those at `paths`; what fails is in `problems`."""
        registry = cls()
        if entry_points:
            registry._add(load_built_in())
            installed = find_installed()
            registry._promised = [module for module in installed if module.promise is not None]
            registry._waiting = list(registry._promised)
            for module in installed:
                if module.promise is None:
                    registry._add(module.load())
        for own in load_own(paths):
            registry._add(own)
        return registry

    @property
    def types(self) -> dict[tuple[PluginKind, str], type[Any]]:
        """The types of all plugins, by kind and name."""
        self.load_all()
        return self._types

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """What is known of each plugin, and of each module with hooks only."""
        self.load_all()
        return tuple(self._infos)

    @property
    def loaded_infos(self) -> tuple[PluginInfo, ...]:
        """The same of the modules that were loaded so far: plugins of files always were."""
        return tuple(self._infos)

    @property
    def problems(self) -> tuple[PluginProblem, ...]:
        """What is wrong with the modules that were loaded so far."""
        return tuple(self._problems)

    def load_all(self) -> None:
        """Load every installed module, to list what there is or to call all hooks."""
        self._load_waiting()

    def select(self, distribution: str) -> Registry:
        """Return a registry of the plugins of one distribution only."""
        infos = [info for info in self.infos if info.distribution == distribution]
        keys = {(info.kind, info.name) for info in infos}
        return Registry({key: type_ for key, type_ in self._types.items() if key in keys}, infos)

    def find(self, kind: PluginKind, name: str) -> type[Any] | None:
        """Return the type of that name; None if there is none."""
        self._load_waiting(kind, name)
        if (kind, name) not in self._types:
            # A module may offer further plugins than the one that its entry point names.
            self._load_waiting(kind)
        if (kind, name) not in self._types:
            self._load_waiting()
        return self._types.get((kind, name))

    def get(self, kind: PluginKind, name: str) -> type[Any]:
        """Return the type of that name. Raises KeyError, with the nearest name in its text."""
        type_ = self.find(kind, name)
        if type_ is None:
            raise KeyError(self.unknown_message(kind, name))
        return type_

    def unknown_message(self, kind: PluginKind, name: str) -> str:
        """Return the error text for a name that no plugin of this kind has."""
        near = get_close_matches(name, self.names(kind), 1)
        hint = (
            f"did you mean '{near[0]}'?"
            if near
            else f"there are: {', '.join(self.names(kind)) or 'none'}"
        )
        problem = next(
            (problem for problem in self._problems if name and name in problem.origin), None
        )
        return f"no {kind} plugin is called '{name}'; {hint}" + (f" ({problem})" if problem else "")

    def names(self, kind: PluginKind) -> list[str]:
        """Return the names of that kind, sorted."""
        self._load_waiting(kind)
        return sorted(name for of, name in self._types if of == kind)

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
                dict.fromkeys(self._types["source", name].schemes, self._types["source", name])
            )
        type_ = types.get(scheme) or types.get("")
        if type_ is None:
            raise KeyError(f"no source plugin takes {address}")
        return type_.type, type_.options_for(address, endpoint_url)

    def checks(self) -> list[type[Check]]:
        """The types of checks, by name."""
        return [self._types["check", name] for name in self.names("check")]

    def default_checks(self, parts: Set[str]) -> list[type[Check]]:
        """The checks that run by default on a model with these parts, in the order they declare."""
        types = [
            type_
            for type_ in self.checks()
            if type_.default_for is not None and type_.default_for <= parts
        ]
        return sorted(types, key=lambda type_: type_.default_place)

    def collectors(self) -> dict[str, type[Collector]]:
        """Return the collectors, by name."""
        # A check may bring collectors of its own.
        self._load_waiting("check")
        self._load_waiting("collector")
        return {name: type_ for (kind, name), type_ in self._types.items() if kind == "collector"}

    def describe(self) -> list[PluginInfo]:
        """Return every plugin by kind and name, then the modules with hooks only."""
        return sorted(self.infos, key=lambda info: ([*KINDS, "hooks"].index(info.kind), info.name))

    def info(self, kind: PluginKind, name: str) -> PluginInfo:
        """Return version and origin of one plugin. Raises KeyError."""
        self.get(kind, name)
        return next(info for info in self._infos if (info.kind, info.name) == (kind, name))

    def releases(self, kind: PluginKind) -> dict[str, str]:
        """Return version and origin of the plugins of a kind, by name, without loading them.

        Of a module that an entry point promises, only the plugin of that name is listed.
        """
        releases = {
            module.promise[1]: f"{module.version} {module.origin}"
            for module in self._promised
            if module.promise is not None and module.promise[0] == kind
        }
        origins = {module.origin for module in self._promised}
        return releases | {
            info.name: f"{info.version} {info.origin}"
            for info in self._infos
            if info.kind == kind and info.origin not in origins
        }

    def _load_waiting(self, kind: PluginKind | None = None, name: str | None = None) -> None:
        """Load the modules that wait: of one plugin, of one kind, or all."""
        with self._lock:
            wanted = [
                module
                for module in self._waiting
                if kind is None
                or (
                    (module.promise or ("", ""))[0] == kind
                    and (name is None or module.promise == (kind, plain_name(name)))
                )
            ]
            for module in wanted:
                # Another one of these may have loaded it, to see whether it offers the same name.
                if module in self._waiting:
                    self._waiting.remove(module)
                    self._add(module.load())

    def _add(self, module: PluginModule | PluginProblem) -> None:
        if isinstance(module, PluginProblem):
            self._problems.append(module)
        elif not self.manager.is_registered(module.module):
            self._register(module)

    def _problem(self, module: PluginModule, message: str, *, fatal: bool = False) -> None:
        problem = PluginProblem(
            origin=module.origin,
            message=message,
            fatal=fatal,
            path=module.path,
            distribution=module.distribution,
        )
        self._problems.append(problem)

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
        before = len(self._infos)
        for kind in KINDS:
            if f"register_{kind}s" in names:
                self._collect(kind, module, names)
        if (
            names
            and not any(name.startswith("register_") for name in names)
            and len(self._infos) == before
        ):
            self._infos.append(_info(Path(module.origin).stem, "hooks", module, names))

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
            self._load_waiting(kind, name)  # an installed plugin of that name keeps it
            if (kind, name) in self._types:
                first = self.info(kind, name).origin
                self._problem(
                    module,
                    f"a {kind} plugin called '{name}' exists already, from {first}; rename one",
                    fatal=True,
                )
                continue
            self._types[kind, name] = type_
            self._infos.append(_info(name, kind, module, names))


class SourceFormats(Mapping[str, Format]):
    """The decoders of a source by file suffix; under "" where the source names a format.

    They load when one is looked up: a run with nothing to read does without them.
    """

    def __init__(self, source: Source, registry: Registry) -> None:
        self._source = source
        self._registry = registry

    @cached_property
    def _formats(self) -> dict[str, Format]:
        return _load_formats(self._source, self._registry)

    def __getitem__(self, suffix: str) -> Format:
        return self._formats[suffix]

    def __iter__(self) -> Iterator[str]:
        return iter(self._formats)

    def __len__(self) -> int:
        return len(self._formats)

    def __reduce__(self) -> tuple[type[dict[str, Format]], tuple[dict[str, Format]]]:
        """Send another process the decoders only."""
        return dict, (self._formats,)


def _load_formats(source: Source, registry: Registry) -> dict[str, Format]:
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
