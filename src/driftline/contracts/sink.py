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
    """Delivers one notification. The host decides whether to try again."""

    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "repeats"
    """What happens to a notification sent twice.

    `deduplicates`: the receiver recognises it. `looks`: the sink looks before it sends. `repeats`:
    it arrives twice.
    """
    updates: ClassVar[bool] = True
    """Whether it gets messages about changes between opening and resolution."""
    pace: ClassVar[float] = 1.0
    """Seconds between two messages; 0 for a receiver without such a limit."""
    markup: ClassVar[Markup] = "plain"
    """How the service wants its text: the host escapes all data for it."""
    limits: ClassVar[Mapping[str, int]] = {}
    """The most characters of each piece of a message, where they differ from the usual ones."""

    def message(self, notification: Notification, markup: Markup | None = None) -> Message:
        """Return `notification` as text within the limits, in `markup` or the sink's own."""
        return self.context.render(notification, markup or self.markup, self.limits)

    def describe(self, alert: AlertFact) -> str:
        """Describe one alert in a sentence, as plain text: `age: mean 180 → 45 · PSI 1`."""
        return self.context.render.describe(alert)

    def find_delivered(self, notification: Notification, since: datetime) -> str | None:
        """Return the receiver's reference when it has `notification` already, else None.

        `notification` was first tried after `since`. The host calls this before every attempt but
        the first, when `repeat` is `looks`. Raises as `send` does.
        """
        return None

    @abstractmethod
    def send(self, notification: Notification) -> str | None:
        """Deliver the notification; return the receiver's reference, if any.

        Raises Rejected, Retryable, OutcomeUnknown or Throttled.
        """
