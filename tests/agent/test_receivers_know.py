"""Whoever should know of an open incident knows it: after a refusal, an outage, in a new sink."""

from datetime import timedelta

import pytest
from receivers import Fault, PagerDutyReceiver, WebhookReceiver
from station import START, Station

from driftline.alerting.acts import ActKind

pytestmark = [pytest.mark.postgres, pytest.mark.system]

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOUR = timedelta(hours=1)


def shift(row):
    """A value far from the reference."""
    return row["amount"] + 100


class Scene:
    """An agent whose incidents go to a diary and to one more receiver."""

    def __init__(self, folder, monkeypatch) -> None:
        self.station = Station(folder)
        monkeypatch.setenv("SIGNING", SIGNING)
        monkeypatch.setenv("ROUTING", "e" * 32)
        self.without_sink = self.station.config.read_text()

    @property
    def now(self) -> float:
        return self.station.clock.now.timestamp()

    def use(self, name: str, sink: str) -> None:
        self.station.config.write_text(f"{self.without_sink}  {name}: {sink}\n")

    def use_hook(self, server: WebhookReceiver, name: str = "hook") -> None:
        options = f'{{url: "{server.url}", secret: "${{env:SIGNING}}"}}'
        self.use(name, f"{{type: webhook, allow_private: true, options: {options}}}")

    def use_alertmanager(self, server: WebhookReceiver) -> None:
        options = f'{{url: "{server.url}", secret: "${{env:SIGNING}}", body: alertmanager}}'
        self.use("hook", f"{{type: webhook, allow_private: true, options: {options}}}")

    def use_pager(self, server: PagerDutyReceiver) -> None:
        options = f'{{url: "{server.url}", routing_key: "${{env:ROUTING}}"}}'
        self.use("pager", f"{{type: pagerduty, allow_private: true, options: {options}}}")

    def hours(self, first: int, last: int, **changes) -> None:
        """Write and judge some hours of the log, and send what is due."""
        for hour in range(first, last):
            self.station.hour(hour, **changes)
        self.watch(first, last)

    def watch(self, first: int, last: int) -> None:
        """Let the hours of the clock pass, four ticks in each."""
        with self.station.open():
            for hour in range(first, last):
                self.station.clock.now = START + (hour + 1) * HOUR + timedelta(minutes=20)
                for _ in range(4):
                    self.station.tick()
                    self.station.clock.now += timedelta(seconds=20)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    return Scene(tmp_path, monkeypatch)


def told(server, model: str = "shop", cause: str | None = None) -> list[dict]:
    """The messages that a webhook has taken, of one family."""
    data = [message["data"] for message in server.accepted]
    return [message for message in data if cause in (None, message["cause"])]


def test_a_refused_opening_is_sent_once_the_receiver_takes_messages(scene):
    """A 403 to an opening is trouble of the sink until a later message arrives and the opening
    after it, marked as late.
    """
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        scene.hours(0, 3)
        server.faults.extend([Fault(status=403)] * 2)  # the opening, and the trouble about it
        scene.hours(3, 6, amount=shift)
        [trouble] = [
            note["event"] for note in scene.station.told() if note["cause"] == "monitoring"
        ]
        assert trouble == "opened"
        assert told(server, cause="drift") == []
        scene.watch(6, 10)  # no rows: an incident of another kind
        [opening] = told(server, cause="drift")
        assert opening["event"] == "opened"
        assert opening["written_at"].startswith("2026-05-01T05:20")
        events = [note["event"] for note in scene.station.told() if note["cause"] == "monitoring"]
        assert events == ["opened", "resolved"]
        ids = [message["id"] for message in told(server)]
        assert len(ids) == len(set(ids))


def test_a_new_sink_is_told_of_open_incidents(scene):
    """A sink that is added hears of the incident that is open; a removed one is closed."""
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.hours(0, 3)
        scene.hours(3, 6, amount=shift)
        scene.use_hook(server)
        scene.hours(6, 7, amount=shift)
        [opening] = told(server, cause="drift")
        assert opening["written_at"] == "2026-05-01T05:00:00Z"
        scene.hours(7, 8, amount=shift)
        assert told(server, cause="drift") == [opening]
        server.faults.extend([Fault(status=503)] * 20)
        scene.hours(8, 12)
        scene.station.config.write_text(scene.without_sink)
        with scene.station.open():
            rows = scene.station.sql(
                "SELECT state, error FROM outbox WHERE sink = 'hook' AND error <> ''"
            )
            assert rows == [("superseded", "sink removed")]


def test_an_outage_of_a_day_is_folded(scene):
    """An incident that opened and ended while a receiver was away is one message that says both,
    and none to a pager.
    """
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        scene.hours(0, 3)
        server.faults.extend([Fault(status=503)] * 100)
        scene.hours(3, 6, amount=shift)
        scene.hours(6, 12)
        server.faults.clear()
        scene.watch(12, 36)
        [message] = told(server, cause="drift")
        assert message["event"] == "resolved"
        assert message["written_at"] == "2026-05-01T07:20:00Z"


@pytest.mark.slow
def test_a_pager_hears_nothing_of_an_incident_that_is_over(scene):
    """An incident that opened and ended while the pager was away pages nobody."""
    with PagerDutyReceiver() as server:
        scene.use_pager(server)
        scene.hours(0, 3)
        server.faults.extend([Fault(drop="before")] * 100)
        scene.hours(3, 6, amount=shift)
        scene.hours(6, 12)
        server.faults.clear()
        scene.watch(12, 14)
        assert [alert for alert in server.accepted if "amount" in alert.summary] == []


def test_the_end_of_a_snooze_pages(scene):
    """PagerDuty ignores triggers of an acknowledged alert: when a snooze ends and the incident is
    open, it gets a new alert, and the end of the incident resolves that.
    """
    with PagerDutyReceiver() as server:
        scene.use_pager(server)
        scene.hours(0, 3)
        scene.hours(3, 6, amount=shift)
        [alert] = server.accepted
        station = scene.station
        with station.open():
            [(incident,)] = station.sql("SELECT id FROM incidents WHERE state = 'firing'")
            station.agent.incident_service.request_act(
                ActKind.SNOOZE, incident, "ann", "looking", length=timedelta(hours=2)
            )
            station.tick()
        assert alert.status == "acknowledged"
        scene.hours(6, 10, amount=shift)
        first, second = server.accepted
        assert (first.status, second.status) == ("resolved", "triggered")
        assert first.key != second.key
        scene.hours(10, 16)
        assert {alert.status for alert in server.accepted} == {"resolved"}


@pytest.mark.slow
def test_nothing_fires_for_ever_at_receivers_of_alertmanager(scene):
    """The end of an incident ends each alert that its messages began, though more columns changed
    and the severity rose.
    """
    with WebhookReceiver(SIGNING, lambda: scene.now, shaped=False) as server:
        scene.use_alertmanager(server)
        scene.hours(0, 3)
        scene.hours(3, 5, amount=lambda row: row["amount"] + 5)
        scene.hours(5, 8, amount=shift, plan="new")
        scene.hours(8, 14)
        status = {}
        for body in server.accepted:
            for alert in body["alerts"]:
                assert not {"severity", "family"} & alert["labels"].keys()
                status[alert["fingerprint"]] = alert["status"]
        assert len(server.accepted) >= 3
        assert set(status.values()) == {"resolved"}


@pytest.mark.slow
def test_a_day_of_alternating_windows_is_four_messages_and_two_pages(scene):
    """A column that comes and goes each hour is held from its first return until it is calm."""
    scene.station.configure(
        """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    checks:
      missing: {{type: missing, rule: {{measurement: missing_rate, above: {{critical: 0.2}}}}}}
"""
    )
    scene.without_sink = scene.station.config.read_text()
    with PagerDutyReceiver() as server:
        scene.use_pager(server)
        for hour in range(24):
            scene.hours(hour, hour + 1, **({"plan": None} if hour % 2 else {}))
        scene.hours(24, 30)
        assert scene.station.events() == ["opened", "resolved", "reopened", "resolved"]
        assert [alert.status for alert in server.accepted] == ["resolved"] * 2
