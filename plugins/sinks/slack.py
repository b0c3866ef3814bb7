"""Slack, through an incoming webhook: one message on opening, one when it gets worse, one at the end.

Refuses to mention anyone: text from data is escaped before it is cut, so no column name can ping a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from driftline import Markup, Message, Notification, Secret, Sink, hookimpl


class Slack(Sink):
    """Posts to the channel of an incoming webhook."""

    type: ClassVar[str] = "slack"
    markup: ClassVar[Markup] = "mrkdwn"
    limits: ClassVar[Mapping[str, int]] = {"title": 150}
    updates: ClassVar[bool] = False

    webhook_url: Secret
    """The webhook's address; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post one message; Slack names no reference for it."""
        http = self.context.http
        assert http is not None
        plain = self.message(notification, "plain")
        http.post(self.webhook_url.reveal(), json=payload(self.message(notification), plain.title))
        return None

    def permissions(self) -> tuple[str, ...]:
        """What the Slack app needs."""
        return ("incoming-webhook",)


def payload(message: Message, header: str) -> dict[str, Any]:
    """The body: `text` for lock screens and screen readers, blocks inside one attachment for the coloured bar."""
    parts = (message.lead, message.listed(2900, bullet="• "), message.known, message.todo, message.links)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": header}}]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts if part]
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": message.context}]})
    return {
        "text": message.title,
        "attachments": [{"color": message.colour, "fallback": message.title, "blocks": blocks}],
    }


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Slack]
