"""Sends Adaptive Cards to Microsoft Teams through a workflow with a webhook trigger.

Mentions nobody: data is escaped, and a card without entities has no mentions.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from driftline import Markup, Message, Notification, Secret, Sink, hookimpl

CARD = "application/vnd.microsoft.card.adaptive"
COLOURS = {
    "critical": "Attention",
    "warning": "Warning",
    "info": "Accent",
    "resolved": "Good",
    "test": "Default",
}
BYTES = 18_000
"""Bytes of all parts of the text.

With title, links and card the message stays below the limit of Teams, 28 KB.
"""
LONGEST_LINK = 1000


class Teams(Sink):
    """Posts a card to the chat or channel of a workflow."""

    type: ClassVar[str] = "teams"
    markup: ClassVar[Markup] = "markdown"
    updates: ClassVar[bool] = False

    webhook_url: Secret
    """The address of the workflow's trigger "When a Teams webhook request is received".

    All of it is secret.
    """

    def send(self, notification: Notification) -> str | None:
        """Post one card; the workflow returns no reference to it."""
        assert self.context.http is not None
        title = self.message(notification, "plain").title
        card = _card(self.message(notification), title, self.context.chart_url(notification))
        attachment = {"contentType": CARD, "contentUrl": None, "content": card}
        self.context.http.post(
            self.webhook_url.reveal(), json={"type": "message", "attachments": [attachment]}
        )
        return None

    def permissions(self) -> tuple[str, ...]:
        """Return what Teams needs."""
        return ("a workflow that posts what it receives, owned by an account that stays",)


def _card(message: Message, title: str, chart: str | None) -> dict[str, Any]:
    parts = message.parts(BYTES, _bytes, bullet="• ")
    looks: dict[str, dict[str, Any]] = {
        "findings": {"separator": True},
        "context": {"size": "Small", "isSubtle": True},
    }
    blocks = [_block(text, **looks.get(name, {})) for name, text in parts.items() if text]
    image = (
        [{"type": "Image", "url": chart, "altText": f"chart: {title}", "size": "Stretch"}]
        if chart
        else []
    )
    title_block = _block(message.title, weight="Bolder", size="Medium", color=COLOURS[message.tone])
    links = [(name, url) for name, url in message.buttons if len(url.encode()) <= LONGEST_LINK][:5]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": title,
        "body": [title_block, *image, *blocks],
        "actions": [{"type": "Action.OpenUrl", "title": name, "url": url} for name, url in links],
    }


def _block(text: str, **look: object) -> dict[str, object]:
    # Markdown ignores a single line break.
    return {"type": "TextBlock", "text": text.replace("\n", "\n\n"), "wrap": True, **look}


def _bytes(text: str) -> int:
    return len(
        json.dumps(text.replace("\n", "\n\n"), ensure_ascii=False).encode("utf-8", "replace")
    )


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Teams]
