"""What the composition root hands down to everything that watches a model.

Refuses defaults for the outside: clock, store and network are always given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.contracts.context import StartContext
from driftline.contracts.executor import ExecutorFactory
from driftline.state.store import Store

if TYPE_CHECKING:
    from driftline.extensions.guard import Guard
    from driftline.extensions.registry import Registry
    from driftline.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Patience:
    """How long parts may take before they count as hanging."""

    check: float = 60.0
    """Seconds for one check on one window."""
    listing: float = 900.0
    """Seconds for listing a source."""
    reading: float = 300.0
    """Seconds without a single record while an object is read."""
    probe: float = 30.0
    """Seconds for starting or probing a plugin."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long history is kept."""

    profiles: timedelta = timedelta(days=30)
    """Profiles of single windows; then they are merged into days."""
    days: timedelta = timedelta(days=400)
    """Profiles of days."""
    measurements: timedelta = timedelta(days=800)


@dataclass(frozen=True)
class Parts:
    """The agent's own things."""

    store: Store
    registry: Registry
    guard: Guard
    clock: Callable[[], datetime]
    log: Any
    metrics: Metrics
    base: Path
    """The folder of the configuration."""
    workers: int = 2
    executor: ExecutorFactory | None = None
    """Where objects are read; None for threads of this process."""
    patience: Patience = field(default_factory=Patience)
    keep: Keep = field(default_factory=Keep)

    def start_context(self, name: str) -> StartContext:
        """What a source or format is started with."""
        return StartContext(
            name=name, log=self.log.bind(part=name), clock=self.clock, base=self.base
        )
