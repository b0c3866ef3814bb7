"""Any program, through a signed webhook as Standard Webhooks describes it (https://www.standardwebhooks.com).

Refuses to send unsigned: the receiver can tell that it was us, when, and that it is no repeat.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from driftline import Notification, Rejected, Secret, Sink, hookimpl


class Webhook(Sink):
    """Posts each notification as JSON, signed."""

    type: ClassVar[str] = "webhook"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    url: Annotated[Secret | str, Field(union_mode="left_to_right")]
    """Where to post; a secret when the address is one."""
    secret: Secret
    """The signing secret, `whsec_` and 24 to 64 bytes in base64."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Further headers, such as an `authorization` that a gateway asks for."""

    def send(self, notification: Notification) -> str | None:
        """Post it under its own id, which stays the same on every attempt."""
        http = self.context.http
        assert http is not None
        body = document(notification)
        now = int(self.context.clock().timestamp())
        headers = {
            **{name.lower(): secret.reveal() for name, secret in self.headers.items()},
            "content-type": "application/json",
            "webhook-id": notification.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self.secret.reveal(), notification.id, now, body),
        }
        url = self.url.reveal() if isinstance(self.url, Secret) else self.url
        http.post(url, content=body, headers=headers)
        return notification.id


def document(told: Notification) -> bytes:
    """The body: `type`, `timestamp` and the notification as `data`, whose JSON Schema `driftline schema` prints."""
    told_of = told.window[1] if told.window else told.since
    whole = {"type": f"incident.{told.event.value}", "timestamp": told_of.isoformat(), "data": told.model_dump(mode="json")}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of id, time and body. Raises Rejected for a secret that is none."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise Rejected("the webhook's secret must be whsec_ and 24 to 64 bytes in base64")
    signed = b".".join((id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Webhook]
