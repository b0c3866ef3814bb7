"""Slack, through an incoming webhook: one message on opening, one when it gets worse, one at the
end.

Refuses to mention anyone but whom the configuration names: no column name can ping a channel.
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
    """The webhook's address; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post one message; Slack names no reference for it."""
        http = self.context.http
        assert http is not None
        message, header = self.message(notification), self.message(notification, "plain").title
        url, chart = self.webhook_url.reveal(), self.context.chart_url(notification)
        # An image that Slack can't fetch is as bad to it as a block that it does not like.
        charts = (chart, None) if chart else (None,)
        for body in (
            *(slack.payload(message, header, one) for one in charts),
            {"text": message.body},
        ):
            try:
                http.post(url, json=body)
                return None
            except Rejected as refused:
                if "attachments" not in body or not any(
                    word in str(refused) for word in slack.BROKEN
                ):
                    raise
        return None

    def permissions(self) -> tuple[str, ...]:
        """What the Slack app needs."""
        return ("incoming-webhook",)


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Slack]
