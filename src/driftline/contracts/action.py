"""The contract of an action: change something in the world when an incident calls for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from driftline.contracts.plugin import Plugin
from driftline.types.action_request import Order, Request


class Action(Plugin, ABC):
    """Changes something in the world when an incident calls for it. The host decides when, and
    about trying again.
    """

    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "repeats"
    """What the receiver makes of the same request sent twice. `repeats` is never sent again once it
    may have been taken.
    """

    @property
    def patience(self) -> float:
        """Seconds that `perform` may take before it counts as hanging."""
        return 30.0

    @abstractmethod
    def request(self, order: Order) -> Request:
        """Exactly what `perform` sends, and no secret in it. It reaches nothing, and works without
        `start`.

        Raises Rejected when there is no request that the receiver could take.
        """

    @abstractmethod
    def perform(self, request: Request) -> str:
        """Send it; returns in a line what came of it. Raises Rejected, Retryable, OutcomeUnknown or
        Throttled.
        """
