"""An action in the place of a sink: the outbox and its worker treat a run as they treat a message.

Refuses to send a request again that its receiver would not recognise and may have taken: whoever
can look must.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import InstanceOf, PrivateAttr

from driftline.contracts.action import Action
from driftline.contracts.sink import Sink
from driftline.types.action_request import Request
from driftline.types.errors import OutcomeUnknown, Rejected, Retryable
from driftline.types.notification import Notification

ONCE = "it may have been done, and would not be recognised if it was asked for again: look there before you order it by hand"


class Performer(Sink):
    """Performs the runs of one action."""

    type: ClassVar[str] = "action"
    pace: ClassVar[float] = 0.0

    action: InstanceOf[Action]
    """The action, whose secrets are kept out of all that is written down."""

    _request: Callable[[str], Request] = PrivateAttr()

    def bound(self, request: Callable[[str], Request]) -> Performer:
        """With what gives the request of a token."""
        self._request = request
        return self

    def send(self, notification: Notification) -> str:
        """Perform the run whose token the notification bears; returns what came of it."""
        request = self._request(notification.id)
        if self.action.repeat == "deduplicates":
            return self.action.perform(request)
        try:
            return self.action.perform(request)
        except OutcomeUnknown as error:
            raise Rejected(f"{error}; {ONCE}") from None
        except (Rejected, Retryable):
            raise
        except Exception as error:
            raise Rejected(f"{type(error).__name__}: {error}; {ONCE}") from None
