"""The shared parts of an agent: store, clock, log, guard and settings that hold for all models.

Does not create anything: the composition root does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.config.models import KeepConfig
from driftline.contracts.context import StartContext
from driftline.contracts.executor import ExecutorFactory
from driftline.contracts.plugin import Plugin
from driftline.profiles.profile import Collectors
from driftline.state.link_keys import LinkKeys
from driftline.state.store import Store

if TYPE_CHECKING:
    from driftline.agent.shared_executor import SharedExecutor
    from driftline.extensions.guard import Guard
    from driftline.extensions.registry import Registry
    from driftline.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long calls of plugins may take before they count as hanging, in seconds."""

    check: float = 60.0
    """For one check on one window."""
    listing: float = 900.0
    """For listing a source."""
    reading: float = 300.0
    """Without a single record while an object is read."""
    step: float = 60.0
    """For a step without a limit of its own, and beyond the limit of every other."""
    probe: float = 30.0
    """For starting or probing a plugin."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The shared parts of an agent."""

    store: Store
    registry: Registry
    guard: Guard
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    """Returns seconds that never go back, for lengths of time."""
    log: Any
    metrics: Metrics | None
    """None for a single pass: it ends before anyone could read them."""
    base: Path
    """The folder of the configuration."""
    scrub: Callable[[str], str] = lambda text: text
    """Takes the secrets of the configuration out of a text."""
    workers: int = 2
    executor: ExecutorFactory | None = None
    """Where objects are read; None for threads of this process."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    retention: KeepConfig = field(default_factory=KeepConfig)

    @cached_property
    def shared_executor(self) -> SharedExecutor | None:
        """The executor of the plugin; None for threads of this process."""
        if self.executor is None:
            return None
        from driftline.agent.shared_executor import SharedExecutor

        return SharedExecutor(self.executor)

    @cached_property
    def link_keys(self) -> LinkKeys:
        """The keys that sign the links of messages."""
        return LinkKeys(self.store, self.clock)

    @cached_property
    def collectors(self) -> Collectors:
        """Every collector, built in or registered by a plugin, by name."""
        return self.registry.collectors()

    def start_plugin(self, key: str, plugin: Plugin, context: StartContext) -> None:
        """Start a plugin within `timeouts.probe`. Raises DriftlineError."""
        self.guard.call(f"{key}.start", plugin.start, context, timeout=self.timeouts.probe)

    def source_context(self, model: str) -> StartContext:
        """Return the start context of the sources of `model`."""
        log = self.log.bind(part=model)
        return StartContext(name=model, log=log, clock=self.clock, config_folder=self.base)
