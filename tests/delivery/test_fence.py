"""The guard around libraries that connect by themselves."""

import socket
import threading
from contextlib import suppress

import pytest

from driftline import Rejected
from driftline.delivery.network.address import resolve
from driftline.delivery.network.dial import Dial
from driftline.delivery.network.fence import Fence


@pytest.fixture
def place():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made.getsockname()


def connect(*places, family=socket.AF_INET) -> list[bool]:
    """Which of the places could be connected to, one after the other."""
    done = [False] * len(places)
    for turn, place in enumerate(places):
        with socket.socket(family) as made, suppress(OSError):
            made.settimeout(60)
            made.connect(place)
            done[turn] = True
    return done


def one_public(host: str, port: int) -> list[str]:
    """The addresses of a host, as if 127.0.0.1 were a public one."""
    return ["93.184.216.34"] if host == "127.0.0.1" else resolve(host, port)


def fenced(*places, family=socket.AF_INET) -> None:
    with Fence(Dial())():
        assert not any(connect(*places, family=family))


def test_it_guards_while_it_is_entered(place):
    """The same connection is made before and after."""
    assert connect(place) == [True]
    with pytest.raises(Rejected, match=r"127\.0\.0\.1 is no public address"):
        fenced(place)
    assert connect(place) == [True]


def test_it_guards_its_own_thread_only(place):
    """Others go on meanwhile: the database's, say."""
    other = []
    thread = threading.Thread(target=lambda: other.extend(connect(place)))
    with Fence(Dial())():
        thread.start()
        thread.join()
    assert other == [True]


def test_names_are_guarded(place):
    """A name is looked up."""
    with pytest.raises(Rejected, match="localhost"):
        fenced(("localhost", place[1]))


def test_sockets_of_this_machine_are_guarded():
    """They are no address of the world."""
    with pytest.raises(Rejected, match=r"nothing\.sock"):
        fenced("/run/nothing.sock", family=socket.AF_UNIX)


def test_datagrams_are_guarded():
    """They need no connection to leave."""
    with socket.socket(type=socket.SOCK_DGRAM) as made, pytest.raises(Rejected), Fence(Dial())():
        made.sendto(b"x", ("127.0.0.1", 9))


def test_nothing_follows_a_refusal(place):
    """A name that leads inside and outside is refused as a whole: what is allowed is not tried
    instead.
    """
    with pytest.raises(Rejected, match=r"10\.0\.0\.1"), Fence(Dial(resolve=one_public))():
        assert connect(place, ("10.0.0.1", 9), place) == [True, False, False]


def test_what_is_allowed_is_not_in_the_way(place):
    """Private addresses where the settings allow them, and public ones."""
    for dial in (Dial(allow_private=True), Dial(resolve=one_public)):
        with Fence(dial)():
            assert connect(place) == [True]
