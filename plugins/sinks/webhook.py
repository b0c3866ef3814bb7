"""Sends notifications to any program, through a signed webhook.

The signature follows Standard Webhooks (https://www.standardwebhooks.com): the receiver can check
who sent the message, when, and that it is not a repeat. Does not send without a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from driftline import Event, Notification, Rejected, Secret, Sink, hookimpl
from driftline.kit.delivery import compact
from driftline.kit.delivery.alertmanager import alertmanager_body

MAX_BODY = 20_000
"""Characters of a body made by a template."""
Secrets = Annotated[
    tuple[Secret, ...],
    BeforeValidator(
        lambda value: value if isinstance(value, (list, tuple)) else (value,),
        json_schema_input_type=Secret | list[Secret],
    ),
]


class Webhook(Sink):
    """Posts each notification, signed, in one of four forms."""

    type: ClassVar[str] = "webhook"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "deduplicates"
    limits: ClassVar[Mapping[str, int]] = {"body": MAX_BODY}

    url: Annotated[Secret | str, Field(union_mode="left_to_right")]
    """The address that notifications are posted to.

    Give it as a secret where the address itself must stay private.
    """
    secret: Secrets
    """The signing secret: `whsec_` followed by 24 to 64 bytes in base64.

    To replace it without an interruption, give a list with the new and the old secret: both then
    sign each message.
    """
    body: Literal["driftline", "cloudevents", "alertmanager", "template"] = "driftline"
    """The form of the body.

    `driftline`: the notification by its published schema. `cloudevents`: the same inside a
    CloudEvent. `alertmanager`: the body of Alertmanager's webhook. `template`: the sink's own
    template `body`; its values are escaped for a JSON text.
    """
    content_type: str = "application/json"
    """The content type of a body made by a template.

    Where it contains `json`, the body must be valid JSON.
    """
    source: str = "driftline"
    """The `source` of a CloudEvent: a URI, such as the address of the agent."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """More headers, such as the `authorization` that a gateway asks for."""

    def send(self, notification: Notification) -> str | None:
        """Post the notification under its own id, which is the same on each attempt."""
        http = self.context.http
        assert http is not None
        content_type, body = self._render(notification)
        now = int(self.context.clock().timestamp())
        headers = {
            **{name.lower(): value.reveal() for name, value in self.headers.items()},
            "content-type": content_type,
            "webhook-id": notification.id,
            "webhook-timestamp": str(now),
            "webhook-signature": " ".join(
                sign_message(secret.reveal(), notification.id, now, body) for secret in self.secret
            ),
        }
        url = self.url.reveal() if isinstance(self.url, Secret) else self.url
        http.post(url, content=body, headers=headers)
        return notification.id

    def _render(self, notification: Notification) -> tuple[str, bytes]:
        """Return the content type and the body."""
        if self.body == "driftline":
            return "application/json", _encode(document(notification))
        if self.body == "cloudevents":
            event = cloud_event(notification, self.source)
            return "application/cloudevents+json; charset=utf-8", _encode(event)
        if self.body == "alertmanager":
            body = alertmanager_body(
                notification, receiver=self.context.name, describe=self.describe
            )
            return "application/json", _encode(body)
        text = self.message(notification, "json").body
        if "json" in self.content_type:
            try:
                json.loads(text)
            except ValueError:
                raise Rejected("the sink's template `body` does not produce valid JSON") from None
        return self.content_type, text.encode("utf-8", "replace")


def document(notification: Notification) -> dict[str, Any]:
    """Return the body of form `driftline`: `type`, `timestamp` and the notification as `data`.

    `driftline schema --notification` prints the JSON Schema of `data`.
    """
    return {
        "type": _type(notification),
        "timestamp": _timestamp(notification),
        "data": notification.model_dump(mode="json"),
    }


def cloud_event(notification: Notification, source: str) -> dict[str, Any]:
    """Return the notification as a CloudEvent 1.0 in structured mode."""
    return {
        "specversion": "1.0",
        "id": notification.id,
        "source": source,
        "type": f"driftline.{_type(notification)}",
        "subject": notification.incident,
        "time": _timestamp(notification),
        "datacontenttype": "application/json",
        "data": notification.model_dump(mode="json"),
    }


def _type(notification: Notification) -> str:
    """`incident.opened` and so on, or `model.report`: a subject and an event, joined by a dot."""
    event = notification.event
    return f"{'model' if event is Event.REPORT else 'incident'}.{event.value}"


def _timestamp(notification: Notification) -> str:
    window = notification.window
    return (window[1] if window else notification.since).isoformat()


def _encode(body: Mapping[str, Any]) -> bytes:
    return compact(body).encode("utf-8", "replace")


def sign_message(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the HMAC-SHA256 of id, time and body, in base64.

    Raises Rejected where `secret` is not 24 to 64 bytes in base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise Rejected("the webhook's secret must be whsec_ and 24 to 64 bytes in base64")
    content = b".".join((id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Webhook]
