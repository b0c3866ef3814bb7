"""Eleven ways for a delivery to go wrong, before and after the receiver took the message: the outbox ends right."""

import threading
from datetime import timedelta
from random import Random

import databases
import pytest
from chat_receivers import DiscordReceiver, OpsgenieReceiver
from driftline_plugins.sinks.discord import Discord
from driftline_plugins.sinks.opsgenie import Opsgenie
from driftline_plugins.sinks.pagerduty import PagerDuty
from driftline_plugins.sinks.slack import Slack
from driftline_plugins.sinks.slack_bot import SlackBot
from driftline_plugins.sinks.webhook import Webhook
from messages import DAY, NOW, SECOND, tell
from receivers import Fault, PagerDutyReceiver, SlackReceiver, WebhookReceiver
from slack_service import TOKEN, SlackService

from driftline import Secret, StartContext
from driftline.alerting.store import SinkPlan
from driftline.delivery.http import HttpClient
from driftline.delivery.rendering import Renderer
from driftline.delivery.worker import Policy, SinkWorker
from driftline.state import outbox
from driftline.state.store import open_store
from driftline.testing import FakeLog

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LATE = threading.Event()
PROMISED = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nok"
DRIP = [b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n", *[b"."] * 60]
BIG = b'{"ok": true, "more": "' + b"x" * 3_000_000 + b'"}'


def unheard(**given) -> Fault:
    """What goes wrong with a request that was read and not taken: a plain 500 behind it."""
    return Fault(**{"status": 500, **given})


FAULTS = {
    ("status", "before"): [Fault(status=500), Fault(status=502), Fault(status=408)],
    ("status", "after"): [Fault(status=500, taken=True), Fault(status=502, taken=True)],
    ("reset", "before"): [Fault(drop="before")] * 2,
    ("reset", "after"): [Fault(drop="after")] * 2,
    ("timeout", "before"): [unheard(hold=LATE)],
    ("timeout", "after"): [Fault(hold=LATE)],
    ("slow drip", "before"): [unheard(raw=DRIP)],
    ("slow drip", "after"): [Fault(raw=DRIP)],
    ("garbage", "before"): [unheard(raw=[b"\x00\x01 what?\r\n\r\n"])],
    ("garbage", "after"): [Fault(raw=[b"\x00\x01 what?\r\n\r\n"])],
    ("redirect", "before"): [Fault(status=302, location="http://127.0.0.1:9/")],
    ("redirect", "after"): [Fault(status=307, location="http://127.0.0.1:9/", taken=True)],
    ("big body", "before"): [unheard(body=BIG)],
    ("big body", "after"): [Fault(body=BIG)],
    ("partial", "before"): [unheard(raw=[PROMISED])],
    ("partial", "after"): [Fault(raw=[PROMISED])],
    ("closed", "before"): [unheard(raw=[])],
    ("closed", "after"): [Fault(raw=[])],
    ("TLS", "before"): [],
    ("rate limit", "before"): [Fault(status=429, retry_after="120"), Fault(status=503, retry_after="60"), Fault(status=429)],
    ("rate limit", "after"): [Fault(status=429, retry_after="120", taken=True)],
}
REFUSED = ("redirect",)
"""For good: the message is a dead letter."""


class World:
    """One sink, its receiver, its outbox, a clock that jumps to what is due, and when each request left."""

    def __init__(self, sink: str):
        self.now, self.left = NOW, []
        self.name = sink
        self.store = open_store(databases.fresh())
        self.server = {
            "chat": SlackReceiver,
            "bot": SlackService,
            "pager": PagerDutyReceiver,
            "room": DiscordReceiver,
            "alerts": OpsgenieReceiver,
            "hook": lambda: WebhookReceiver(SIGNING, lambda: self.now.timestamp()),
        }[sink]().__enter__()

    def start(self, secure: bool = False):
        url = self.server.url.replace("http:", "https:") if secure else self.server.url
        made = {
            "chat": lambda: Slack(webhook_url=Secret("${env:A}", url)),
            "bot": lambda: SlackBot(token=Secret("${env:T}", TOKEN), channel="C0123456789", url=url),
            "pager": lambda: PagerDuty(routing_key=Secret("${env:B}", "e" * 32), url=url),
            "room": lambda: Discord(webhook_url=Secret("${env:D}", url)),
            "alerts": lambda: Opsgenie(api_key=Secret("${env:E}", OpsgenieReceiver.key), url=url),
            "hook": lambda: Webhook(url=url, secret=Secret("${env:C}", SIGNING)),
        }
        sink = made[self.name]()
        clock = {"permit": lambda: self.left.append(self.now)}
        http = HttpClient(lambda: self.now, allow_private=True, timeout=0.25, **clock)

        def earlier(told):
            with self.store.read() as connection:
                return outbox.reference(connection, self.name, told)

        sink.start(StartContext(self.name, FakeLog(), lambda: self.now, http, message=Renderer(), earlier=earlier))
        self.plan = SinkPlan(self.name, updates=sink.updates)
        self.worker = SinkWorker(self.name, sink, self.store, lambda: self.now, Random(3), policy=Policy(overdue=20))

    def settle(self, span: timedelta = 3 * DAY):
        end = self.now + span
        while self.now < end:
            self.worker.deliver_due(self.now)
            due = self.worker.next_due(self.now)
            if due is None:
                return
            self.now = max(self.now + SECOND, due)

    def states(self):
        with self.store.read() as connection:
            return dict(outbox.status(connection)[self.name].counts)

    def arrived(self) -> list[str]:
        """The messages that the service shows, by event, in order."""
        if self.name == "pager":
            return [alert.status for alert in self.server.accepted]
        if self.name == "alerts":
            return [{"closed": "resolved"}.get(alert["status"], "opened") for alert in self.server.accepted]
        if self.name == "room":
            return ["resolved" if told["content"].startswith("**OK ") else "opened" for told in self.server.accepted]
        if self.name == "hook":
            return [told["type"] for told in self.server.accepted]
        return ["resolved" if told["text"].startswith("OK ") else "opened" for told in self.server.accepted]


@pytest.fixture(params=["chat", "bot", "pager", "hook", "room", "alerts"])
def world(request):
    LATE.clear()
    made = World(request.param)
    yield made
    LATE.set()
    made.server.drip.set()
    made.server.__exit__()
    made.store.close()


@pytest.mark.parametrize(("kind", "when"), FAULTS, ids=[f"{kind} {when}" for kind, when in FAULTS])
def test_the_outbox_ends_right(world, kind, when):
    """Opening and end arrive, once where the receiver or the sink can tell, nothing waits, nothing leaves before its time."""
    world.start(secure=kind == "TLS")
    world.server.faults.extend(FAULTS[kind, when])
    tell(world.store, "a", "opened", plans=(world.plan,))
    world.settle(timedelta(minutes=1 if kind == "TLS" else 3 * 1440))
    if kind == "TLS":
        assert (world.left, world.states()) == ([], {"pending": 1})
        world.start()
        world.settle()
    refused = kind in REFUSED
    assert world.states() == ({"refused": 1} if refused else {"sent": 1})
    if kind == "rate limit":
        pauses = [later - sooner for sooner, later in zip(world.left, world.left[1:], strict=False)]
        assert pauses[0] >= timedelta(seconds=120)
        assert when == "after" or pauses[1] >= timedelta(seconds=60)
    opened = world.arrived()
    # A webhook can't look: what may have arrived is sent again. So does a bot that was told that nothing had happened.
    if not refused and (world.name in ("chat", "room") or (world.name == "bot" and (kind, when) == ("rate limit", "after"))):
        assert 1 <= len(opened) <= 3
    elif not (refused and when == "before"):
        assert len(opened) == 1
    tell(world.store, "b", "opened", "resolved", plans=(world.plan,), now=world.now)
    world.settle()
    assert world.states() == ({"refused": 1, "sent": 2} if refused else {"sent": 3})
    end = {"pager": ["resolved"], "hook": ["incident.resolved"]}.get(world.name, ["resolved"])
    assert world.arrived()[-1:] == end


def test_what_was_taken_after_a_rate_limit_is_not_there_twice():
    """A bot that was throttled after its message was lost still looks: one answer of no effect does not undo the doubt."""
    made = World("bot")
    try:
        made.start()
        made.server.faults.extend([Fault(drop="after"), Fault(), Fault(status=429, retry_after="30")])
        tell(made.store, "a", "opened", plans=(made.plan,))
        made.settle()
        assert made.arrived() == ["opened"]
    finally:
        made.server.__exit__()
        made.store.close()
