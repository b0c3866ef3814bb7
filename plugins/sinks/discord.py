"""Sends incidents to Discord through a webhook: one message for each, kept up to date.

Each change that people should see gets a new line. Mentions nobody: a name such as @everyone stays
text.
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
"""Events that edit the message but write no new line."""
NOBODY: Mapping[str, Any] = {"allowed_mentions": {"parse": []}}
FINDINGS = 1700
CHART = "chart.png"


class Discord(Sink):
    """Posts to the channel of a webhook, and edits its message as the incident changes."""

    type: ClassVar[str] = "discord"
    markup: ClassVar[Markup] = "markdown"
    # An embed has 6,000 characters in all.
    limits: ClassVar[Mapping[str, int]] = {
        "title": 256,
        "lead": 600,
        "known": 900,
        "todo": 800,
        "links": 1000,
        "context": 500,
    }

    webhook_url: Secret
    """The address of the webhook; all of it is secret."""

    def send(self, notification: Notification) -> str | None:
        """Post or edit the message of the incident; return its id."""
        message, earlier = (
            self.message(notification),
            self.context.find_earlier_result(notification),
        )
        chart = self.context.chart(notification)
        body = _body(message, self.message(notification, "plain"), bool(chart))
        if not earlier or notification.event is Event.TEST:
            return self._request("POST", "", body, chart)
        try:
            self._request("PATCH", f"/messages/{earlier}", body, chart)
        except Rejected as error:
            if error.status != 404:
                raise
            return self._request("POST", "", body, chart)  # somebody deleted it
        if notification.event not in QUIET:
            # Discord notifies nobody of an edited message.
            self._request("POST", "", {"content": f"**{message.title}**\n{message.lead}", **NOBODY})
        return earlier

    def permissions(self) -> tuple[str, ...]:
        """Return what the channel needs."""
        return ("a webhook, which needs Manage Webhooks to be made",)

    def _request(
        self, method: str, path: str, body: Mapping[str, Any], chart: bytes | None = None
    ) -> str:
        """Send a request; return the id of the message. `wait` makes Discord check the message."""
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
    fields = {"Links": message.links}
    findings = message.list_findings(FINDINGS, bullet="• ")
    parts = (message.lead, message.todo, message.known, findings)
    embed = {
        "description": "\n".join(part for part in parts if part),
        "color": int(message.colour[1:], 16),
        "fields": [{"name": name, "value": text} for name, text in fields.items() if text],
        "footer": {"text": plain.context},
        **({"image": {"url": f"attachment://{CHART}"}} if chart else {}),
    }
    # An edit removes the attachments that are not in this list.
    attachments = [{"id": 0, "filename": CHART, "description": plain.title}] if chart else []
    return {
        "content": f"**{message.title}**",
        "embeds": [embed],
        "attachments": attachments,
        **NOBODY,
    }


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Discord]
