"""One sink with its receiver, its outbox, and a clock that jumps to what is due."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import databases
from chat_receivers import DiscordReceiver, GoogleChatReceiver, OpsgenieReceiver, TeamsReceiver
from driftline_plugins.sinks.discord import Discord
from driftline_plugins.sinks.google_chat import GoogleChat
from driftline_plugins.sinks.opsgenie import Opsgenie
from driftline_plugins.sinks.pagerduty import PagerDuty
from driftline_plugins.sinks.slack import Slack
from driftline_plugins.sinks.slack_bot import SlackBot
from driftline_plugins.sinks.teams import Teams
from driftline_plugins.sinks.webhook import Webhook
from messages import DAY, NOW, SECOND
from receivers import PagerDutyReceiver, Receiver, SlackReceiver, WebhookReceiver
from slack_service import TOKEN, SlackService

from driftline import Notification, Secret, Sink, StartContext
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.delivery.worker import DeliveryPolicy, SinkWorker
from driftline.state import outbox
from driftline.state.factory import open_store
from driftline.state.incident_store import SinkPlan
from driftline.testing import FakeLog

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HTTP_SINKS = (
    "slack",
    "slack_bot",
    "pagerduty",
    "webhook",
    "teams",
    "google_chat",
    "discord",
    "opsgenie",
)


class World:
    """`left` holds when each request left. The receiver is `server`; `close` ends it."""

    def __init__(self, sink: str) -> None:
        self.now, self.left = NOW, list[datetime]()
        self.name = sink
        self.store = open_store(databases.fresh())
        receivers: dict[str, Any] = {
            "slack": SlackReceiver,
            "slack_bot": SlackService,
            "pagerduty": PagerDutyReceiver,
            "webhook": lambda: WebhookReceiver(SIGNING, lambda: self.now.timestamp()),
            "teams": TeamsReceiver,
            "google_chat": GoogleChatReceiver,
            "discord": DiscordReceiver,
            "opsgenie": OpsgenieReceiver,
        }
        self.server: Receiver = receivers[sink]().__enter__()

    def close(self) -> None:
        self.server.drip.set()
        self.server.__exit__()
        self.store.close()

    def start(self, ca_file: Path | None = None, timeout: float = 60) -> None:
        """Start the sink and its worker, as an agent does at its start: what was under way is of
        unknown outcome. `timeout` is in seconds; only a receiver that hangs needs a short one.
        """
        sink = self._sink(Secret("${env:URL}", self.server.url))
        clock: dict[str, Any] = {"permit": lambda: self.left.append(self.now)}
        http = HttpClient(
            lambda: self.now, allow_private=True, timeout=timeout, ca_file=ca_file, **clock
        )

        def earlier(told: Notification) -> str:
            with self.store.read() as connection:
                return outbox.load_receiver_reference(connection, self.name, told)

        sink.start(
            StartContext(
                name=self.name,
                log=FakeLog(),
                clock=lambda: self.now,
                http=http,
                render=Renderer(),
                find_earlier_result=earlier,
            )
        )
        with self.store.write() as connection:
            outbox.recover_unfinished(connection, self.now)
        self.plan = SinkPlan(self.name, updates=sink.updates)
        self.worker = SinkWorker(
            name=self.name,
            sink=sink,
            store=self.store,
            clock=lambda: self.now,
            rng=Random(3),
            policy=DeliveryPolicy(overdue=90),
        )

    def _sink(self, url: Secret) -> Sink:
        address = url.reveal()
        made: dict[str, Any] = {
            "slack": lambda: Slack(webhook_url=url),
            "slack_bot": lambda: SlackBot(
                token=Secret("${env:T}", TOKEN), channel="C0123456789", url=address
            ),
            "pagerduty": lambda: PagerDuty(routing_key=Secret("${env:B}", "e" * 32), url=address),
            "webhook": lambda: Webhook(url=url, secret=Secret("${env:C}", SIGNING)),
            "teams": lambda: Teams(webhook_url=url),
            "google_chat": lambda: GoogleChat(webhook_url=url),
            "discord": lambda: Discord(webhook_url=url),
            "opsgenie": lambda: Opsgenie(
                api_key=Secret("${env:E}", OpsgenieReceiver.key), url=address
            ),
        }
        sink: Sink = made[self.name]()
        return sink

    def settle(self, span: timedelta = 3 * DAY) -> None:
        """Deliver until nothing waits or `span` is over."""
        end = self.now + span
        while self.now < end:
            self.worker.deliver_due(self.now)
            due = self.worker.next_due(self.now)
            if due is None:
                return
            self.now = max(self.now + SECOND, due)

    def attempt(self) -> None:
        """One attempt at what is due next."""
        self.now = max(self.now, self.worker.next_due(self.now) or self.now)
        assert self.worker.deliver_due(self.now) == 1

    def states(self) -> dict[str, int]:
        """How many messages are in each state."""
        with self.store.read() as connection:
            return dict(outbox.load_sink_status(connection)[self.name].counts)

    def arrived(self) -> list[str]:
        """The messages that the service shows, by event, in order."""
        if self.name == "pagerduty":
            return [alert.status for alert in self.server.accepted]
        if self.name == "opsgenie":
            return [
                {"closed": "resolved"}.get(alert["status"], "opened")
                for alert in self.server.accepted
            ]
        if self.name == "webhook":
            return [told["type"] for told in self.server.accepted]
        titles = {
            "discord": lambda told: told["content"].strip("*"),
            "teams": lambda told: told["attachments"][0]["content"]["fallbackText"],
            "google_chat": lambda told: told["fallbackText"],
        }
        title = titles.get(self.name, lambda told: told["text"])
        return [
            "resolved" if title(told).startswith("OK ") else "opened"
            for told in self.server.accepted
        ]
