"""The contract of a sink: deliver one notification."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from driftline.contracts.plugin import Plugin
from driftline.types.message import Markup, Message
from driftline.types.notification import AlertFact, Notification


class Sink(Plugin, ABC):
    """Delivers one notification. The host decides about trying again."""

    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "repeats"
    """What becomes of a notification sent twice: its receiver recognises it, the sink looks first,
    or it is there twice.
    """
    updates: ClassVar[bool] = True
    """Whether it wants to hear of changes between opening and resolution."""
    pace: ClassVar[float] = 1.0
    """Seconds between two messages; 0 for a receiver that bears any number at once."""
    markup: ClassVar[Markup] = "plain"
    """How the service wants its text: the host escapes all data for it."""
    limits: ClassVar[Mapping[str, int]] = {}
    """Characters of a piece of a message, by its name, where the service takes fewer (or more) than
    is usual.
    """

    def message(self, notification: Notification, markup: Markup | None = None) -> Message:
        """The text of `notification`, in the sink's markup (or in `markup`) and within its
        limits.
        """
        return self.context.message(notification, markup or self.markup, self.limits)

    def describe(self, alert: AlertFact) -> str:
        """One alert in a sentence, as plain text: `age: mean 180 → 45 · PSI 1`."""
        return self.context.message.describe(alert)

    def look(self, notification: Notification, since: datetime) -> str | None:
        """The receiver's reference when it has `notification` already, which was first tried after
        `since`; None when not.

        Asked before every attempt but the first, when `repeat` is `looks`. Raises what `send`
        raises.
        """
        return None

    @abstractmethod
    def send(self, notification: Notification) -> str | None:
        """Deliver it; returns the receiver's reference, if any. Raises Rejected, Retryable,
        OutcomeUnknown or Throttled.
        """
