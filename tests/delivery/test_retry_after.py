"""Nothing is sent before the time that a receiver names, in whatever way, by whatever answer, to
whatever incident.
"""

from datetime import timedelta

import pytest
from messages import DAY, HOUR, NOW, SECOND, tell
from one_sink import HTTP_SINKS, World
from receivers import Fault

from driftline.delivery.worker import DeliveryOutcome

pytestmark = pytest.mark.system

NAMED = {
    "90": 90,
    "0.5": None,
    "Mon, 23 Nov 2026 09:10:00 GMT": 600,
    "Monday, 23-Nov-26 09:10:00 GMT": 600,
    "Mon Nov 23 09:10:00 2026": 600,
    "Mon, 23 Nov 2026 08:00:00 GMT": None,
    "-20": None,
    "0": None,
    "86400": 86_400,
    "Fri, 31 Dec 9999 23:59:59 GMT": 7 * 86_400,
    "soon": None,
    "nan": None,
    "12 parsecs": None,
}
"""The header, and the seconds for which everything rests: a week at most; None where it says
nothing usable: then the delays double.
"""


@pytest.fixture
def world():
    made = World("webhook")
    made.start()
    yield made
    made.close()


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("header", NAMED)
def test_every_way_to_name_a_time(world, header, restarted):
    """Seconds, a date, the past, the far future, nonsense: three incidents wait alike, also after a
    restart, and all arrive.
    """
    world.server.faults.append(Fault(status=429, retry_after=header))
    for name in "abc":
        tell(world.store, name, "opened", plans=(world.plan,))
    world.attempt()
    if restarted:
        world.start()
    world.settle(9 * DAY)
    first, second = world.left[:2]
    named = NAMED[header]
    assert second - first >= timedelta(seconds=2.5 if named is None else named)
    assert second - first <= timedelta(seconds=(named or 0) + 5), "nor much later"
    assert (world.states(), len(world.arrived())) == ({"sent": 3}, 3)


@pytest.mark.parametrize("header", [name for name, seconds in NAMED.items() if seconds is None])
def test_a_pause_without_a_length_doubles(world, header):
    """However many messages wait, a receiver that names no usable time gets at most 7 requests in a
    minute.
    """
    world.server.faults.extend([Fault(status=429, retry_after=header)] * 40)
    for name in "abcdefgh":
        tell(world.store, name, "opened", plans=(world.plan,))
    start = world.now
    world.settle(timedelta(minutes=1))
    assert 3 <= sum(left <= start + timedelta(minutes=1) for left in world.left) <= 7


@pytest.mark.parametrize("status", [302, 403, 408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("raw", [False, True], ids=["whole", "cut"])
def test_every_answer_may_name_it(world, status, raw):
    """Whatever else an answer says, and also when its body breaks off, the time that it names is
    kept.
    """
    if raw:
        head = f"HTTP/1.1 {status} No\r\nretry-after: 300\r\ncontent-length: 50\r\n\r\nno"
        world.server.faults.append(Fault(status=status, raw=[head.encode()]))
    else:
        world.server.faults.append(Fault(status=status, retry_after="300"))
    tell(world.store, "a", "opened", plans=(world.plan,))
    tell(world.store, "b", "opened", plans=(world.plan,))
    world.settle()
    assert world.left[1] - world.left[0] >= timedelta(seconds=300)
    assert world.states() == ({"refused": 1, "sent": 1} if status in (302, 403) else {"sent": 2})


@pytest.mark.parametrize("name", HTTP_SINKS)
def test_the_end_and_others_wait_too(name):
    """On every sink: what comes up during a pause, the end of the same incident or another one,
    waits for its end.
    """
    made = World(name)
    try:
        made.start()
        made.server.faults.append(Fault(status=429, retry_after="240"))
        tell(made.store, "a", "opened", plans=(made.plan,))
        made.attempt()
        made.now += 10 * SECOND
        tell(made.store, "b", "opened", "resolved", plans=(made.plan,), now=made.now)
        made.settle()
        assert made.left[1] - NOW >= timedelta(seconds=240)
        assert made.states() == {"sent": 3}
    finally:
        made.close()


def test_a_throttled_look_is_a_pause_too():
    """A bot that looks whether its message is there keeps the time that this answer names, and then
    finds it: once, no more.
    """
    made = World("slack_bot")
    try:
        made.start()
        taken = Fault(status=429, retry_after="30", taken=True)
        made.server.faults.extend([taken, Fault(status=429, retry_after="600")])
        tell(made.store, "a", "opened", plans=(made.plan,))
        made.settle()
        assert made.left[1] - made.left[0] >= timedelta(seconds=30)
        assert made.left[2] - made.left[1] >= timedelta(seconds=600)
        assert made.arrived() == ["opened"]
        assert [method for method, _ in made.server.calls] == [
            "chat.postMessage",
            "conversations.history",
        ]
    finally:
        made.close()


def test_one_answer_of_no_effect_does_not_undo_a_doubt():
    """A bot that was throttled after its message was lost still looks."""
    made = World("slack_bot")
    try:
        made.start()
        made.server.faults.extend(
            [Fault(drop="after"), Fault(), Fault(status=429, retry_after="30")]
        )
        tell(made.store, "a", "opened", plans=(made.plan,))
        made.settle()
        assert made.arrived() == ["opened"]
    finally:
        made.close()


def test_a_message_that_is_given_up_leaves_its_pause_behind(world):
    """The last answer to a message of a week ago counts for those after it."""
    reports = []
    world.worker._report = reports.append
    tell(world.store, "a", "opened", plans=(world.plan,))
    world.now += 8 * DAY
    world.server.faults.append(Fault(status=429, retry_after="900"))
    tell(world.store, "b", "opened", plans=(world.plan,), now=world.now)
    world.settle()
    assert reports[0].outcome is DeliveryOutcome.GAVE_UP
    assert world.left[1] - world.left[0] >= timedelta(seconds=900)


def test_a_longer_pause_is_not_shortened(world):
    """The sink's own pause after failures in a row takes nothing off the one that was asked for."""
    world.server.faults.extend([Fault(status=500)] * 4 + [Fault(status=500, retry_after="3000")])
    tell(world.store, "a", "opened", plans=(world.plan,))
    world.settle()
    assert world.left[5] - world.left[4] >= timedelta(seconds=3000)
    assert world.left[5] - world.left[4] <= HOUR
