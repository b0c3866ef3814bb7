"""An agent that waits until it may lead, as the health page shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from driftline import __version__
from driftline.agent.loop import Loop
from driftline.telemetry.metrics import Metrics
from driftline.types.errors import AnotherAgentLeads, StateError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

POLL = 2.0
"""Seconds between two attempts to lead."""


class Standby:
    """Stands in for the agent on the pages while another agent leads."""

    def __init__(self, clock: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self.is_standby = True
        self.leader = ""
        """Host and process of the agent that leads; empty while that is not known."""
        self.incident_service = None
        self.model_views = None
        self.operation_views = None
        self.link_keys = None
        self.catalog = None
        """None: only the agent that leads handles acts."""
        self._metrics = Metrics(__version__)
        self._last_error = ""
        self._loop = Loop(
            name="stand by",
            every=timedelta(seconds=POLL),
            clock=clock,
            monotonic=monotonic,
        )

    @property
    def registry(self) -> CollectorRegistry:
        """Metrics that say that this agent does not lead."""
        return self._metrics.registry

    def ready(self) -> tuple[bool, Sequence[Loop]]:
        """Return whether this agent could take over, that is, whether the database answers."""
        return not self._loop.stuck, [self._loop]

    def note_error(self, error: StateError) -> bool:
        """Record why this agent does not lead. Returns whether the reason is a new one."""
        self._loop.end_round("" if isinstance(error, AnotherAgentLeads) else str(error))
        self.leader = error.leader if isinstance(error, AnotherAgentLeads) else ""
        is_new, self._last_error = self._last_error != str(error), str(error)
        return is_new
