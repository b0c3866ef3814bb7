"""Protocols for the parts of the running agent that the pages show.

Does not compute anything: the loop itself decides whether it is stuck.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from driftline.agent.model_views import ModelViews
    from driftline.agent.operation_views import OperationViews
    from driftline.catalog.catalog import Catalog
    from driftline.incidents.incident_service import IncidentService
    from driftline.state.link_keys import LinkKeys


class LoopStatus(Protocol):
    """One loop of the agent."""

    @property
    def name(self) -> str:
        """The purpose of the loop, such as `watch churn`."""
        ...

    @property
    def beat(self) -> datetime | None:
        """When it last showed progress, UTC; None before the first time."""
        ...

    @property
    def stuck(self) -> bool:
        """Whether it does not do its work."""
        ...

    @property
    def reason(self) -> str:
        """Why it does not do its work; empty when it does."""
        ...


class StatusSource(Protocol):
    """The running agent. Threads of the web server call its methods."""

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics of this agent alone."""
        ...

    @property
    def is_standby(self) -> bool:
        """Whether this agent waits until it may lead."""
        ...

    @property
    def leader(self) -> str:
        """The agent that leads while this one is on standby; empty while that is not known."""
        ...

    @property
    def incident_service(self) -> IncidentService | None:
        """Reads incidents and takes acts; None while this agent is on standby."""
        ...

    @property
    def model_views(self) -> ModelViews | None:
        """What the pages show of the models; None while this agent is on standby."""
        ...

    @property
    def operation_views(self) -> OperationViews | None:
        """What the pages show of the agent's work; None while this agent is on standby."""
        ...

    @property
    def link_keys(self) -> LinkKeys | None:
        """The keys that sign the links of messages; None while this agent is on standby."""
        ...

    def ready(self) -> tuple[bool, Sequence[LoopStatus]]:
        """Whether the agent is ready, and all its loops."""
        ...

    @property
    def catalog(self) -> Catalog | None:
        """The records of models; None while this agent is on standby."""
        ...
