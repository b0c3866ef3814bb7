"""Builds the plugins of a configuration and puts them in place of their settings.

Does not validate the settings of the core: pydantic does that afterwards.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from driftline.config.document import Document, Loc
from driftline.config.instantiate import PluginFactory
from driftline.config.mistakes import unknown_name
from driftline.config.models import (
    INTERNAL,
    ActionConfig,
    AgentConfig,
    CheckConfig,
    Config,
    ExecutorConfig,
    LabelsConfig,
    ModelConfig,
    ReferenceConfig,
    SinkConfig,
)
from driftline.contracts.plugin import PluginKind
from driftline.extensions.registry import Registry
from driftline.types.errors import Problem

Tree = dict[str, Any]


class Assembly:
    """Builds the plugins of one document. Leaves parts of a wrong shape for pydantic to report."""

    def __init__(self, document: Document, registry: Registry, raw: Tree) -> None:
        self._document = document
        self._factory = PluginFactory(document, registry)
        self._raw = raw
        self._problems: list[Problem] = []
        self.plugin_locs: set[Loc] = set()
        """The paths of plugins. Their mistakes are in `problems`, so pydantic's are ignored."""

    @property
    def problems(self) -> list[Problem]:
        """All mistakes so far."""
        return self._problems + self._factory.problems

    def build_tree(self) -> Tree:
        """Return a copy of the settings that holds the plugins."""
        tree = self._host_settings(self._document.value, (), Config)
        if isinstance(tree.get("agent"), dict):
            tree["agent"] = self._agent(self._host_settings(tree["agent"], ("agent",), AgentConfig))
        for part, build in (
            ("sinks", self._sink),
            ("actions", self._action),
            ("models", self._model),
        ):
            if isinstance(tree.get(part), dict):
                tree[part] = {
                    name: build(settings, (part, name)) if isinstance(settings, dict) else settings
                    for name, settings in tree[part].items()
                }
        return tree | {"origin": self._document.path.absolute()}

    def _agent(self, agent: Tree) -> Tree:
        executor = agent.get("executor")
        if isinstance(executor, dict):
            if executor.get("type", "threads") == "threads":
                agent["executor"] = self._host_settings(
                    executor, ("agent", "executor"), ExecutorConfig
                )
            else:
                agent["executor"] = self._with_plugin(
                    "executor", executor, ("agent", "executor"), ExecutorConfig
                )
        return agent

    def _sink(self, sink: Tree, loc: Loc) -> Tree:
        return self._with_plugin("sink", sink, loc, SinkConfig)

    def _action(self, action: Tree, loc: Loc) -> Tree:
        return self._with_plugin("action", action, loc, ActionConfig)

    def _model(self, settings: Tree, loc: Loc) -> Tree:
        model = self._host_settings(settings, loc, ModelConfig)
        model["raw"] = self._raw["models"][loc[-1]]
        if "source" in settings:
            model["source"] = self._factory.build("source", settings["source"], (*loc, "source"))
            self.plugin_locs.add((*loc, "source"))
        reference = settings.get("reference")
        if isinstance(reference, dict):
            reference_loc = (*loc, "reference")
            has_plugin = "type" in reference
            model["reference"] = (
                self._with_plugin("source", reference, reference_loc, ReferenceConfig)
                if has_plugin
                else self._host_settings(reference, reference_loc, ReferenceConfig)
            )
        if isinstance(settings.get("labels"), dict):
            model["labels"] = self._with_plugin(
                "source", settings["labels"], (*loc, "labels"), LabelsConfig
            )
        if isinstance(settings.get("checks"), dict):
            model["checks"] = {
                name: self._with_plugin("check", check, (*loc, "checks", name), CheckConfig)
                if isinstance(check, dict)
                else check
                for name, check in settings["checks"].items()
            }
        return model

    def _host_settings(self, settings: Tree, loc: Loc, host: type[BaseModel]) -> Tree:
        """Return a copy without the fields that no file may set; note each as a mistake."""
        names = _fields(host)
        for key in settings:
            if key in INTERNAL and key not in names:
                self._problems.append(
                    self._document.problem((*loc, key), unknown_name(key, names), at_key=True)
                )
        return {
            key: value for key, value in settings.items() if key in names or key not in INTERNAL
        }

    def _with_plugin(
        self, kind: PluginKind, settings: Tree, loc: Loc, host: type[BaseModel]
    ) -> Tree:
        """Return the settings of `host` with the plugin that `type` and `options` describe."""
        names = _fields(host)
        plugin = self._factory.build(kind, settings, loc, host=names)
        self.plugin_locs.add((*loc, "type"))
        host_settings = {key: value for key, value in settings.items() if key in names}
        if "options" in host_settings:
            # Only the plugin holds resolved references.
            host_settings["options"] = self._value_in_file((*loc, "options"))
        return host_settings | {"plugin": plugin}

    def _value_in_file(self, loc: Loc) -> Any:
        """Return the value at `loc` in the file, references unresolved."""
        value: Any = self._raw
        for part in loc:
            value = value[part]
        return value


def _fields(host: type[BaseModel]) -> set[str]:
    """Return the names of the settings of `host`, without fields that no file may set."""
    return {
        field.alias or name for name, field in host.model_fields.items() if name not in INTERNAL
    }
