"""The result of the hook `import_checks`: checks from another tool's file of constraints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedChecks:
    """Checks of a configuration, made from a file of another tool."""

    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What to write under a model's `checks`: `type`, `options` and `rule`, by name."""
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The constraints of each feature, by its name."""
    summaries: Mapping[str, str] = field(default_factory=dict)
    """The same in a few words, for people."""
    needs_labels: bool = False
    """Whether one of the checks compares predictions with labels."""
    doubts: tuple[str, ...] = ()
    """What a person should look at, in sentences."""
