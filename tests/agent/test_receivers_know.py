"""Whoever should know of an open incident knows it: after a refusal, an outage, in a new sink."""

import json
from datetime import timedelta
from random import Random

import pytest
from receiver_scene import SIGNING, Scene, shift, told
from receivers import Fault, PagerDutyReceiver, WebhookReceiver
from station import START

from driftline.alerting.acts import ActKind

pytestmark = [pytest.mark.postgres, pytest.mark.system]

DAY = timedelta(days=1)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    return Scene(tmp_path, monkeypatch)


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


@pytest.mark.slow
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


@pytest.mark.slow
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


FAULTS = (
    {"status": 403},
    {"status": 500, "taken": True},
    {"status": 503},
    {"status": 429, "retry_after": "0"},
    {"drop": "before"},
    {"drop": "after"},
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_72_days_with_random_faults_leave_nothing_unknown_or_repeated(scene, seed):
    """What the incidents of the state are is what the receiver knows of them: each one that was
    sent, its newest message, each message once.
    """
    rng = Random(seed)
    scene.station.configure(
        """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric, plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1d, lateness: 15m}}
    checks:
      missing: {{type: missing, rule: {{measurement: missing_rate, above: {{warning: 0.1}}}}}}
      volume: {{type: volume, rule: {{measurement: rows, below: {{critical: 10}}}}}}
"""
    )
    scene.without_sink = scene.station.config.read_text()
    station, changes = scene.station, {"amount": 0, "plan": 0}
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        for day in range(72):
            for column in changes:
                left = changes[column] - 1
                changes[column] = left if left > 0 else rng.choice([0, 0, 0, 0, 1, 3])
            missing = {column: None for column, left in changes.items() if left > 0}
            rows = 0 if rng.random() < 0.04 else 60
            station.write(f"log/{day:03}.jsonl", START + day * DAY, DAY, rows, **missing)
            with server._lock:
                count = rng.choice([0, 0, 1, 4]) if day < 70 else 0
                server.faults[:] = [Fault(**rng.choice(FAULTS)) for _ in range(count)]
            station.clock.now = START + (day + 1) * DAY + timedelta(minutes=20)
            with station.open():
                for _ in range(6):
                    station.tick()
                    station.clock.now += timedelta(hours=1)
        with station.open():
            incidents = station.sql("SELECT id, state, cause FROM incidents")
            events = station.sql("SELECT incident, revision FROM incident_events WHERE held = ''")
    messages = told(server)
    ids = [message["id"] for message in messages]
    assert len(ids) == len(set(ids))
    newest = {message["incident"]: message for message in messages}
    assert len([incident for incident, _, cause in incidents if cause != "monitoring"]) >= 5
    for incident, state, cause in incidents:
        if cause == "monitoring" and incident not in newest:
            continue  # trouble of this receiver that was over before it could be reached
        assert (newest[incident]["event"] == "resolved") is (state == "resolved")
        assert newest[incident]["revision"] == max(
            revision for name, revision in events if name == incident
        )


def test_a_page_has_fields_that_event_rules_can_use(scene):
    """`custom_details` has columns, values, limits and rows as values of their own."""
    with PagerDutyReceiver() as server:
        scene.use_pager(server)
        scene.hours(0, 3)
        scene.hours(3, 6, amount=shift)
        details = json.loads(server.requests[0].body)["payload"]["custom_details"]
    assert (details["model"], details["family"], details["rows"]) == ("shop", "drift", 400)
    assert details["columns"] == ["amount"]
    [alert] = [alert for alert in details["alerts"] if alert["measurement"] == "psi"]
    assert alert["value"] > alert["limit"] == 0.25
    assert alert["interval"][0] <= alert["value"] <= alert["interval"][1]
