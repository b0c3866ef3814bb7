"""From a file to a configuration, or to all of its mistakes at once.

Refuses to reach anything: with `secrets=None` it is pure, and references stay as they are.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from driftline.config.assemble import Assembly
from driftline.config.cross_checks import crossed
from driftline.config.document import Document, Loc, Quoted, read_document
from driftline.config.instantiate import is_pending
from driftline.config.mistakes import problems_of
from driftline.config.models import INTERNAL, CheckConfig, Config, ModelConfig
from driftline.config.references import Resolver, Secrets
from driftline.contracts.check import Check
from driftline.extensions.registry import Registry
from driftline.types.errors import ConfigError, Problem


def load_config(
    path: Path, registry: Registry | None = None, secrets: Secrets | None = None
) -> Config:
    """The configuration at `path`; plugins are looked for where it says unless a `registry` is
    given.

    `secrets` gives what a reference stands for, by its kind (`env`, `file`) and name. Raises
    ConfigError with every mistake, in file order.
    """
    document = read_document(path)
    raw = document.value
    problems = list(document.problems)
    resolver = Resolver(document, secrets) if secrets else None
    if resolver:
        document.value = resolver.tree(raw)
        problems += resolver.problems
    if registry is None:
        registry = Registry.load(plugin_paths(document))
        problems += _plugin_problems(document, registry)
    problems += crossed(document, registry)
    assembly = Assembly(document, registry, raw)
    tree = assembly.build_tree()
    problems += assembly.problems
    config, found = _validate(document, tree, assembly.plugin_locs)
    problems += found
    if problems or config is None:
        raise ConfigError(_tidy(problems, resolver))
    config._registry = registry
    return _with_defaults(config, registry)


def plugin_paths(document: Document) -> list[Path]:
    """`plugins.paths`, as far as they are well formed, from the folder of the file."""
    try:
        given = document.get(("plugins", "paths"))
    except KeyError:
        return []
    folder = document.path.parent
    return (
        [folder / Path(item).expanduser() for item in given if isinstance(item, str)]
        if isinstance(given, list)
        else []
    )


def model_digest(model: ModelConfig) -> str:
    """16 hex digits that change whenever the settings change that decide what is measured and
    judged.
    """
    told = {
        key: value for key, value in model.raw.items() if key not in ("notify", "every", "tags")
    }
    return sha256(json.dumps(_canonical(told), sort_keys=True).encode()).hexdigest()[:16]


def _canonical(value: Any) -> Any:
    """Quotes are told from bare words: they make a constant version."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return {"=": str(value)} if isinstance(value, Quoted) else value


def _plugin_problems(document: Document, registry: Registry) -> list[Problem]:
    paths = plugin_paths(document)
    found = []
    for problem in registry.problems:
        if problem.fatal:
            loc: Loc = ("plugins",)
            if problem.path in paths:
                loc = ("plugins", "paths", paths.index(problem.path))
            found.append(document.problem(loc, str(problem)))
    return found


def _validate(
    document: Document, tree: dict[str, Any], told: set[Loc]
) -> tuple[Config | None, list[Problem]]:
    try:
        return Config.model_validate(tree), []
    except ValidationError as error:
        found = [
            (loc, one)
            for loc, one in problems_of(error, document, (), Config, INTERNAL)
            if loc not in told
        ]
    real = [problem for loc, problem in found if not is_pending(document, loc)]
    waiting = [loc for loc, _ in found if is_pending(document, loc)]
    if real or not waiting:
        return None, real
    # Offline, what a reference stands for is unknown: the default stands in for it.
    for loc in waiting:
        holder: Any = tree
        for part in loc[:-1]:
            holder = holder[part]
        del holder[loc[-1]]
    return _validate(document, tree, told)


def _tidy(problems: list[Problem], resolver: Resolver | None) -> list[Problem]:
    """In file order, each once, without what references stand for."""
    if resolver:
        problems = [
            Problem(one.path, one.line, one.column, one.name, resolver.mask(one.message))
            for one in problems
        ]
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))


def default_checks(registry: Registry, model: ModelConfig) -> list[type[Check]]:
    """The checks that run on a model whose configuration names none, in the order they declare."""
    parts: set[str] = set()
    if model.labels:
        parts |= {"label", "late label"}
    if model.schema_ is not None:
        parts |= {feature.kind.value for feature in model.schema_.features.values()}
        parts |= {"label"} if model.schema_.label is not None else set()
        parts |= {"id"} if model.schema_.id is not None else set()
    types = [
        type_
        for type_ in registry.checks()
        if type_.default_for is not None and type_.default_for <= parts
    ]
    return sorted(types, key=lambda type_: type_.default_place)


def _with_defaults(config: Config, registry: Registry) -> Config:
    """The same configuration, with the checks that a model doesn't name."""
    models = {}
    for name, model in config.models.items():
        told: dict[str, Any] = {}
        if model.checks is None:
            told["checks"] = {
                type_.type: CheckConfig(type=type_.type, plugin=type_())
                for type_ in default_checks(registry, model)
            }
        models[name] = model.model_copy(update=told)
    filled = config.model_copy(update={"models": models})
    filled._registry = registry
    return filled
