"""What the pages need to know of the running agent, as shapes that it fits by itself.

Refuses to compute anything: whether a loop is stuck is decided where the loop runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from driftline.incidents.desk import Desk


class LoopStatus(Protocol):
    """One loop of the agent."""

    @property
    def name(self) -> str:
        """What the loop is for, such as `ingest churn`."""
        ...

    @property
    def beat(self) -> datetime | None:
        """When it last came round, UTC; None before the first time."""
        ...

    @property
    def stuck(self) -> bool:
        """Whether it is overdue."""
        ...


class StatusSource(Protocol):
    """The running agent, as seen from a page. Its methods are called from threads of the web
    server.
    """

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics of this agent alone."""
        ...

    @property
    def leader(self) -> str | None:
        """The agent that works in this one's place, while this one stands by; None when this one
        works.
        """
        ...

    @property
    def desk(self) -> Desk | None:
        """Where incidents are seen, and acts are left; None while this agent stands by."""
        ...

    def ready(self) -> tuple[bool, Sequence[LoopStatus]]:
        """Whether the agent does its work, and every loop."""
        ...
