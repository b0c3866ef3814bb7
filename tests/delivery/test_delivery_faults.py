"""Eleven ways for a delivery to go wrong, before and after the receiver took the message: the
outbox ends right.
"""

import threading
from datetime import timedelta

import pytest
from certificates import certificate
from messages import tell
from one_sink import HTTP_SINKS, World
from receivers import Fault

pytestmark = pytest.mark.system

LATE = threading.Event()
PROMISED = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nok"
DRIP = [b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n", *[b"."] * 60]
BIG = b'{"ok": true, "more": "' + b"x" * 3_000_000 + b'"}'
ALERT = b"\x15\x03\x03\x00\x02\x02\x50"
"""TLS's own word for an internal error, in the clear."""


def unheard(**given) -> Fault:
    """What goes wrong with a request that was read and not taken: a plain 500 behind it."""
    return Fault(**{"status": 500, **given})


FAULTS = {
    ("status", "before"): [Fault(status=500), Fault(status=502), Fault(status=408)],
    ("status", "after"): [
        Fault(status=500, taken=True),
        Fault(status=502, taken=True),
        Fault(status=408, taken=True),
    ],
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
    ("TLS", "before"): [
        unheard(beside=b"what?\r\n\r\n"),
        unheard(beside=ALERT),
        unheard(beside=b""),
    ],
    ("TLS", "after"): [
        Fault(beside=b"what?\r\n\r\n"),
        Fault(beside=b""),
        Fault(raw=[PROMISED], beside=ALERT),
    ],
    ("rate limit", "before"): [
        Fault(status=429, retry_after="120"),
        Fault(status=503, retry_after="60"),
        Fault(status=429),
    ],
    ("rate limit", "after"): [
        Fault(status=429, retry_after="120", taken=True),
        Fault(status=503, retry_after="60", taken=True),
        Fault(status=429, taken=True),
    ],
}
FIRST = {"redirect": "refused", "rate limit": "pending"}
"""What the message is after one attempt, where it is not `unknown`. Refused is for good: a dead
letter.
"""
HANGING = ("timeout", "slow drip")
"""Faults that end only when the sink stops waiting."""
TWICE = ("slack", "teams", "google_chat", "discord")
"""Their services know no repeats and can't be looked at: what may have arrived is sent again."""


QUICK = ("slack_bot", "webhook")
"""The sinks that the usual tests try: one that looks before it sends again, one that names a repeat."""


@pytest.fixture(
    params=[
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in HTTP_SINKS
    ]
)
def world(request):
    LATE.clear()
    made = World(request.param)
    yield made
    LATE.set()
    made.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize(("kind", "when"), FAULTS, ids=[f"{kind} {when}" for kind, when in FAULTS])
def test_the_outbox_ends_right(world, authority, kind, when):
    """Opening and end arrive, once where the receiver or the sink can tell, nothing waits, nothing
    leaves before its time.
    """
    if kind == "TLS":
        world.server.secure(*authority)
        world.start()
        tell(world.store, "a", "opened", plans=(world.plan,))
        world.settle(timedelta(minutes=1))
        assert (world.left, world.states()) == ([], {"pending": 1}), (
            "a receiver that nobody vouches for gets no byte"
        )
    world.server.faults.extend(FAULTS[kind, when])
    world.start(ca_file=authority[0], timeout=1.0 if kind in HANGING else 60)
    if kind != "TLS":
        tell(world.store, "a", "opened", plans=(world.plan,))
    world.attempt()
    [state] = world.states()
    # Most sinks are content with a status of success, however long its words are.
    assert state == FIRST.get(kind, "unknown") or (
        state == "sent" and (kind, when) == ("big body", "after")
    )
    refused = kind == "redirect"
    world.settle()
    assert world.states() == ({"refused": 1} if refused else {"sent": 1})
    opened = world.arrived()
    if refused and when == "before":
        assert opened == []
    elif world.name in TWICE:
        assert 1 <= len(opened) <= 1 + len(FAULTS[kind, when])
    else:
        assert len(opened) == 1
    if kind == "rate limit":
        pauses = [later - sooner for sooner, later in zip(world.left, world.left[1:], strict=False)]
        assert pauses[0] >= timedelta(seconds=120)
        # A bot that finds its message when it looks has no need of another attempt.
        assert len(pauses) == 1 or pauses[1] >= timedelta(seconds=60)
    if world.name == "webhook" and not refused:
        assert len({seen.headers["webhook-id"] for seen in world.server.requests}) == 1
    world.start(ca_file=authority[0])
    tell(world.store, "b", "opened", "resolved", plans=(world.plan,), now=world.now)
    world.settle()
    states = world.states()
    # An opening that may have arrived is not sent again once the incident is over.
    folded = states.pop("possibly sent", 0)
    assert folded <= 1
    assert states == ({"refused": 1, "sent": 2} if refused else {"sent": 3 - folded})
    assert world.arrived()[-1] == ("incident.resolved" if world.name == "webhook" else "resolved")
