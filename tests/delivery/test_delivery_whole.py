"""From the outbox over real sinks and real HTTP to strict receivers that fail in every way there
is.
"""

from datetime import timedelta
from random import Random

import databases
import pytest
from driftline_plugins.sinks.pagerduty import PagerDuty
from driftline_plugins.sinks.slack import Slack
from driftline_plugins.sinks.webhook import Webhook
from messages import DAY, HOUR, NOW, SECOND, tell
from receivers import Fault, PagerDutyReceiver, SlackReceiver, WebhookReceiver

from driftline import Secret, StartContext
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.delivery.worker import DeliveryPolicy, SinkWorker
from driftline.state import outbox
from driftline.state.factory import open_store
from driftline.state.incident_store import SinkPlan

pytestmark = [pytest.mark.postgres, pytest.mark.system]

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FAULTS = {
    "none": [],
    "server errors": [Fault(status=500), Fault(status=502), Fault(status=503)],
    "slow down": [
        Fault(status=429, retry_after="120"),
        Fault(status=503, retry_after="60"),
        Fault(status=429),
    ],
    "reset before": [Fault(drop="before"), Fault(drop="before")],
    "reset after acceptance": [
        Fault(drop="after"),
        Fault(drop="after"),
        Fault(),
        Fault(drop="after"),
    ],
    "garbage body": [Fault(body=b"\xff\x00garbage"), Fault(body=b"x" * 300_000)],
    "timeout": [Fault(status=408), Fault(status=425)],
}


class Quiet:
    def info(self, event, **facts):
        pass

    warning = info


class World:
    """Three sinks, their receivers, one outbox, and a clock that jumps to what is due."""

    def __init__(self, slack, pager, hook):
        self.now, self.reports = NOW, []
        self.store = open_store(databases.fresh())
        self.sinks = {
            "slack": Slack(webhook_url=Secret("${env:A}", slack.url)),
            "pager": PagerDuty(routing_key=Secret("${env:B}", "e" * 32), url=pager.url),
            "hook": Webhook(url=hook.url, secret=Secret("${env:C}", SIGNING)),
        }
        self.plans = tuple(
            SinkPlan(name, updates=sink.updates) for name, sink in self.sinks.items()
        )
        http = HttpClient(lambda: self.now, allow_private=True, timeout=60)
        for name, sink in self.sinks.items():
            sink.start(
                StartContext(
                    name=name, log=Quiet(), clock=lambda: self.now, http=http, render=Renderer()
                )
            )
        self.start()

    def start(self):
        with self.store.write() as connection:
            outbox.recover_unfinished(connection, self.now)
        self.workers = [
            SinkWorker(
                name=name,
                sink=sink,
                store=self.store,
                clock=lambda: self.now,
                rng=Random(3),
                report=self.reports.append,
                policy=DeliveryPolicy(overdue=20),
            )
            for name, sink in self.sinks.items()
        ]

    def settle(self):
        end = self.now + 3 * DAY
        while self.now < end:
            for worker in self.workers:
                worker.deliver_due(self.now)
            due = [
                moment
                for worker in self.workers
                if (moment := worker.next_due(self.now)) is not None
            ]
            if not due:
                break
            self.now = max(self.now + SECOND, min(due))

    @property
    def counts(self):
        with self.store.read() as connection:
            return {
                name: dict(status.counts)
                for name, status in outbox.load_sink_status(connection).items()
            }


@pytest.fixture
def world():
    with (
        SlackReceiver() as slack,
        PagerDutyReceiver() as pager,
        WebhookReceiver(SIGNING, lambda: made.now.timestamp()) as hook,
    ):
        made = World(slack, pager, hook)
        made.receivers = {"slack": slack, "pager": pager, "hook": hook}
        yield made
        made.store.close()


@pytest.mark.parametrize("name", FAULTS)
def test_every_incident_is_told_whatever_fails(world, name):
    """Each opening and end arrives, once where a repeat can be recognised, and nothing is left
    waiting.
    """
    for receiver in world.receivers.values():
        receiver.faults.extend(FAULTS[name])
    for model in "abc":
        tell(world.store, model, "opened", "updated", plans=world.plans)
    world.settle()
    for model in "abc":
        tell(world.store, f"{model}2", "opened", "resolved", plans=world.plans, now=world.now)
    world.settle()
    alerts = world.receivers["pager"].accepted
    assert sorted(alert.status for alert in alerts) == ["resolved"] * 3 + ["triggered"] * 3
    assert len({alert.key for alert in alerts}) == 6
    events = sorted(
        (told["data"]["model"], told["data"]["event"]) for told in world.receivers["hook"].accepted
    )
    assert len(set(events)) == len(events)
    assert {(model, "resolved") for model in ("a2", "b2", "c2")} <= set(events)
    assert {told for told in events if told[1] != "updated"} >= {
        (f"{model}2", "resolved") for model in "abc"
    }
    titles = {told["text"] for told in world.receivers["slack"].accepted}
    assert all(any(f" {model}" in title for title in titles) for model in "abc")
    final = {"sent", "superseded", "possibly sent"}
    assert all(set(states) <= final for states in world.counts.values())


@pytest.mark.slow
def test_a_day_of_outage_with_a_hundred_incidents(world):
    """Each incident that opened and ended meanwhile is one message that says both, and none to the
    pager; each open one is one message.
    """
    for receiver in world.receivers.values():
        receiver.faults.extend([Fault(status=503)] * 400)
    for number in range(100):
        events = ("opened", "resolved") if number % 2 else ("opened", "updated")
        tell(world.store, f"m{number}", *events, plans=world.plans)
    start = world.now
    for hour in range(24):
        world.now = max(world.now, start + hour * HOUR)
        for worker in world.workers:
            worker.deliver_due(world.now)
    for receiver in world.receivers.values():
        receiver.faults.clear()
    world.settle()
    messages = [message["data"] for message in world.receivers["hook"].accepted]
    assert len(messages) == len({message["incident"] for message in messages}) == 100
    assert {message["written_at"] for message in messages} == {f"{start:%Y-%m-%dT%H:%M:%SZ}"}
    alerts = world.receivers["pager"].accepted
    assert [alert.status for alert in alerts] == ["triggered"] * 50


@pytest.mark.parametrize("status", [400, 403, 404, 410, 302])
def test_a_refusal_is_a_dead_letter_at_once(world, status):
    """A sink that refuses is asked once, the message is listed, and the other sinks are not held
    up.
    """
    world.receivers["slack"].faults.append(
        Fault(status=status, body=b"no_service", location="http://127.0.0.1:9/")
    )
    tell(world.store, "a", "opened", plans=world.plans)
    world.settle()
    assert world.counts == {"hook": {"sent": 1}, "pager": {"sent": 1}, "slack": {"refused": 1}}
    with world.store.read() as connection:
        [letter] = outbox.list_dead_letters(connection)
    assert f"HTTP {status} from http://127.0.0.1" in letter.error
    assert "secret" not in letter.error
    assert [report.sink for report in world.reports if report.is_dead_letter] == ["slack"]


@pytest.mark.parametrize("crash", ["before sending", "after sending"])
@pytest.mark.parametrize("turn", range(6))
def test_a_crash_at_any_message_repeats_nothing_that_can_be_recognised(
    world, crash, turn, monkeypatch
):
    """Died between claim and send, or between send and its record: after a restart all is told,
    PagerDuty shows one alert.
    """
    tell(world.store, "a", "opened", "resolved", plans=world.plans)
    seen = []

    def dies(worker, *args, **named):
        seen.append(worker)
        if len(seen) == turn + 1:
            raise KeyboardInterrupt
        return real(worker, *args, **named)

    if crash == "after sending":
        real = SinkWorker._write_outcome
        monkeypatch.setattr(SinkWorker, "_write_outcome", dies)
    else:
        import driftline.delivery.worker as module

        real = module.SendThread
        monkeypatch.setattr(module, "SendThread", dies)
    with pytest.raises(KeyboardInterrupt):
        world.settle()
    monkeypatch.undo()
    world.now += timedelta(minutes=1)
    world.start()
    world.settle()
    assert [alert.status for alert in world.receivers["pager"].accepted] == ["resolved"]
    assert [told["type"] for told in world.receivers["hook"].accepted] == [
        "incident.opened",
        "incident.resolved",
    ]
    assert 2 <= len(world.receivers["slack"].accepted) <= 3
    assert {name: {"sent": 2} for name in ("hook", "pager", "slack")} == world.counts
