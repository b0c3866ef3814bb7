"""The contract of an action: change something in the world when an incident calls for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from driftline.contracts.plugin import Plugin
from driftline.types.action_request import Order, Request


class Action(Plugin, ABC):
    """Changes something outside when an incident calls for it.

    The host decides when, and whether to try again.
    """

    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "repeats"
    """What the receiver does with the same request sent twice.

    With `repeats` the host does not send a request again that may have been accepted.
    """

    @property
    def patience(self) -> float:
        """Seconds that `perform` may take before it counts as hanging."""
        return 30.0

    @abstractmethod
    def request(self, order: Order) -> Request:
        """Return exactly what `perform` sends, without secrets.

        Connects to nothing and works without `start`. Raises Rejected when no request is possible.
        """

    @abstractmethod
    def perform(self, request: Request) -> str:
        """Send the request and return the result in one line.

        Raises Rejected, Retryable, OutcomeUnknown or Throttled.
        """
