"""Build the plugins that a configuration names: each from its `type` and `options`, mistakes with
their place.

Refuses to start anything.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from pydantic import ValidationError

from driftline.config.document import Document, Loc
from driftline.config.mistakes import FailedPlugin, problems_of, unknown_name
from driftline.config.references import has_reference
from driftline.contracts.plugin import Plugin, PluginKind
from driftline.extensions.registry import Registry
from driftline.types.errors import Problem


class PluginFactory:
    """Builds plugins from parts of one document; keeps the problems."""

    def __init__(self, document: Document, registry: Registry) -> None:
        self._document = document
        self._registry = registry
        self.problems: list[Problem] = []

    def build(
        self, kind: PluginKind, given: Any, loc: Loc, *, host: Set[str] | None = None
    ) -> Plugin | FailedPlugin:
        """The plugin that `given` at `loc` describes. `host` names the settings that may stand
        beside type and options.
        """
        if not isinstance(given, dict):
            self._wrong(loc, f"should say which {kind}: `type: ...` and its `options: {{...}}`")
            return FailedPlugin()
        type_ = self._type(kind, given.get("type"), (*loc, "type"), there="type" in given)
        options = given.get("options", {})
        self._check_keys(given, loc, host, type_)
        if options is None:
            options = {}
        if type_ is None:
            return FailedPlugin()
        if not isinstance(options, dict):
            self._wrong((*loc, "options"), "should be settings: `name: value`")
            return FailedPlugin()
        made = self._create(type_, options, (*loc, "options"))
        if kind == "source" and "format" in options:
            self._format(options["format"], (*loc, "options", "format"))
        return made

    def _check_keys(
        self, given: dict[str, Any], loc: Loc, host: Set[str] | None, type_: type[Plugin] | None
    ) -> None:
        """Settings beside `type` and `options` that don't belong there; where the host has some, it
        names them itself.
        """
        own = set(type_.model_fields) if type_ else set()
        for key in given:
            if key in ("type", "options") or (host is not None and key in host):
                continue
            if key in own:
                self._wrong(
                    (*loc, key),
                    "belongs under `options`, with the other settings of the plugin",
                    at_key=True,
                )
            else:
                self._wrong(
                    (*loc, key), unknown_name(key, ("type", "options", *(host or ()))), at_key=True
                )

    def _type(
        self, kind: PluginKind, name: object, loc: Loc, *, there: bool
    ) -> type[Plugin] | None:
        if not there:
            self._wrong(
                loc,
                f"this setting is missing; there are: {', '.join(self._registry.names(kind))}",
                at_key=True,
            )
        elif not isinstance(name, str):
            self._wrong(loc, f"should be the name of a {kind} plugin")
        elif name in self._registry.names(kind):
            found: type[Plugin] = self._registry.get(kind, name)
            return found
        else:
            self._wrong(loc, self._registry.unknown_message(kind, name))
        return None

    def _create(
        self, type_: type[Plugin], options: dict[str, Any], loc: Loc
    ) -> Plugin | FailedPlugin:
        try:
            return type_.model_validate(options)
        except ValidationError as error:
            mistakes = list(problems_of(error, self._document, loc, type_))
        except Exception as error:
            # A validator of the plugin stumbled: that is its author's mistake, and must not hide
            # the other ones.
            self._wrong(
                loc, f"the plugin '{type_.type}' failed on its settings with {type(error).__name__}"
            )
            return FailedPlugin()
        real = [problem for at, problem in mistakes if not self._pending(at)]
        self.problems.extend(real)
        # What an unresolved reference stands for can't be judged offline, so the plugin is made
        # without judging.
        return FailedPlugin() if real else type_.model_construct(**options)

    def _format(self, given: Any, loc: Loc) -> None:
        if isinstance(given, dict):
            options = given.get("options", {})
            at = (*loc, "type")
            type_ = (
                self._type("format", given["type"], at, there=True)
                if isinstance(given.get("type"), str)
                else None
            )
            if type_ is not None and isinstance(options, dict):
                self._create(type_, options, (*loc, "options"))
        elif isinstance(given, str) and not has_reference(given):
            self._type("format", given, loc, there=True)

    def _pending(self, loc: Loc) -> bool:
        return is_pending(self._document, loc)

    def _wrong(self, loc: Loc, message: str, *, at_key: bool = False) -> None:
        self.problems.append(self._document.problem(loc, message, at_key=at_key))


def is_pending(document: Document, loc: Loc) -> bool:
    """Whether what stands at `loc` is still a reference."""
    try:
        return has_reference(document.get(loc))
    except KeyError:
        return False
