"""Builds the JSON Schema of the configuration for editors, with the options of every plugin.

Does not replace validation by `load_config`: rules about several settings are not in the schema.
"""

from __future__ import annotations

from typing import Any

from driftline.config.document import DEFAULTS, OWN
from driftline.config.models import Config
from driftline.contracts.plugin import Plugin, PluginKind
from driftline.extensions.registry import Registry

Node = dict[str, Any]

URL = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = {
    "type": "string",
    "pattern": r"\$\{(env|file):[^}]+\}",
    "description": "A value from elsewhere.",
}


def json_schema(registry: Registry) -> Node:
    """Return the schema of a configuration that may use the plugins of `registry`."""
    schema = Config.model_json_schema()
    defs: Node = schema.pop("$defs")
    defs["reference"] = REFERENCE
    for config in ("Config", "CheckConfig", "LabelsConfig", "SinkConfig", "ActionConfig"):
        owner = schema if config == "Config" else defs[config]
        owner["required"] = [name for name in owner["required"] if name in owner["properties"]]
    schema["properties"][DEFAULTS] = {
        "type": "object",
        "description": "Settings of every model that does not set them itself.",
    }
    schema["patternProperties"] = {f"^{OWN}": {}}
    schema["properties"]["version"] = {
        "const": 1,
        "description": schema["properties"]["version"]["description"],
    }
    defs["ModelConfig"]["properties"]["source"] = {
        "$ref": "#/$defs/source",
        "description": defs["ModelConfig"]["properties"]["source"]["description"],
    }
    bare = {
        "type": "object",
        "properties": {"type": {}, "options": {}},
        "required": ["type"],
        "additionalProperties": False,
    }
    defs["source"] = _variants("source", bare, registry, defs)
    reference = defs["ReferenceConfig"]
    span = {name: reference["properties"].pop(name) for name in ("window", "trailing")}
    defs["ReferenceConfig"] = _variants(
        "source", reference | {"required": ["type"]}, registry, defs
    )
    for name, node in span.items():
        node = next(part for part in node["anyOf"] if part.get("type") != "null") | {
            "description": node["description"]
        }
        only = {
            "type": "object",
            "properties": {name: node},
            "required": [name],
            "additionalProperties": False,
        }
        defs["ReferenceConfig"]["oneOf"].append(only)
    defs["LabelsConfig"] = _variants("source", defs["LabelsConfig"], registry, defs)
    defs["CheckConfig"] = _variants("check", defs["CheckConfig"], registry, defs)
    defs["SinkConfig"] = _variants("sink", defs["SinkConfig"], registry, defs)
    defs["ActionConfig"] = _variants("action", defs["ActionConfig"], registry, defs)
    executor = defs["ExecutorConfig"]
    defs["ExecutorConfig"] = _variants(
        "executor", executor | {"required": ["type"]}, registry, defs
    )
    threads = _variant(
        executor,
        "threads",
        {"description": "Threads of the agent.", "type": "object", "maxProperties": 0},
    )
    defs["ExecutorConfig"]["oneOf"].insert(0, threads)
    return (
        {"$schema": URL, "title": "driftline.yaml"} | schema | {"$defs": dict(sorted(defs.items()))}
    )


def _variants(kind: PluginKind, base: Node, registry: Registry, defs: Node) -> Node:
    """Return one shape for each plugin: `base` with its `type` and its `options`."""
    return {
        "oneOf": [
            _variant(base, name, _options(registry.get(kind, name), kind, defs))
            for name in registry.names(kind)
        ]
    }


def _variant(base: Node, name: str, options: Node) -> Node:
    description = options.pop("description", "")
    properties = base["properties"] | {
        "type": {"const": name, "description": description},
        "options": options,
    }
    required = [*base.get("required", ["type"]), *(["options"] if options.get("required") else [])]
    return {key: value for key, value in base.items() if key not in ("title", "description")} | {
        "properties": properties,
        "required": list(dict.fromkeys(required)),
    }


def _options(type_: type[Plugin], kind: str, defs: Node) -> Node:
    """Return the settings of one plugin; move the definitions that they use to `defs`."""
    prefix = f"{kind}-{type_.type}-"
    options = type_.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
    defs.update({prefix + name: node for name, node in options.pop("$defs", {}).items()})
    options.pop("title", None)
    for name, node in options.get("properties", {}).items():
        options["properties"][name] = _or_reference(node)
    return options


def _or_reference(node: Node) -> Node:
    """Allow a reference in place of a number or a boolean."""
    if node.get("type") not in ("integer", "number", "boolean"):
        return node
    outer = {key: node.pop(key) for key in ("description", "default", "title") if key in node}
    return outer | {"anyOf": [node, {"$ref": "#/$defs/reference"}]}
