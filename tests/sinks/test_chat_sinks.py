"""Teams, Google Chat, Discord and Opsgenie: what arrives, how long it is, and what a repeat or a
lost answer does.
"""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from cases import START, lives
from chat_receivers import DiscordReceiver, GoogleChatReceiver, OpsgenieReceiver, TeamsReceiver
from driftline_plugins.sinks.discord import Discord
from driftline_plugins.sinks.google_chat import GoogleChat
from driftline_plugins.sinks.opsgenie import Opsgenie
from driftline_plugins.sinks.teams import Teams
from receivers import Fault

from driftline import Event, OutcomeUnknown, Rejected, Secret, Severity, StartContext, Throttled
from driftline.delivery.network.http import HttpClient
from driftline.delivery.redaction import redact_secrets
from driftline.delivery.rendering.renderer import Renderer
from driftline.delivery.rendering.scenarios import SCENARIOS, scenario
from driftline.testing import FakeLog

pytestmark = pytest.mark.system

GOLDEN = Path(__file__).parent / "golden"
LIVES = lives()
PNG = b"\x89PNG\r\n\x1a\n--\r\n and more"
CHART = "https://watch.example/i/inc_f7e83a0122163f00/chart.png?exp=1796202000&sig=" + "A" * 43


def hook(server, kind):
    return lambda: kind(webhook_url=Secret("${env:X}", server.url))


def alerts(server):
    return lambda: Opsgenie(api_key=Secret("${env:X}", server.key), url=server.url)


KINDS = {
    "teams": (TeamsReceiver, lambda server: hook(server, Teams)()),
    "google_chat": (GoogleChatReceiver, lambda server: hook(server, GoogleChat)()),
    "discord": (DiscordReceiver, lambda server: hook(server, Discord)()),
    "opsgenie": (OpsgenieReceiver, lambda server: alerts(server)()),
}


class Kept:
    """A sink, and the reference that the outbox would keep."""

    def __init__(self, name, server, chart=None, url=CHART):
        self.kept = ""
        self.sink = KINDS[name][1](server)
        http = HttpClient(lambda: START, allow_private=True, timeout=60)
        given = {"render": Renderer(), "find_earlier_result": lambda told: self.kept}
        given |= {"chart": lambda told: chart, "chart_url": lambda told: url if chart else None}
        self.sink.start(
            StartContext(name="test", log=FakeLog(), clock=lambda: START, http=http, **given)
        )

    def send(self, case, **changes):
        self.kept = self.sink.send(LIVES[case].model_copy(update=changes)) or self.kept
        return self.kept


def golden(name, told):
    path, text = GOLDEN / name, json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("case", LIVES)
@pytest.mark.parametrize("name", KINDS)
def test_every_message_is_taken_and_reads_as_stored(name, case):
    """The strict receiver takes it; what follows an opening is sent after one."""
    with KINDS[name][0]() as server:
        sink = Kept(name, server)
        if case in ("updated", "resolved"):
            sink.send("opened")
        before = len(server.requests)
        sink.send(case)
    told = [json.loads(seen.body) for seen in server.requests[before:]]
    assert all(seen.status < 300 for seen in server.requests)
    golden(f"{name}_{case}.json", told)


@pytest.mark.parametrize("name", KINDS)
def test_the_chart_is_shown(name):
    """As an image that the service fetches or is given, on the opening and on a change."""
    with KINDS[name][0]() as server:
        sink = Kept(name, server, PNG)
        sink.send("opened")
        sink.send("updated")
    assert all(seen.status < 300 for seen in server.requests)
    if name == "discord":
        assert PNG in server.requests[0].body
        assert server.accepted[0]["embeds"][0]["image"] == {"url": "attachment://chart.png"}
    else:
        golden(f"{name}_chart.json", [json.loads(server.requests[0].body)])


@pytest.mark.parametrize("text", ["😀漢" * 4000, "[x](y) <b> & \\ \" ' @" * 600, "a <b>\n" * 900])
@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_too_long(name, text):
    """Whatever the names, facts, links and runbooks hold, each message stays within its service's
    limits.
    """
    facts = {f"{place} {text}": text for place in range(30)} | {"runbook": text, "decision": text}
    links = {
        f"{place} {text[:50]}": f"https://e.example/{place}?" + "é" * 1900 for place in range(20)
    }
    alert = LIVES["opened"].alerts[0]
    alerts = tuple(
        alert.model_copy(
            update={
                "labels": {"column": f"{place} {text}", "segment": text},
                "check": text,
                "reason": text,
            }
        )
        for place in range(25)
    )
    changes = {
        "facts": facts,
        "links": links,
        "alerts": alerts,
        "title": text[:150],
        "model": text,
        "reference": text,
    }
    with KINDS[name][0]() as server:
        sink = Kept(name, server, PNG, "https://x" + "é" * 891)
        sink.send("opened", **changes)
    assert all(seen.status < 300 for seen in server.requests)


@pytest.mark.parametrize("name", KINDS)
def test_the_messages_of_notify_test(name):
    """`driftline notify test` gets through with each scenario."""
    with KINDS[name][0]() as server:
        sink = Kept(name, server)
        for kind in SCENARIOS:
            sink.kept = ""
            for told in scenario(kind, "t", START):
                sink.kept = sink.sink.send(told) or sink.kept


@pytest.mark.parametrize("name", KINDS)
def test_a_refusal_shows_no_secret(name):
    """Neither the address nor the key is in the error, also when the receiver quotes the
    address.
    """
    with KINDS[name][0]() as server:
        server.faults.append(
            Fault(status=403, body=f"{server.url} {OpsgenieReceiver.key}".encode())
        )
        sink = Kept(name, server)
        with pytest.raises(Rejected, match="403") as caught:
            sink.send("opened")
    secrets = (
        ("secretsecret", "secretkey", "secrettoken")
        if name != "opsgenie"
        else (OpsgenieReceiver.key,)
    )
    for secret in secrets:
        assert secret not in redact_secrets(str(caught.value), sink.sink)
        assert name == "opsgenie" or secret not in str(caught.value)


LIMITED = {
    "discord": (Fault(429, body=b'{"message": "You are being rate limited.", "retry_after": 1.376, "global": false}'), 1.376),
    "opsgenie": (Fault(429, body=b'{"message":"too many"}', header=("x-ratelimit-period-in-sec", "60")), 60),
    "google_chat": (Fault(429, retry_after="7"), 7),
    "teams": (Fault(429, retry_after="12"), 12),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITED)
def test_a_pause_that_is_asked_for(name):
    """By header, in the body with a fraction, or as the length of a window: nothing is
    sent before.
    """
    fault, seconds = LIMITED[name]
    with KINDS[name][0](faults=[fault]) as server, pytest.raises(Throttled) as caught:
        Kept(name, server).send("opened")
    assert caught.value.not_before == START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "body",
    [b'{"retry_after": "soon"}', b'{"retry_after": NaN}', b"[]", b"\xff", b'{"retry_after": 1e99}'],
)
def test_nonsense_for_a_pause(body):
    """A pause without a usable length is one all the same, of at most an hour."""
    with (
        DiscordReceiver(faults=[Fault(429, body=body)]) as server,
        pytest.raises(Throttled) as caught,
    ):
        Kept("discord", server).send("opened")
    assert caught.value.not_before in (None, START + timedelta(hours=1))


def test_google_chat_keeps_an_incident_in_a_thread():
    """Opening, update and resolution land together, found by the incident's name; another incident
    elsewhere.
    """
    with GoogleChatReceiver() as server:
        sink = Kept("google_chat", server)
        for case in ("opened", "updated", "resolved", "missing"):
            sink.send(case)
    assert {key: len(held) for key, held in server.threads.items()} == {
        LIVES["opened"].incident: 3,
        LIVES["missing"].incident: 1,
    }


def test_discord_changes_its_message_and_says_a_line():
    """One message is up to date; a line follows for an update and the end, none for an
    acknowledgement.
    """
    with DiscordReceiver() as server:
        sink = Kept("discord", server)
        first = sink.send("opened")
        sink.send("updated", event=Event.ACKNOWLEDGED)
        assert len(server.accepted) == 1
        assert sink.send("updated") == sink.send("resolved") == first
    message, *lines = server.accepted
    assert "back to normal" in message["content"]
    assert message["embeds"][0]["color"] == 0x12B76A
    assert ["embeds" in line for line in lines] == [False, False]


def test_discord_writes_a_deleted_message_anew():
    """Somebody deleted it: there is a new one, and it is kept from then on."""
    with DiscordReceiver() as server:
        sink = Kept("discord", server)
        first = sink.send("opened")
        server.accepted.clear()
        second = sink.send("updated", revision=2)
        assert [message["id"] for message in server.accepted] == [second]
    assert server.requests[-1].status == 200
    assert first


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_discord_answers_nonsense(body):
    """Without the id nobody knows whether it was taken."""
    with DiscordReceiver(faults=[Fault(body=body)]) as server, pytest.raises(OutcomeUnknown):
        Kept("discord", server).send("opened")


def test_opsgenie_has_one_alert_an_incident():
    """Repeats are counted, an update changes it, an acknowledgement and the end are told; what
    comes back is opened anew.
    """
    with OpsgenieReceiver() as server:
        sink = Kept("opsgenie", server)
        sink.send("opened", severity=Severity.WARNING)
        sink.send("opened", severity=Severity.WARNING)
        [alert] = server.accepted
        assert (alert["priority"], alert["count"], alert["status"]) == ("P3", 2, "open")
        sink.send("updated")
        assert (alert["priority"], "plan" in alert["description"]) == ("P1", True)
        sink.send("updated", event=Event.ACKNOWLEDGED)
        assert alert["status"] == "acknowledged"
        sink.send("resolved")
        sink.send("resolved")
        assert alert["status"] == "closed"
        sink.send("opened", event=Event.REOPENED)
    assert [alert["status"] for alert in server.accepted] == ["closed", "open"]


def test_opsgenie_in_europe_and_tests():
    """The address is by region; a test message is of the lowest priority and closed at once."""
    with OpsgenieReceiver() as server:
        Kept("opsgenie", server).send("opened", event=Event.TEST)
    [alert] = server.accepted
    assert (alert["priority"], alert["status"]) == ("P5", "closed")
    posts = []

    class Notes:
        def request(self, method, url, **given):
            posts.append(url)

    sink = Opsgenie(api_key=Secret("${env:X}", "k"), region="eu")
    sink.start(
        StartContext(
            name="test", log=FakeLog(), clock=lambda: START, http=Notes(), render=Renderer()
        )
    )
    sink.send(LIVES["opened"])
    assert posts == ["https://api.eu.opsgenie.com/v2/alerts"]
