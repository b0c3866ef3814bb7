"""Discord, through a channel's webhook: one message an incident, kept up to date, and a line for
what should be seen.

Refuses to mention anyone, also on changes: a name such as @everyone stays a name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from driftline import (
    Event,
    Markup,
    Message,
    Notification,
    OutcomeUnknown,
    Rejected,
    Secret,
    Sink,
    hookimpl,
)

QUIET = (Event.ACKNOWLEDGED, Event.SILENCED)
"""What changes the message and tells nobody."""
NOBODY: Mapping[str, Any] = {"allowed_mentions": {"parse": []}}
FINDINGS = 1900
CHART = "chart.png"


class Discord(Sink):
    """Posts to the channel of a webhook, and changes its message as the incident changes."""

    type: ClassVar[str] = "discord"
    markup: ClassVar[Markup] = "markdown"
    # An embed has 6,000 characters in all.
    limits: ClassVar[Mapping[str, int]] = {
        "title": 256,
        "lead": 400,
        "known": 900,
        "todo": 700,
        "links": 1000,
        "context": 500,
    }

    webhook_url: Secret
    """The webhook's address; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post or change the incident's message; returns its id."""
        message, earlier = self.message(notification), self.context.earlier(notification)
        chart = self.context.chart(notification)
        body = _body(message, self.message(notification, "plain"), bool(chart))
        if not earlier or notification.event is Event.TEST:
            return self._ask("POST", "", body, chart)
        try:
            self._ask("PATCH", f"/messages/{earlier}", body, chart)
        except Rejected as refused:
            if refused.status != 404:
                raise
            return self._ask("POST", "", body, chart)  # somebody deleted it
        if notification.event not in QUIET:
            # A changed message tells nobody.
            self._ask("POST", "", {"content": f"**{message.title}**\n{message.lead}", **NOBODY})
        return earlier

    def permissions(self) -> tuple[str, ...]:
        """What the channel needs."""
        return ("a webhook, which needs Manage Webhooks to be made",)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any], chart: bytes | None = None
    ) -> str:
        """The id of the message. Without `wait` Discord answers before it has looked."""
        assert self.context.http is not None
        address, _, query = self.webhook_url.reveal().partition("?")
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        url = f"{address}{path}?wait=true{'&' if query else ''}{query}"
        kind = "application/json; charset=utf-8"
        if chart:
            import httpx

            parts = {
                "payload_json": (None, content, "application/json"),
                "files[0]": (CHART, chart, "image/png"),
            }
            form = httpx.Request(method, address, files=parts)
            content, kind = form.read(), form.headers["content-type"]
        answer = self.context.http.request(
            method, url, content=content, headers={"content-type": kind}
        )
        try:
            return str(json.loads(answer.text)["id"])
        except (ValueError, KeyError, TypeError):
            raise OutcomeUnknown("Discord's answer can't be read") from None


def _body(message: Message, plain: Message, chart: bool) -> dict[str, Any]:
    fields = {"Known": message.known, "To do": message.todo, "Links": message.links}
    embed = {
        "description": "\n".join(
            part for part in (message.lead, message.list_findings(FINDINGS, bullet="• ")) if part
        ),
        "color": int(message.colour[1:], 16),
        "fields": [{"name": name, "value": text} for name, text in fields.items() if text],
        "footer": {"text": plain.context},
        **({"image": {"url": f"attachment://{CHART}"}} if chart else {}),
    }
    # What is not named here is taken off a message that is changed.
    attachments = [{"id": 0, "filename": CHART, "description": plain.title}] if chart else []
    return {
        "content": f"**{message.title}**",
        "embeds": [embed],
        "attachments": attachments,
        **NOBODY,
    }


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Discord]
