"""Any program, through a signed webhook as Standard Webhooks describes it
(https://www.standardwebhooks.com).

Refuses to send unsigned: the receiver can tell that it was us, when, and that it is no repeat.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from driftline import AlertFact, Event, Notification, Rejected, Secret, Sink, hookimpl
from driftline.kit.delivery import phrasing

ZERO = "0001-01-01T00:00:00Z"
"""How Alertmanager says that something has no end yet."""
LONGEST = 20_000
"""Characters of a body by template."""
Secrets = Annotated[
    tuple[Secret, ...],
    BeforeValidator(
        lambda one: one if isinstance(one, (list, tuple)) else (one,),
        json_schema_input_type=Secret | list[Secret],
    ),
]


class Webhook(Sink):
    """Posts each notification, signed, in one of four forms."""

    type: ClassVar[str] = "webhook"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "deduplicates"
    limits: ClassVar[Mapping[str, int]] = {"body": LONGEST}

    url: Annotated[Secret | str, Field(union_mode="left_to_right")]
    """Where to post; a secret when the address is one."""
    secret: Secrets
    """The signing secret, `whsec_` and 24 to 64 bytes in base64; while it is being replaced a list
    of the new and the old one, which both sign.
    """
    body: Literal["driftline", "cloudevents", "alertmanager", "template"] = "driftline"
    """What is posted: the notification by its published schema, the same as a CloudEvent, what
    Alertmanager's webhook sends, or the sink's own template `body`, in which data is written as in
    a JSON text.
    """
    content_type: str = "application/json"
    """Of a body by template."""
    source: str = "driftline"
    """What a CloudEvent says that it comes from: a URI, such as the agent's address."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Further headers, such as an `authorization` that a gateway asks for."""

    def send(self, notification: Notification) -> str | None:
        """Post it under its own id, which stays the same on every attempt."""
        http = self.context.http
        assert http is not None
        kind, body = self._written(notification)
        now = int(self.context.clock().timestamp())
        headers = {
            **{name.lower(): secret.reveal() for name, secret in self.headers.items()},
            "content-type": kind,
            "webhook-id": notification.id,
            "webhook-timestamp": str(now),
            "webhook-signature": " ".join(
                signature(one.reveal(), notification.id, now, body) for one in self.secret
            ),
        }
        url = self.url.reveal() if isinstance(self.url, Secret) else self.url
        http.post(url, content=body, headers=headers)
        return notification.id

    def _written(self, told: Notification) -> tuple[str, bytes]:
        if self.body == "driftline":
            return "application/json", _bytes(document(told))
        if self.body == "cloudevents":
            return "application/cloudevents+json; charset=utf-8", _bytes(
                cloud_event(told, self.source)
            )
        if self.body == "alertmanager":
            return "application/json", _bytes(alertmanager(told, self.context.name))
        text = self.message(told, "json").body
        if "json" in self.content_type:
            try:
                json.loads(text)
            except ValueError:
                raise Rejected("the sink's template `body` makes no JSON") from None
        return self.content_type, text.encode("utf-8", "replace")


def document(told: Notification) -> dict[str, Any]:
    """`type`, `timestamp` and the notification as `data`, whose JSON Schema `driftline schema
    --notification` prints.
    """
    return {
        "type": f"incident.{told.event.value}",
        "timestamp": _moment(told),
        "data": told.model_dump(mode="json"),
    }


def cloud_event(told: Notification, source: str) -> dict[str, Any]:
    """The same as a CloudEvent 1.0, structured."""
    about = {
        "specversion": "1.0",
        "id": told.id,
        "source": source,
        "type": f"driftline.incident.{told.event.value}",
    }
    about |= {
        "subject": told.incident,
        "time": _moment(told),
        "datacontenttype": "application/json",
    }
    return {**about, "data": told.model_dump(mode="json")}


def alertmanager(told: Notification, receiver: str) -> dict[str, Any]:
    """What Alertmanager's webhook sends, version 4: one group an incident."""
    group = {"incident": told.incident, "model": told.model}
    over = told.event is Event.RESOLVED
    alerts = [_alert(told, alert, group) for alert in told.alerts] or [_alert(told, None, group)]
    page = next(iter(phrasing.links(told).values()), "")
    reasons = {Event.RESOLVED: "all alerts resolved", Event.OPENED: "first notification"}
    return {
        "version": "4",
        "groupKey": f'{{}}:{{incident="{told.incident}"}}',
        "truncatedAlerts": max(0, phrasing.others(told, len(phrasing.lines(told.alerts)))),
        "status": "resolved" if over else "firing",
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": page,
        "notification_reason": reasons.get(told.event, "new alerts added"),
        "alerts": alerts,
    }


def _alert(told: Notification, alert: AlertFact | None, group: Mapping[str, str]) -> dict[str, Any]:
    firing = told.event is not Event.RESOLVED and (alert is None or alert.state != "resolved")
    about = (
        {"alertname": alert.measurement, "check": alert.check, **alert.labels}
        if alert
        else {"alertname": told.event.value}
    )
    severity = alert.severity if alert else told.severity
    labels = {
        re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII): value for name, value in about.items()
    }
    labels |= {**group, "severity": severity.value, "family": told.cause}
    said = phrasing.lines([alert])[0].text if alert else ""
    annotations = {"summary": told.title, "description": phrasing.clean(said, 1000)}
    since, end = (
        (alert or told).since,
        told.resolved_at or (told.window[1] if told.window else told.since),
    )
    return {
        "status": "firing" if firing else "resolved",
        "labels": labels,
        "annotations": {
            name: text for name, text in (annotations | phrasing.added(told)).items() if text
        },
        "startsAt": since.isoformat(),
        "endsAt": ZERO if firing else max(since, end).isoformat(),
        "generatorURL": next(iter(phrasing.links(told).values()), ""),
        "fingerprint": fingerprint(labels),
    }


def fingerprint(labels: Mapping[str, str]) -> str:
    """16 hex digits: FNV-1a over names and values, as Alertmanager makes them."""
    value = 14695981039346656037
    for name, text in sorted(labels.items()):
        for byte in name.encode() + b"\xff" + text.encode("utf-8", "replace") + b"\xff":
            value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def _common(found: list[dict[str, str]]) -> dict[str, str]:
    return {
        name: text for name, text in found[0].items() if all(one.get(name) == text for one in found)
    }


def _moment(told: Notification) -> str:
    return (told.window[1] if told.window else told.since).isoformat()


def _bytes(whole: Mapping[str, Any]) -> bytes:
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


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
