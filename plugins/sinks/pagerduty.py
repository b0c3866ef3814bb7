"""PagerDuty, through Events v2: one alert an incident, told by its `dedup_key`, however often a message is repeated.

Refuses to guess: without a trigger, a resolve changes nothing there, and that is fine.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from driftline import Event, Notification, Secret, Severity, Sink, hookimpl, wording

ADDRESSES = {"us": "https://events.pagerduty.com/v2/enqueue", "eu": "https://events.eu.pagerduty.com/v2/enqueue"}
SUMMARY, KEY, FINDINGS = 1024, 255, 50
SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}


class PagerDuty(Sink):
    """Opens and resolves one PagerDuty alert for each incident."""

    type: ClassVar[str] = "pagerduty"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    routing_key: Secret
    """The integration key of the service: 32 characters."""
    region: Literal["us", "eu"] = "us"
    """Where the account lives."""
    url: str | None = None
    """Another address of the same API, for relays and tests."""

    def send(self, notification: Notification) -> str | None:
        """Trigger or resolve; returns the key under which PagerDuty knows the incident."""
        http = self.context.http
        assert http is not None
        body = payload(notification, self.routing_key.reveal())
        answer = http.post(self.url or ADDRESSES[self.region], json=body)
        if notification.event is Event.TEST:  # nobody is to be woken by a test
            over = {name: body[name] for name in ("routing_key", "dedup_key")}
            http.post(self.url or ADDRESSES[self.region], json={**over, "event_action": "resolve"})
        try:
            return str(json.loads(answer.text)["dedup_key"])[:KEY]
        except (ValueError, KeyError, TypeError):
            return str(body["dedup_key"])

    def permissions(self) -> tuple[str, ...]:
        """What the PagerDuty service needs."""
        return ("an Events API v2 integration",)


def payload(told: Notification, routing_key: str) -> dict[str, Any]:
    """The event: `resolve` at the end, else `trigger`, which PagerDuty merges while the alert is open."""
    event: dict[str, Any] = {"routing_key": routing_key, "dedup_key": told.incident[:KEY]}
    if told.event is Event.RESOLVED:
        return {**event, "event_action": "resolve"}
    links = [{"href": url, "text": name} for name, url in wording.links(told).items()]
    return {
        **event,
        "event_action": "trigger",
        "payload": {
            "summary": wording.clean(told.title, SUMMARY) or told.incident,
            "source": wording.clean(told.model, 200) or "driftline",
            "severity": "info" if told.event is Event.TEST else SEVERITIES[told.severity],
            "timestamp": told.since.isoformat(),
            "component": wording.clean(told.model, 200),
            "group": wording.clean(told.model_version or told.model, 200),
            "class": told.cause,
            "custom_details": _details(told),
        },
        **({"links": links[:20]} if links else {}),
    }


def _details(told: Notification) -> dict[str, Any]:
    findings = wording.lines(told.alerts)
    shown = [wording.clean(finding.text, 500) for finding in findings[:FINDINGS]]
    more = wording.others(told, len(shown))
    details: dict[str, Any] = {
        "findings": shown + ([f"and {more} more"] if more else []),
        "since": wording.utc(told.since),
        "window": wording.span(*told.window) if told.window else None,
        "rows": told.rows,
        "reference": wording.clean(told.reference, 200),
        "model_version": wording.clean(told.model_version, 200),
        "incident": told.incident,
    }
    facts = dict(list(wording.added(told).items())[:20])
    return {**{name: value for name, value in details.items() if value}, **{f"fact: {name}": facts[name] for name in facts}}


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [PagerDuty]
