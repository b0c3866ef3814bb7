"""Apprise: one text a message, over allowed services only, and nothing of the address in any
word.
"""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

import pytest
from cases import START, lives
from driftline_plugins.sinks.apprise import Apprise
from receivers import Fault, Receiver, parsed

from driftline import OutcomeUnknown, Rejected, Retryable, Secret, StartContext
from driftline.delivery.network.dial import Dial
from driftline.delivery.network.fence import Fence
from driftline.delivery.rendering.renderer import Renderer
from driftline.testing import FakeLog, assert_plugin_contract
from driftline.types.errors import LeadershipLost

GOLDEN = Path(__file__).parent / "golden"
LIVES = lives()
TOKEN = "canary-token-in-path"


class JsonReceiver(Receiver):
    """What Apprise posts to a service of the kind `json://`."""

    def __init__(self, **given):
        super().__init__(path=f"/{TOKEN}/", **given)

    def serves(self, path):
        return path.startswith(f"/{TOKEN}")

    def accept(self, headers, body):
        self.accepted.append(parsed(body, AssertionError))
        return 200, b"ok"


def started(url, *services, **dial) -> Apprise:
    sink = Apprise(url=Secret("${env:APPRISE_URL}", url), services=services)
    fenced = Fence(Dial(**{"allow_private": True, **dial}))
    sink.start(
        StartContext(
            name="more",
            log=FakeLog(),
            clock=lambda: START,
            render=Renderer(),
            guard_connections=fenced,
        )
    )
    return sink


def address(server) -> str:
    return server.url.replace("http:", "json:")


@pytest.mark.parametrize("case", LIVES)
def test_every_message_arrives_as_stored(case):
    """Title and text, plain, with nothing attached."""
    with JsonReceiver() as server:
        assert started(address(server), "json").send(LIVES[case]) is None
    [message] = server.accepted
    assert not message.get("attachments")
    path = GOLDEN / f"apprise_{case}.json"
    text = json.dumps(message, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_what_was_not_taken_is_tried_again(status, caplog):
    """Apprise says no more than that; neither the error nor any log line shows the address."""
    caplog.set_level(logging.DEBUG)
    with JsonReceiver(faults=[Fault(status)]) as server:
        sink = started(address(server), "json")
        with pytest.raises(Retryable, match="did not take it") as caught:
            sink.send(LIVES["opened"])
        assert not isinstance(caught.value, OutcomeUnknown)
        sink.send(LIVES["opened"])
    assert len(server.accepted) == 1
    assert TOKEN not in str(caught.value)
    assert not [line for line in caplog.messages if TOKEN in line and "apprise" in line]


def test_redirects_are_not_followed():
    """The text goes where the configuration says, and nowhere else."""
    with JsonReceiver() as other, JsonReceiver() as server:
        server.faults.append(Fault(307, location=other.url))
        with pytest.raises(Retryable):
            started(address(server), "json").send(LIVES["opened"])
    assert other.accepted == []


@pytest.mark.parametrize(
    ("url", "services"),
    [
        ("json://host/canary-token", ["ntfys"]),
        ("syslog://canary-token", ["syslog"]),
        ("dbus://canary-token", ["dbus", "json"]),
        ("DBUS://canary-token", ["dbus"]),
        ("https://discord.com/api/webhooks/1/canary-token", ["discord"]),
        ("xmpps://user:canary-token@host", ["xmpps"]),
        ("canary-token", ["json"]),
        ("nonesuch://canary-token", ["nonesuch"]),
        ("jsons://host/canary-token?verify=no", ["jsons"]),
        ("jsons://host/canary-token?redirect=yes", ["jsons"]),
        ("", ["json"]),
    ],
)
def test_what_is_not_allowed_does_not_start(url, services):
    """Another service, one of this machine's own, one that nobody knows, and what would weaken it;
    no address is shown.
    """
    with pytest.raises(Rejected) as caught:
        started(url, *services)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254"])
def test_private_addresses_are_refused(host):
    """As by driftline's own client, at the connection that Apprise makes, whatever its address is
    made of; for good.
    """
    with JsonReceiver() as server:
        url = address(server).replace("127.0.0.1", host)
        with pytest.raises(
            Rejected, match="no public address: set `allow_private: true`"
        ) as caught:
            started(url, "json", allow_private=False).send(LIVES["opened"])
        assert server.requests == []
        assert TOKEN not in str(caught.value)
        fence = {"allow_private": False, "resolve": lambda host, port: ["93.184.216.34"]}
        started(address(server), "json", **fence).send(LIVES["opened"])
        assert len(server.accepted) == 1


def test_nothing_leaves_when_nothing_may_be_sent():
    """An agent that no longer leads sends nothing through Apprise either."""

    def no():
        raise LeadershipLost

    with JsonReceiver() as server:
        with pytest.raises(LeadershipLost):
            started(address(server), "json", permit=no).send(LIVES["opened"])
        assert server.requests == []


def test_two_addresses_are_not_one():
    """What follows a comma is no second service."""
    with JsonReceiver() as server, JsonReceiver() as second, suppress(Rejected, Retryable):
        started(f"{address(server)},{address(second)}", "json").send(LIVES["opened"])
    assert second.accepted == []


def test_it_keeps_the_contract():
    """What is asked of every plugin."""
    with JsonReceiver() as server:
        assert_plugin_contract(Apprise, url=Secret("${env:A}", address(server)), services=("json",))
