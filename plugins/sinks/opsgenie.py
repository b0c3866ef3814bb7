"""Sends incidents to Opsgenie's Alert API: one alert for each, also when a message is repeated.

The alias of the alert is the incident. An answer 202 counts as success: the sink does not wait
until Opsgenie has processed the message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from driftline import Event, Message, Notification, Secret, Severity, Sink, hookimpl
from driftline.kit.delivery import phrasing

ADDRESSES = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"}
PRIORITIES: Mapping[Severity, Literal["P1", "P2", "P3", "P4", "P5"]] = {
    Severity.CRITICAL: "P1",
    Severity.WARNING: "P3",
    Severity.INFO: "P5",
}
QUIET = (Event.TEST, Event.REPORT)
"""Events that must not wake anybody: the alert has the lowest priority and is closed at once."""
OPERATIONS = {
    Event.RESOLVED: "close",
    Event.ACKNOWLEDGED: "acknowledge",
    Event.SILENCED: "acknowledge",
}
ALIAS = 512


class Opsgenie(Sink):
    """Opens, acknowledges and closes one Opsgenie alert for each incident."""

    type: ClassVar[str] = "opsgenie"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "deduplicates"
    limits: ClassVar[Mapping[str, int]] = {"title": 130, "body": 15_000}

    api_key: Secret
    """The key of an API integration."""
    region: Literal["us", "eu"] = "us"
    """The region of the account."""
    priorities: Mapping[Severity, Literal["P1", "P2", "P3", "P4", "P5"]] = PRIORITIES
    """The priority of each severity; a severity that is missing here has its default."""
    tags: Annotated[tuple[Annotated[str, Field(max_length=50)], ...], Field(max_length=18)] = ()
    """Tags of each alert, for routing in Opsgenie; at most 18 of up to 50 characters."""
    url: str | None = None
    """The address of the API, in place of the region's. Change it for a proxy or a test."""

    def send(self, notification: Notification) -> str | None:
        """Create, change, acknowledge or close the alert; return its alias."""
        alias = notification.incident[:ALIAS]
        if notification.event is Event.RESOLVED and not notification.sent_before:
            return alias  # nobody was paged, and nobody needs to be
        message = self.message(notification)
        if notification.event in OPERATIONS:
            self._request(
                "POST",
                alias,
                OPERATIONS[notification.event],
                {"note": message.lead, "source": "driftline"},
            )
            return alias
        alert = self._alert(notification, message, alias)
        self._request("POST", "", "", alert)
        if notification.event is Event.UPDATED:  # Opsgenie ignores fields of repeated creations
            for field in ("message", "description", "priority"):
                self._request("PUT", alias, field, {field: alert[field]})
        if notification.event in QUIET:
            self._request("POST", alias, "close", {"source": "driftline"})
        return alias

    def permissions(self) -> tuple[str, ...]:
        """Return what the integration needs."""
        return ("an API integration with the rights to create and update alerts",)

    def _alert(self, notification: Notification, message: Message, alias: str) -> dict[str, Any]:
        chart = self.context.chart_url(notification)
        details = {
            "model": notification.model,
            "version": notification.model_version,
            "cause": notification.cause,
            "incident": notification.incident,
        }
        return {
            "message": message.title,
            "alias": alias,
            "description": message.body,
            "priority": "P5"
            if notification.event in QUIET
            else self.priorities.get(notification.severity, PRIORITIES[notification.severity]),
            "source": "driftline",
            "entity": phrasing.clean(notification.model, 200),
            "tags": [*self.tags, notification.cause, notification.severity.value],
            "details": {name: phrasing.clean(text, 200) for name, text in details.items() if text}
            | dict(message.buttons[:3])
            | ({"chart": chart} if chart else {}),
        }

    def _request(self, method: str, alias: str, act: str, body: Mapping[str, Any]) -> None:
        assert self.context.http is not None
        place = f"/{quote(alias, safe='')}/{act}?identifierType=alias" if alias else ""
        headers = {
            "authorization": f"GenieKey {self.api_key.reveal()}",
            "content-type": "application/json; charset=utf-8",
        }
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        address = (self.url or ADDRESSES[self.region]).rstrip("/")
        self.context.http.request(
            method, f"{address}/v2/alerts{place}", content=content, headers=headers
        )


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Opsgenie]
