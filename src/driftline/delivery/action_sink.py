"""Performs the runs of an action as a sink, so that the outbox and its worker can deliver them.

A request is not sent again when its receiver may have taken it and would not recognise it.
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

ONCE = (
    "it may have been done, and its receiver would not recognise a second request: "
    "look at the receiver before you run it by hand"
)


class ActionSink(Sink):
    """Performs the runs of one action."""

    type: ClassVar[str] = "action"
    pace: ClassVar[float] = 0.0

    action: InstanceOf[Action]
    """The action; its secrets are redacted in all texts that are stored."""

    _request: Callable[[str], Request] = PrivateAttr()

    def use_requests(self, request: Callable[[str], Request]) -> ActionSink:
        """Set the function that returns the request of a run's token."""
        self._request = request
        return self

    def send(self, notification: Notification) -> str:
        """Perform the run whose token is the id of the notification; return the answer."""
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
