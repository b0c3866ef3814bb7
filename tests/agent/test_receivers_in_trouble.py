"""Receivers that answer nonsense, refuse one incident or go away, and acts of people meanwhile: shown through the whole agent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from receiver_scene import HOUR, SIGNING, Scene, shift, told
from receivers import Fault, Invalid, PagerDutyReceiver, WebhookReceiver
from station import START

from driftline.alerting.acts import ActKind

pytestmark = pytest.mark.system


@pytest.fixture
def scene(tmp_path, monkeypatch):
    return Scene(tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("header", ["0", "-20", "0.001", "soon"])
def test_a_useless_retry_after_is_at_most_seven_requests_a_minute(scene, header):
    """The wait doubles, and the fallback hears of the incident and of the trouble."""
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        config = scene.station.config
        config.write_text(f"{config.read_text()}routes: {{sinks: [hook], fallback: [diary]}}\n")
        scene.hours(0, 4)
        for hour in range(4, 6):
            scene.station.hour(hour, amount=shift)
        server.faults.extend([Fault(status=429, retry_after=header)] * 200)
        with scene.station.open():
            scene.station.clock.now = START + timedelta(hours=6, minutes=20)
            scene.station.agent.tick("shop")
            before = len(server.requests)
            scene.pass_time(timedelta(minutes=1))
            assert 3 <= len(server.requests) - before <= 7
            scene.pass_time(timedelta(hours=1))
            scene.station.tick()
            scene.pass_time(timedelta(minutes=30))
            causes = {(note["event"], note["cause"]) for note in scene.station.told()}
            assert {("opened", "drift"), ("opened", "monitoring")} <= causes
            server.faults.clear()
            scene.pass_time(timedelta(hours=2))
    [opening] = told(server, cause="drift")
    assert opening["event"] == "opened"


def test_a_refusal_of_one_incident_leaves_the_others_alone(scene):
    """A receiver that answers 400 to what concerns one incident hears of all others, and the
    trouble stays open until it has taken the state of that one.
    """

    class Picky(WebhookReceiver):
        refuses = True

        def accept(self, headers, body):
            if self.refuses and b'"cause":"drift"' in body.replace(b": ", b":"):
                raise Invalid(400, b"bad value")
            return super().accept(headers, body)

    with Picky(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        scene.hours(0, 3)
        scene.hours(3, 6, amount=shift)
        scene.watch(6, 10)  # no rows: an incident of another kind
        assert told(server, cause="drift") == []
        assert len({message["incident"] for message in told(server)}) >= 2
        trouble = [note["event"] for note in scene.station.told() if note["cause"] == "monitoring"]
        assert trouble == ["opened"]
        server.refuses = False
        scene.hours(10, 14)
        messages = told(server, cause="drift")
        assert len({message["incident"] for message in messages}) == len(messages) == 1
        trouble = [note["event"] for note in scene.station.told() if note["cause"] == "monitoring"]
        assert trouble == ["opened", "resolved"]


@pytest.mark.slow
@pytest.mark.parametrize("status", [404, 410])
def test_an_address_that_is_gone_is_told_by_the_others_until_it_is_mended(scene, status):
    """The fallback hears of the incident; a new address gets its state."""
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        config = scene.station.config
        config.write_text(f"{config.read_text()}routes: {{sinks: [hook], fallback: [diary]}}\n")
        scene.hours(0, 3)
        server.faults.extend([Fault(status=status)] * 200)
        scene.hours(3, 6, amount=shift)
        drift = [note for note in scene.station.told() if note["cause"] == "drift"]
        assert [note["event"] for note in drift] == ["opened"]
        assert drift[0]["facts"]["sent here because"] == "hook took no message"
        server.faults.clear()
        scene.hours(6, 9, amount=lambda row: row["amount"] + 100, plan="new")
        scene.hours(9, 14)
        messages = told(server, cause="drift")
        assert messages[-1]["event"] == "resolved"
        assert len({message["id"] for message in messages}) == len(messages)


@pytest.mark.slow
def test_two_sinks_renamed_at_once_know_the_open_incident(scene):
    """Each new name gets the state once, and the end; the waiting messages of the old ones close."""
    with (
        WebhookReceiver(SIGNING, lambda: scene.now) as one,
        WebhookReceiver(SIGNING, lambda: scene.now) as two,
    ):

        def use(first, second):
            sinks = "".join(
                f'  {name}: {{type: webhook, allow_private: true, options: {{url: "{server.url}", '
                f'secret: "${{env:SIGNING}}"}}}}\n'
                for name, server in ((first, one), (second, two))
            )
            scene.station.config.write_text(scene.without_sink + sinks)

        use("a", "b")
        scene.hours(0, 3)
        scene.hours(3, 6, amount=shift)
        use("c", "d")
        scene.hours(6, 8, amount=shift)
        scene.hours(8, 14)
        for server in (one, two):
            events = [message["event"] for message in told(server, cause="drift")]
            assert events == ["opened", "opened", "resolved"]
        with scene.station.open():
            waiting = scene.station.sql(
                "SELECT sink, state FROM outbox WHERE state IN ('pending', 'sending', 'unknown')"
            )
        assert [row for row in waiting if row[0] in ("a", "b")] == []


@pytest.mark.slow
def test_worsening_of_an_acknowledged_incident_pages_again(scene):
    """PagerDuty ignores a trigger of an acknowledged alert, so what gets worse is a new alert."""
    with PagerDutyReceiver() as server:
        scene.use_pager(server)
        scene.hours(0, 3)
        scene.hours(3, 6, amount=lambda row: row["amount"] + 5)
        [alert] = server.accepted
        with scene.station.open():
            [(incident,)] = scene.station.sql("SELECT id FROM incidents WHERE state = 'firing'")
            scene.station.agent.incident_service.request_act(
                ActKind.ACKNOWLEDGE, incident, "ann", "looking"
            )
            scene.station.tick()
        assert alert.status == "acknowledged"
        scene.hours(6, 9, amount=shift)
        assert [entry.status for entry in server.accepted] == ["resolved", "triggered"]
        scene.hours(9, 15)
        assert {entry.status for entry in server.accepted} == {"resolved"}


@pytest.mark.slow
def test_a_snooze_that_ends_in_a_mute_time_is_told_at_the_end_of_the_mute_time(scene):
    """The incident is open then: the pager gets a new alert at the end of the mute time, not
    before.
    """
    with PagerDutyReceiver() as server:
        scene.use_pager(server)
        config = scene.station.config
        config.write_text(
            config.read_text() + 'mute_times: {quiet: {cron: "0 7 * * *", for: 4h, zone: UTC}}\n'
        )
        scene.hours(0, 3)
        scene.hours(3, 6, amount=shift)
        [alert] = server.accepted
        with scene.station.open():
            [(incident,)] = scene.station.sql("SELECT id FROM incidents WHERE state = 'firing'")
            scene.station.agent.incident_service.request_act(
                ActKind.SNOOZE, incident, "ann", "looking", length=timedelta(hours=2)
            )
            scene.station.tick()
        scene.hours(6, 9, amount=shift)  # until 09:20: the snooze is over, the mute time is on
        assert [entry.status for entry in server.accepted].count("triggered") == 0
        scene.hours(9, 12, amount=shift)
        assert alert.status == "resolved"
        assert [entry.status for entry in server.accepted] == ["resolved", "triggered"]
        scene.hours(12, 18)
        assert {entry.status for entry in server.accepted} == {"resolved"}


@pytest.mark.slow
def test_a_silence_that_outlasts_the_incident_says_nothing_at_its_end(scene):
    """The end of the incident is told while the silence is on; the end of the silence is not."""
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        scene.hours(0, 3)
        scene.hours(3, 6, amount=shift)
        with scene.station.open():
            scene.station.agent.incident_service.silence(
                "family=drift", "ann", "work", length=timedelta(hours=8)
            )
            scene.station.tick()
        scene.hours(6, 18)
        events = [message["event"] for message in told(server, cause="drift")]
        assert events[0] == "opened"
        assert events[-1] == "resolved"
        assert events.count("resolved") == 1


@pytest.mark.slow
def test_an_agent_that_is_killed_between_opening_and_fallback_still_tells_the_fallback(scene):
    """The refusal is stored; the next agent tells the fallback, once."""
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        config = scene.station.config
        config.write_text(f"{config.read_text()}routes: {{sinks: [hook], fallback: [diary]}}\n")
        scene.hours(0, 3)
        for hour in range(3, 5):
            scene.station.hour(hour, amount=shift)
        server.faults.append(Fault(status=403))
        with scene.station.open():
            scene.station.clock.now = START + 5 * HOUR + timedelta(minutes=20)
            scene.station.agent.tick("shop")
            for worker in scene.station.agent.workers:
                if worker.name == "hook":
                    worker.deliver_due(scene.station.clock())
        assert len(server.requests) >= 1
        assert told(server, cause="drift") == []
        scene.hours(5, 6, amount=shift)
        drift = [note for note in scene.station.told() if note["cause"] == "drift"]
        assert [note["event"] for note in drift] == ["opened"]
