"""An agent that waits for its turn, as the pages show it.

Refuses to read or judge anything: another agent does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from driftline import __version__
from driftline.agent.agent import Loop
from driftline.telemetry.metrics import Metrics
from driftline.types.errors import AnotherAgentLeads, StateError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

POLL = 2.0
"""Seconds between two attempts to lead."""


class Standby:
    """Fits the pages as the agent does."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.leader: str | None = ""
        """Host and process of the agent that leads; empty while that is not known."""
        self.desk = None
        """Acts are for the agent that leads."""
        self._metrics = Metrics(__version__)
        self._reachable = True
        self._told = ""
        self._loop = Loop("stand by", timedelta(seconds=POLL), clock, timedelta(seconds=60))

    @property
    def registry(self) -> CollectorRegistry:
        """Metrics that say that this agent does not lead."""
        return self._metrics.registry

    def ready(self) -> tuple[bool, Sequence[Loop]]:
        """Whether it could take over: the database answers."""
        return self._reachable and not self._loop.stuck, [self._loop]

    def waits(self, error: StateError) -> bool:
        """Note why it does not lead; returns whether that is news."""
        self._loop.beat = self._loop.clock()
        self._reachable = isinstance(error, AnotherAgentLeads)
        self.leader = error.leader if isinstance(error, AnotherAgentLeads) else ""
        news, self._told = self._told != str(error), str(error)
        return news
