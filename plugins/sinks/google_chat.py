"""Sends cards to Google Chat through the webhook of a space, one thread for each incident.

Mentions nobody: Chat ignores mentions in a card, and the text beside it has no angle brackets.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from driftline import Markup, Message, Notification, Secret, Sink, hookimpl

BYTES = 20_000
"""Bytes of all parts of the text.

With title, links and card the message stays below the limit of Chat, 32,000 bytes.
"""
LONGEST_LINK = 1000
REPLY = "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"


class GoogleChat(Sink):
    """Posts to a space; the messages of an incident are in a thread of their own."""

    type: ClassVar[str] = "google_chat"
    markup: ClassVar[Markup] = "html"

    webhook_url: Secret
    """The address of the webhook, with its `key` and `token`; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post one card to the thread of the incident; its key is the incident."""
        assert self.context.http is not None
        url = self.webhook_url.reveal()
        title = self.message(notification, "plain").title
        sections = _sections(
            self.message(notification), title, self.context.chart_url(notification)
        )
        body = {
            "cardsV2": [{"cardId": notification.id, "card": {"sections": sections}}],
            "fallbackText": title.replace("<", "‹").replace(">", "›"),
            "thread": {"threadKey": notification.incident},
        }
        self.context.http.post(f"{url}{'&' if '?' in url else '?'}{REPLY}", json=body)
        return None

    def permissions(self) -> tuple[str, ...]:
        """Return what the space needs."""
        return ("a webhook, which a manager of the space adds",)


def _sections(message: Message, alt: str, chart: str | None) -> list[dict[str, Any]]:
    parts = message.parts(BYTES, _bytes, bullet="• ")
    title = f'<font color="{message.colour}"><b>{message.title}</b></font>'
    groups = [
        (title, parts["lead"], parts["todo"]),
        (parts["known"],),
        (parts["findings"],),
        (parts["context"],),
    ]
    sections = [[_text(text) for text in group if text] for group in groups]
    if chart:
        sections[0].append({"image": {"imageUrl": chart, "altText": f"chart: {alt}"}})
    links = [(name, url) for name, url in message.buttons if len(url.encode()) <= LONGEST_LINK][:5]
    if links:
        buttons = [{"text": name, "onClick": {"openLink": {"url": url}}} for name, url in links]
        sections[2].append({"buttonList": {"buttons": buttons}})
    return [{"widgets": widgets} for widgets in sections if widgets]


def _text(text: str) -> dict[str, Any]:
    return {"textParagraph": {"text": _chat(text)}}


def _chat(text: str) -> str:
    """Remove code marks, which cards do not have, and break lines with a tag."""
    return text.replace("<code>", "").replace("</code>", "").replace("\n", "<br>")


def _bytes(text: str) -> int:
    return len(json.dumps(_chat(text), ensure_ascii=False).encode("utf-8", "replace"))


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [GoogleChat]
