"""Opsgenie, through its Alert API: one alert an incident, told by its alias, however often a
message is repeated.

Refuses to wait for Opsgenie's work: an answer 202 means that it was taken.
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
ENDED = {Event.RESOLVED: "close", Event.ACKNOWLEDGED: "acknowledge", Event.SILENCED: "acknowledge"}
ALIAS = 512


class Opsgenie(Sink):
    """Opens, acknowledges and closes one Opsgenie alert for each incident."""

    type: ClassVar[str] = "opsgenie"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "deduplicates"
    limits: ClassVar[Mapping[str, int]] = {"title": 130, "body": 15_000}

    api_key: Secret
    """The key of an API integration."""
    region: Literal["us", "eu"] = "us"
    """Where the account lives."""
    priorities: Mapping[Severity, Literal["P1", "P2", "P3", "P4", "P5"]] = PRIORITIES
    """The priority of each severity."""
    tags: Annotated[tuple[Annotated[str, Field(max_length=50)], ...], Field(max_length=18)] = ()
    """Tags of every alert, by which Opsgenie can route."""
    url: str | None = None
    """Another address of the same API, for relays and tests."""

    def send(self, notification: Notification) -> str | None:
        """Create, change, acknowledge or close; returns the alias under which Opsgenie knows the
        incident.
        """
        alias = notification.incident[:ALIAS]
        message = self.message(notification)
        if notification.event in ENDED:
            self._ask(
                "POST",
                alias,
                ENDED[notification.event],
                {"note": message.lead, "source": "driftline"},
            )
            return alias
        alert = self._alert(notification, message, alias)
        self._ask("POST", "", "", alert)
        if notification.event is Event.UPDATED:  # an open alert only counts what is created again
            for field in ("message", "description", "priority"):
                self._ask("PUT", alias, field, {field: alert[field]})
        if notification.event is Event.TEST:  # nobody is to be woken by a test
            self._ask("POST", alias, "close", {"source": "driftline"})
        return alias

    def permissions(self) -> tuple[str, ...]:
        """What the integration needs."""
        return ("an API integration with the rights to create and update alerts",)

    def _alert(self, told: Notification, message: Message, alias: str) -> dict[str, Any]:
        chart = self.context.chart_url(told)
        details = {
            "model": told.model,
            "version": told.model_version,
            "cause": told.cause,
            "incident": told.incident,
        }
        return {
            "message": message.title,
            "alias": alias,
            "description": message.body,
            "priority": "P5"
            if told.event is Event.TEST
            else self.priorities.get(told.severity, PRIORITIES[told.severity]),
            "source": "driftline",
            "entity": phrasing.clean(told.model, 200),
            "tags": [*self.tags, told.cause, told.severity.value],
            "details": {name: phrasing.clean(text, 200) for name, text in details.items() if text}
            | dict(message.buttons[:3])
            | ({"chart": chart} if chart else {}),
        }

    def _ask(self, method: str, alias: str, act: str, body: Mapping[str, Any]) -> None:
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
    """The one sink of this file."""
    return [Opsgenie]
