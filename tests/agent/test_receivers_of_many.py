"""A whole agent of many models, and a receiver that is away for a day or names no usable pause."""

from datetime import timedelta

import databases
import pytest
from receivers import Fault, PagerDutyReceiver, WebhookReceiver
from station import START, Station

pytestmark = pytest.mark.system

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOUR = timedelta(hours=1)
ROWS = 60
MODEL = """
    source: {{type: local, options: {{path: {folder}/log/{name}, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    first_report: false
    checks:
      missing: {{type: missing, rule: {{measurement: missing_rate, above: {{warning: 0.2}}}}}}
"""


class Fleet:
    """An agent of models that each have a log of their own, and one or two receivers."""

    def __init__(self, folder, monkeypatch, models: int, sinks: str, routes: str = "") -> None:
        monkeypatch.setenv("SIGNING", SIGNING)
        monkeypatch.setenv("ROUTING", "e" * 32)
        self.station = Station(folder)
        self.models = [f"m{number:02d}" for number in range(models)]
        for name in self.models:
            (folder / "log" / name).mkdir()
        parts = [f"  {name}:{MODEL.format(folder=folder, name=name)}" for name in self.models]
        self.station.config.write_text(
            f"version: 1\n"
            f'agent: {{state: "{databases.of(folder)}", http: null, workers: 2}}\n'
            f"plugins: {{paths: [plugs]}}\n"
            f"models:\n{''.join(parts)}"
            f"sinks:\n  diary: {{type: diary, options: {{path: {folder}/diary.jsonl}}}}\n"
            f"{sinks}{routes}"
        )

    def write(self, hour: int, missing: list[str]) -> None:
        """Write an hour of every log; the models `missing` have no plans in it."""
        for name in self.models:
            plan = {"plan": None} if name in missing else {}
            self.station.hour(hour, ROWS, f"{name}/{hour:04d}", **plan)

    def judge(self, hour: int) -> None:
        """Let all models judge an hour, and send what is due."""
        self.station.clock.now = START + (hour + 1) * HOUR + timedelta(minutes=20)
        for name in self.models:
            self.station.agent.tick(name)
        self.deliver()

    def deliver(self) -> None:
        """Send what is due now."""
        for worker in self.station.agent.workers:
            worker.deliver_due(self.station.clock())


@pytest.mark.slow
def test_a_day_of_outage_with_a_hundred_incidents(tmp_path, monkeypatch):
    """After a day without a receiver each of 100 incidents is one message: those that are open as
    an opening, those that ended as one that says both, and the pager hears of the open ones alone.
    """
    with (
        WebhookReceiver(SIGNING, lambda: fleet.station.clock.now.timestamp()) as hook,
        PagerDutyReceiver() as pager,
    ):
        sinks = (
            f"  hook: {{type: webhook, allow_private: true,"
            f' options: {{url: "{hook.url}", secret: "${{env:SIGNING}}"}}}}\n'
            f"  pager: {{type: pagerduty, allow_private: true,"
            f' options: {{url: "{pager.url}", routing_key: "${{env:ROUTING}}"}}}}\n'
        )
        fleet = Fleet(tmp_path, monkeypatch, 100, sinks)
        stay = fleet.models[::2]
        for receiver in (hook, pager):
            receiver.faults.extend([Fault(status=503)] * 10_000)
        with fleet.station.open():
            for hour in range(9):
                fleet.write(hour, fleet.models if 3 <= hour < 6 else stay if hour >= 6 else [])
                fleet.judge(hour)
            for hour in range(9, 27):
                fleet.station.clock.now = START + hour * HOUR
                fleet.deliver()
            assert hook.accepted == pager.accepted == []
            for receiver in (hook, pager):
                receiver.faults.clear()
            for _ in range(600):
                fleet.station.clock.now += timedelta(seconds=20)
                fleet.deliver()
    messages = [
        message["data"] for message in hook.accepted if message["data"]["cause"] == "quality"
    ]
    assert len(messages) == len({message["model"] for message in messages}) == 100
    events = {message["model"]: message["event"] for message in messages}
    assert events == {name: "opened" if name in stay else "resolved" for name in fleet.models}
    for message in messages:
        assert message["written_at"] < "2026-05-01T10:00:00Z", "it says when it happened"
    alerts = [alert for alert in pager.accepted if "plan" in alert.summary]
    assert [alert.status for alert in alerts] == ["triggered"] * 50
    told = [note for note in fleet.station.told() if note["cause"] == "quality"]
    assert [note["event"] for note in told].count("opened") == 100


@pytest.mark.parametrize("header", ["0", "-5", "0.001", "soon", ""])
def test_a_pause_without_a_usable_length_doubles_and_the_fallback_hears(
    tmp_path, monkeypatch, header
):
    """A receiver that answers 429 gets at most 7 requests in a minute for six incidents; the
    fallback is told of each of them, and the receiver is sent what it missed.
    """
    with WebhookReceiver(SIGNING, lambda: fleet.station.clock.now.timestamp()) as hook:
        sinks = (
            f"  hook: {{type: webhook, allow_private: true,"
            f' options: {{url: "{hook.url}", secret: "${{env:SIGNING}}"}}}}\n'
        )
        routes = "routes: {sinks: [hook], fallback: [diary]}\n"
        fleet = Fleet(tmp_path, monkeypatch, 6, sinks, routes)
        hook.faults.extend([Fault(status=429, retry_after=header)] * 1000)
        clock = fleet.station.clock
        with fleet.station.open():
            for hour in range(3):
                fleet.write(hour, fleet.models)
            fleet.judge(2)
            first = len(hook.requests)
            assert first >= 1
            for _ in range(59):
                clock.now += timedelta(seconds=1)
                fleet.deliver()
            assert 3 <= len(hook.requests) <= 7
            for _ in range(60):
                clock.now += timedelta(minutes=1)
                fleet.deliver()
            told = [note for note in fleet.station.told() if note["cause"] == "quality"]
            assert {note["model"] for note in told} == set(fleet.models)
            assert {note["facts"]["sent here because"] for note in told} == {"hook took no message"}
            hook.faults.clear()
            for _ in range(60):
                clock.now += timedelta(minutes=1)
                fleet.deliver()
        heard = [m["data"] for m in hook.accepted if m["data"]["cause"] == "quality"]
        assert sorted(message["model"] for message in heard) == fleet.models
