"""Builds the plugins that a configuration names, each from its `type` and `options`.

Does not start a plugin.
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
    """Builds plugins from parts of one document, and keeps the mistakes in `problems`."""

    def __init__(self, document: Document, registry: Registry) -> None:
        self._document = document
        self._registry = registry
        self.problems: list[Problem] = []

    def build(
        self, kind: PluginKind, settings: Any, loc: Loc, *, host: Set[str] | None = None
    ) -> Plugin | FailedPlugin:
        """Build the plugin that `settings` at `loc` describe.

        `host` names further settings that are allowed beside `type` and `options`; None: none are.
        """
        if not isinstance(settings, dict):
            self._add_problem(loc, f"should name a {kind}: `type: ...` and its `options: {{...}}`")
            return FailedPlugin()
        type_ = self._type(kind, settings.get("type"), (*loc, "type"), is_set="type" in settings)
        options = settings.get("options", {})
        self._check_keys(settings, loc, host, type_)
        if options is None:
            options = {}
        if type_ is None:
            return FailedPlugin()
        if not isinstance(options, dict):
            self._add_problem((*loc, "options"), "should be settings: `name: value`")
            return FailedPlugin()
        plugin = self._create(type_, options, (*loc, "options"))
        if kind == "source" and "format" in options:
            self._format(options["format"], (*loc, "options", "format"))
        return plugin

    def _check_keys(
        self, settings: dict[str, Any], loc: Loc, host: Set[str] | None, type_: type[Plugin] | None
    ) -> None:
        """Note each setting beside `type` and `options` that is not allowed there."""
        own = set(type_.model_fields) if type_ else set()
        for key in settings:
            if key in ("type", "options") or (host is not None and key in host):
                continue
            if key in own:
                self._add_problem(
                    (*loc, key),
                    "belongs under `options`, with the other settings of the plugin",
                    at_key=True,
                )
            else:
                self._add_problem(
                    (*loc, key), unknown_name(key, ("type", "options", *(host or ()))), at_key=True
                )

    def _type(
        self, kind: PluginKind, name: object, loc: Loc, *, is_set: bool
    ) -> type[Plugin] | None:
        if not is_set:
            self._add_problem(
                loc,
                f"this setting is missing; there are: {', '.join(self._registry.names(kind))}",
                at_key=True,
            )
        elif not isinstance(name, str):
            self._add_problem(loc, f"should be the name of a {kind} plugin")
        else:
            type_: type[Plugin] | None = self._registry.find(kind, name)
            if type_ is None:
                self._add_problem(loc, self._registry.unknown_message(kind, name))
            return type_
        return None

    def _create(
        self, type_: type[Plugin], options: dict[str, Any], loc: Loc
    ) -> Plugin | FailedPlugin:
        try:
            return type_.model_validate(options)
        except ValidationError as error:
            mistakes = list(problems_of(error, self._document, loc, type_))
        except Exception as error:
            # A validator of the plugin failed: a bug of the plugin must not hide other mistakes.
            self._add_problem(
                loc, f"the plugin '{type_.type}' failed on its settings with {type(error).__name__}"
            )
            return FailedPlugin()
        real = [problem for at, problem in mistakes if not is_pending(self._document, at)]
        self.problems.extend(real)
        # The value of an unresolved reference is unknown offline, so it can't be validated.
        return FailedPlugin() if real else type_.model_construct(**options)

    def _format(self, setting: Any, loc: Loc) -> None:
        if isinstance(setting, dict):
            options = setting.get("options", {})
            at = (*loc, "type")
            type_ = (
                self._type("format", setting["type"], at, is_set=True)
                if isinstance(setting.get("type"), str)
                else None
            )
            if type_ is not None and isinstance(options, dict):
                self._create(type_, options, (*loc, "options"))
        elif isinstance(setting, str) and not has_reference(setting):
            self._type("format", setting, loc, is_set=True)

    def _add_problem(self, loc: Loc, message: str, *, at_key: bool = False) -> None:
        self.problems.append(self._document.problem(loc, message, at_key=at_key))


def is_pending(document: Document, loc: Loc) -> bool:
    """Whether the value at `loc` is an unresolved reference."""
    try:
        return has_reference(document.get(loc))
    except KeyError:
        return False
