"""Sends incidents to PagerDuty through Events API v2: one alert for each, also with repeats.

The `dedup_key` of the alert is the incident. PagerDuty pages nobody about an acknowledged alert,
so an incident that must page again gets a new alert, with its revision in the key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from driftline import Event, Message, Notification, Reason, Secret, Severity, Sink, hookimpl
from driftline.kit.delivery import phrasing
from driftline.kit.delivery.fields import alert_fields

ADDRESSES = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
KEY, FINDINGS = 255, 50
SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
ACTIONS = {
    Event.RESOLVED: "resolve",
    Event.ACKNOWLEDGED: "acknowledge",
    Event.SILENCED: "acknowledge",
}
PAGES_AGAIN = (Reason.MORE_SEVERE, Reason.DOUBLED, Reason.RELEASED)
"""Why an open alert is closed and opened anew: an acknowledged alert ignores its triggers."""
REPLACED = "reference replaced"
"""The change event of an incident that was accepted as the new normal."""


class PagerDuty(Sink):
    """Opens, acknowledges and resolves an alert for each incident, and sends change events.

    A first report is a change event, too.
    """

    type: ClassVar[str] = "pagerduty"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "deduplicates"
    limits: ClassVar[Mapping[str, int]] = {"title": 1024}

    routing_key: Secret
    """The integration key of the service, of 32 characters."""
    region: Literal["us", "eu"] = "us"
    """The region of the account."""
    changes: bool = True
    """Whether new versions of the model, replaced references and reports become change events.

    Change events page nobody.
    """
    url: str | None = None
    """The address of the API, in place of the region's. Change it for a proxy or a test."""

    def send(self, notification: Notification) -> str | None:
        """Trigger, acknowledge or resolve the alert; return its key."""
        key = {"routing_key": self.routing_key.reveal()}
        if notification.event is Event.REPORT:
            return self._send_report(notification, key)
        is_over = notification.event is Event.RESOLVED and not notification.sent_before
        if is_over:  # nobody was paged, and nobody needs to be
            return notification.incident[:KEY]
        earlier = self.context.find_earlier_result(notification)
        event = {**key, **self._event(notification, earlier)}
        if earlier and event["dedup_key"] != earlier:
            self._post("", {**key, "dedup_key": earlier, "event_action": "resolve"})
        dedup_key = self._post("", event)
        if notification.event is Event.TEST:  # a test must not wake anybody
            self._post("", {**key, "dedup_key": event["dedup_key"], "event_action": "resolve"})
        change = self._change(notification) if self.changes else None
        if change:
            self._post("/change", {**key, **change})
        return dedup_key or str(event["dedup_key"])

    def permissions(self) -> tuple[str, ...]:
        """Return what the PagerDuty service needs."""
        return ("an Events API v2 integration",)

    def _send_report(self, notification: Notification, key: Mapping[str, str]) -> str:
        """Send a report as a change event: it is no alert that somebody has to resolve."""
        if self.changes:
            message = self.message(notification)
            model = phrasing.clean(notification.model, 200) or "driftline"
            payload = {
                "summary": message.title,
                "source": model,
                "timestamp": notification.since.isoformat(),
                "custom_details": _details(notification, message),
            }
            self._post("/change", {**key, "payload": payload, "links": _links(message)})
        return notification.incident[:KEY]

    def _post(self, kind: str, body: Mapping[str, Any]) -> str:
        assert self.context.http is not None
        address = (self.url or ADDRESSES[self.region]).removesuffix("/enqueue")
        answer = self.context.http.post(f"{address}{kind}/enqueue", json=body)
        try:
            return str(json.loads(answer.text)["dedup_key"])[:KEY]
        except (ValueError, KeyError, TypeError):
            return ""

    def _event(self, notification: Notification, earlier: str) -> dict[str, Any]:
        """The event of a message; `earlier` is the key of the alert that PagerDuty has."""
        dedup_key = (earlier or notification.incident)[:KEY]
        if earlier and notification.reason in PAGES_AGAIN:
            dedup_key = f"{notification.incident[: KEY - 12]}:{notification.revision}"
        event: dict[str, Any] = {
            "dedup_key": dedup_key,
            "event_action": ACTIONS.get(notification.event, "trigger"),
        }
        if event["event_action"] != "trigger":
            return event
        message = self.message(notification)
        page, chart = (
            next((url for _, url in message.buttons), ""),
            self.context.chart_url(notification),
        )
        image = {"src": chart, "alt": message.title, **({"href": page} if page else {})}
        return {
            **event,
            "payload": {
                "summary": message.title,
                "source": phrasing.clean(notification.model, 200) or "driftline",
                "severity": "info"
                if notification.event is Event.TEST
                else SEVERITIES[notification.severity],
                "timestamp": notification.since.isoformat(),
                "component": phrasing.clean(notification.model, 200),
                "group": phrasing.clean(notification.model_version or notification.model, 200),
                "class": notification.cause,
                "custom_details": _details(notification, message),
            },
            **({"client": "driftline", "client_url": page} if page else {}),
            **({"links": _links(message)} if message.buttons else {}),
            **({"images": [image]} if chart else {}),
        }

    def _change(self, notification: Notification) -> dict[str, Any] | None:
        """The change event of a message: a replaced reference, or a new version of the model."""
        if notification.reason is Reason.ACCEPTED:
            summary = REPLACED
        elif notification.event is Event.OPENED and notification.new_versions:
            summary = phrasing.clean(notification.upstream_text)
        else:
            return None
        model = phrasing.clean(notification.model, 200) or "driftline"
        at = notification.resolved_at or notification.since
        payload = {"summary": f"{model}: {summary}", "source": model, "timestamp": at.isoformat()}
        return {"payload": payload, "links": _links(self.message(notification))}


def _links(message: Message) -> list[dict[str, str]]:
    return [{"href": url, "text": name} for name, url in message.buttons[:20]]


def _details(notification: Notification, message: Message) -> dict[str, Any]:
    """What the message says, and its numbers as fields that the rules of an account can use."""
    more = message.more(len(message.findings[:FINDINGS]))
    firing = [alert for alert in notification.alerts if alert.state != "resolved"]
    columns = {alert.labels["column"]: None for alert in firing if "column" in alert.labels}
    details: dict[str, Any] = {
        "model": notification.model,
        "version": notification.model_version,
        "family": notification.cause,
        "severity": notification.severity.value,
        "reason": notification.reason.value if notification.reason else "",
        "since": notification.since.isoformat(),
        "rows": notification.rows,
        "columns": list(columns),
        "checks": list({alert.check: None for alert in firing}),
        "alerts": [alert_fields(alert) for alert in firing[:FINDINGS]],
        "lead": message.lead,
        "what to do": message.todo.splitlines()[1:],
        "known": message.known.splitlines(),
        "findings": [*message.findings[:FINDINGS], *([more] if more else [])],
        "rests on": message.context,
        "incident": notification.incident,
    }
    return {name: value for name, value in details.items() if value}


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [PagerDuty]
