"""Slack, through an incoming webhook: one message on opening, one when it gets worse, one at the end.

Refuses to mention anyone but whom the configuration names: no column name can ping a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from driftline import Markup, Notification, Rejected, Secret, Sink, hookimpl, slack


class Slack(Sink):
    """Posts to the channel of an incoming webhook."""

    type: ClassVar[str] = "slack"
    markup: ClassVar[Markup] = "mrkdwn"
    limits: ClassVar[Mapping[str, int]] = {"title": 150, "body": 3500}
    updates: ClassVar[bool] = False

    webhook_url: Secret
    """The webhook's address; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post one message; Slack names no reference for it."""
        http = self.context.http
        assert http is not None
        message = self.message(notification)
        url = self.webhook_url.reveal()
        try:
            http.post(url, json=slack.payload(message, self.message(notification, "plain").title))
        except Rejected as refused:
            if not any(word in str(refused) for word in slack.BROKEN):
                raise
            http.post(url, json={"text": message.body})
        return None

    def permissions(self) -> tuple[str, ...]:
        """What the Slack app needs."""
        return ("incoming-webhook",)


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Slack]
