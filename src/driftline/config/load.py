"""Loads a configuration from a file, or raises all of its mistakes at once.

Without `secrets` it reads only the file and the plugins, and references stay unresolved.
"""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from driftline.config.assemble import Assembly
from driftline.config.cross_checks import find_cross_problems
from driftline.config.document import Document, Loc, Parts, Quoted, read_document
from driftline.config.instantiate import is_pending
from driftline.config.mistakes import problems_of
from driftline.config.models import INTERNAL, CheckConfig, Config, ModelConfig
from driftline.config.patterns import NamePattern
from driftline.config.references import Resolver, Secrets
from driftline.contracts.check import Check
from driftline.extensions.registry import Registry
from driftline.types.errors import ConfigError, Problem
from driftline.types.scrubbing import mask_passwords


def load_config(
    path: Path,
    registry: Registry | None = None,
    secrets: Secrets | None = None,
    parts: Parts | None = None,
) -> Config:
    """Load the configuration at `path`, with the plugins of `registry`, by default those it names.

    `secrets` returns the value of a reference by its kind (`env`, `file`) and name. `parts` are
    those for which each pattern of model names has a model. Raises ConfigError with every mistake,
    in file order.
    """
    document = read_document(path, parts)
    raw = document.value
    problems = list(document.problems)
    resolver = Resolver(document, secrets) if secrets else None
    if resolver:
        document.value = resolver.tree(raw)
        problems += resolver.problems
    finds_plugins = registry is None
    registry = registry or Registry.load(plugin_paths(document))
    problems += find_cross_problems(document, registry)
    assembly = Assembly(document, registry, raw)
    tree = assembly.build_tree()
    problems += assembly.problems
    if finds_plugins:
        registry.checks()  # all of them: each says which models it is a default of
        problems += _plugin_problems(document, registry)
    config, core_problems = _validate(document, tree, assembly.plugin_locs)
    problems += core_problems
    if problems or config is None:
        raise ConfigError(_tidy(problems, resolver))
    config._registry = registry
    return _with_defaults(config, registry)


def plugin_paths(document: Document) -> list[Path]:
    """Return the valid entries of `plugins.paths`, relative to the folder of the file."""
    try:
        paths = document.get(("plugins", "paths"))
    except KeyError:
        return []
    folder = document.path.parent
    return (
        [folder / Path(item).expanduser() for item in paths if isinstance(item, str)]
        if isinstance(paths, list)
        else []
    )


ONLY_SHOWN = frozenset({"notify", "every", "tags", "runbook", "owner", "dashboard", "record"})
"""Settings of a model, or of a check, that affect no number."""


def model_digest(model: ModelConfig) -> str:
    """Return 16 hex digits that change with every setting that affects measurements or verdicts."""
    settings = _without_shown(model.raw)
    if isinstance(checks := settings.get("checks"), dict):
        settings["checks"] = {name: _without_shown(check) for name, check in checks.items()}
    return sha256(json.dumps(_canonical(settings), sort_keys=True).encode()).hexdigest()[:16]


def _without_shown(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {key: value for key, value in settings.items() if key not in ONLY_SHOWN}


def _canonical(value: Any) -> Any:
    """Mark text in quotes: unlike a bare word, it is a constant version."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return {"=": str(value)} if isinstance(value, Quoted) else value


def _plugin_problems(document: Document, registry: Registry) -> list[Problem]:
    paths = plugin_paths(document)
    problems = []
    for problem in registry.problems:
        if problem.fatal:
            loc: Loc = ("plugins",)
            if problem.path in paths:
                loc = ("plugins", "paths", paths.index(problem.path))
            problems.append(document.problem(loc, str(problem)))
    return problems


def _validate(
    document: Document, tree: dict[str, Any], plugin_locs: set[Loc]
) -> tuple[Config | None, list[Problem]]:
    try:
        return Config.model_validate(tree), []
    except ValidationError as error:
        mistakes = [
            (loc, problem)
            for loc, problem in problems_of(error, document, (), Config, INTERNAL)
            if loc not in plugin_locs
        ]
    problems = [problem for loc, problem in mistakes if not is_pending(document, loc)]
    pending_locs = [loc for loc, _ in mistakes if is_pending(document, loc)]
    if problems or not pending_locs:
        return None, problems
    # The value of a reference is unknown offline: validate with the default in its place.
    for loc in pending_locs:
        holder: Any = tree
        for part in loc[:-1]:
            holder = holder[part]
        del holder[loc[-1]]
    return _validate(document, tree, plugin_locs)


def _tidy(problems: list[Problem], resolver: Resolver | None) -> list[Problem]:
    """Sort the mistakes by position, drop repeated ones, and hide passwords and secrets."""
    problems = [
        replace(
            problem,
            message=mask_passwords(resolver.mask(problem.message) if resolver else problem.message),
        )
        for problem in problems
    ]
    # The models of a pattern have its mistakes too: the first one stands for all.
    once = {
        (problem.line, problem.column, problem.message): problem for problem in reversed(problems)
    }
    return sorted(once.values(), key=lambda problem: (problem.line, problem.column))


def default_checks(registry: Registry, model: ModelConfig) -> list[type[Check]]:
    """Return the checks of a model whose configuration names none, in the order they declare."""
    parts: set[str] = set()
    if model.labels:
        parts |= {"label", "late label"}
    if model.schema_ is not None:
        parts |= {feature.kind.value for feature in model.schema_.features.values()}
        parts |= {"label"} if model.schema_.label is not None else set()
        parts |= {"id"} if model.schema_.id is not None else set()
    return registry.default_checks(parts)


def _with_defaults(config: Config, registry: Registry) -> Config:
    """Return the configuration with default checks for models that name none."""
    models: dict[str, ModelConfig] = {}
    patterns: dict[str, ModelConfig] = {}
    for name, model in config.models.items():
        update: dict[str, Any] = {}
        if model.checks is None:
            update["checks"] = {
                type_.type: CheckConfig(type=type_.type, plugin=type_())
                for type_ in default_checks(registry, model)
            }
        part = models if NamePattern.parse(name) is None else patterns
        part[name] = model.model_copy(update=update)
    result = config.model_copy(update={"models": models})
    result._registry = registry
    result._patterns = patterns
    return result
