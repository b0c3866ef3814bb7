"""Loads the plugins that a person names for a comparison or a profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from driftline.extensions.registry import Registry
from driftline.types.errors import ComparisonError


def load_registry(plugins: Sequence[Path | str]) -> Registry:
    """Return all plugins, with those of these files and folders.

    Raises ComparisonError for a file that is not there or can't be loaded: its checks would be
    missing silently.
    """
    if isinstance(plugins, (str, Path)):
        plugins = [plugins]
    registry = Registry.load([Path(path).expanduser() for path in plugins])
    for problem in registry.problems:
        if problem.path is not None:
            message = problem.message.removesuffix("; correct plugins.paths")
            raise ComparisonError(f"plugins: {problem.origin}: {message}")
    return registry
