"""Put the plugins in their places: a copy of the settings with instances where the file describes
plugins.

Refuses to judge the settings of the core: pydantic does that afterwards.
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
    """Walks over one document; parts of a wrong shape are left as they are, to be told by
    pydantic.
    """

    def __init__(self, document: Document, registry: Registry, raw: Tree) -> None:
        self._document = document
        self._plugs = PluginFactory(document, registry)
        self._raw = raw
        self._problems: list[Problem] = []
        self.plugin_locs: set[Loc] = set()
        """Paths of plugin names: what is wrong with them is told here already."""

    @property
    def problems(self) -> list[Problem]:
        """All that was found on the way."""
        return self._problems + self._plugs.problems

    def build_tree(self) -> Tree:
        """The settings with plugins in them."""
        tree = self._host_settings(self._document.value, (), Config)
        if isinstance(tree.get("agent"), dict):
            tree["agent"] = self._agent(self._host_settings(tree["agent"], ("agent",), AgentConfig))
        for part, made in (
            ("sinks", self._sink),
            ("actions", self._action),
            ("models", self._model),
        ):
            if isinstance(tree.get(part), dict):
                tree[part] = {
                    name: made(told, (part, name)) if isinstance(told, dict) else told
                    for name, told in tree[part].items()
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

    def _model(self, told: Tree, loc: Loc) -> Tree:
        model = self._host_settings(told, loc, ModelConfig)
        model["raw"] = self._raw["models"][loc[-1]]
        if "source" in told:
            model["source"] = self._plugs.build("source", told["source"], (*loc, "source"))
            self.plugin_locs.add((*loc, "source"))
        reference = told.get("reference")
        if isinstance(reference, dict):
            at = (*loc, "reference")
            named = "type" in reference
            model["reference"] = (
                self._with_plugin("source", reference, at, ReferenceConfig)
                if named
                else self._host_settings(reference, at, ReferenceConfig)
            )
        if isinstance(told.get("labels"), dict):
            model["labels"] = self._with_plugin(
                "source", told["labels"], (*loc, "labels"), LabelsConfig
            )
        if isinstance(told.get("checks"), dict):
            model["checks"] = {
                name: self._with_plugin("check", check, (*loc, "checks", name), CheckConfig)
                if isinstance(check, dict)
                else check
                for name, check in told["checks"].items()
            }
        return model

    def _host_settings(self, told: Tree, loc: Loc, host: type[BaseModel]) -> Tree:
        """A copy without the names of fields that no file sets."""
        known = _fields(host)
        for key in told:
            if key in INTERNAL and key not in known:
                self._problems.append(
                    self._document.problem((*loc, key), unknown_name(key, known), at_key=True)
                )
        return {key: value for key, value in told.items() if key in known or key not in INTERNAL}

    def _with_plugin(self, kind: PluginKind, told: Tree, loc: Loc, host: type[BaseModel]) -> Tree:
        """The settings of the host beside `type` and `options`, and the plugin that these two
        make.
        """
        known = _fields(host)
        made = self._plugs.build(kind, told, loc, host=known)
        self.plugin_locs.add((*loc, "type"))
        kept = {key: value for key, value in told.items() if key in known}
        if "options" in kept:
            # What references stand for is in the plugin alone.
            kept["options"] = self._value_in_file((*loc, "options"))
        return kept | {"plugin": made}

    def _value_in_file(self, loc: Loc) -> Any:
        """What stands at `loc` in the file."""
        found: Any = self._raw
        for part in loc:
            found = found[part]
        return found


def _fields(host: type[BaseModel]) -> set[str]:
    """The settings of `host`. The root has one called `plugins`, but none called `plugin`."""
    return {
        field.alias or name for name, field in host.model_fields.items() if name not in INTERNAL
    }
