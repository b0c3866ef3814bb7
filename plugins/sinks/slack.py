"""Sends messages to Slack through an incoming webhook.

Mentions nobody: data such as a column name can't ping a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from driftline import Markup, Notification, Rejected, Secret, Sink, hookimpl
from driftline.kit.delivery import slack


class Slack(Sink):
    """Posts to the channel of an incoming webhook."""

    type: ClassVar[str] = "slack"
    markup: ClassVar[Markup] = "mrkdwn"
    limits: ClassVar[Mapping[str, int]] = {"title": 150, "body": 3500}
    updates: ClassVar[bool] = False

    webhook_url: Secret
    """The address of the webhook; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post one message; Slack returns no reference to it."""
        http = self.context.http
        assert http is not None
        message, header = self.message(notification), self.message(notification, "plain").title
        url, chart = self.webhook_url.reveal(), self.context.chart_url(notification)
        # Slack rejects a message with an image that it can't fetch.
        charts = (chart, None) if chart else (None,)
        for body in (
            *(slack.payload(message, header, chart_url) for chart_url in charts),
            {"text": message.body},
        ):
            try:
                http.post(url, json=body)
                return None
            except Rejected as error:
                if "attachments" not in body or not any(
                    word in error.answer for word in slack.BROKEN
                ):
                    raise
        return None

    def permissions(self) -> tuple[str, ...]:
        """Return the scope that the Slack app needs."""
        return ("incoming-webhook",)


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Slack]
