"""What went wrong with a plugin while it was looked for.

Refuses to decide what follows: a configuration turns errors into mistakes with a place, a listing
shows them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PluginProblem:
    """One plugin, or a part of one, that is not on offer."""

    origin: str
    """The file, or the distribution and module."""
    message: str
    """What is wrong, and the mend."""
    fatal: bool = False
    """Whether nothing may start: the same configuration would mean different things on different
    machines.
    """
    path: Path | None = None
    """The entry of `plugins.paths` that led here."""

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}"
