import socket
import threading

import httpx
import pytest
from certificates import certificate
from messages import NOW
from receivers import Fault, Receiver

from driftline import OutcomeUnknown, Rejected, Retryable, Throttled
from driftline.delivery.network.address import is_public
from driftline.delivery.network.dial import Dial
from driftline.delivery.network.http import HttpClient


class Anything(Receiver):
    """Takes every post."""

    def accept(self, headers, body):
        self.accepted.append((dict(headers), body))
        return 200, b"ok"


def client(**given) -> HttpClient:
    return HttpClient(lambda: NOW, **{"allow_private": True, "timeout": 60.0, **given})


def test_posts_json_and_bytes():
    """JSON goes out as UTF-8 with its type; bytes go out as they are."""
    with Anything() as server:
        answer = client().post(server.url, json={"ü": 1.5, "bad": "\ud800"}, headers={"x-a": "b"})
        assert (answer.status, answer.text) == (200, "ok")
        client().post(server.url, content=b"\x00raw")
    (headers, body), (_, raw) = server.accepted
    assert ('{"ü":1.5,"bad":"?"}'.encode(), b"\x00raw") == (body, raw)
    assert (headers["content-type"], headers["x-a"]) == ("application/json; charset=utf-8", "b")


@pytest.mark.parametrize("bad", [{"v": float("nan")}, {"v": float("inf")}, {"v": object()}])
def test_what_is_no_json_never_leaves(bad):
    """NaN is refused here, with no request made."""
    with Anything() as server, pytest.raises(Rejected):
        client().post(server.url, json=bad)
    assert server.requests == []


def test_redirects_are_not_followed():
    """A 302 is a refusal, and its target hears nothing."""
    with (
        Anything() as target,
        Anything(faults=[Fault(status=302, location="http://127.0.0.1/elsewhere")]) as server,
    ):
        with pytest.raises(Rejected, match="redirects are not followed"):
            client().post(server.url, json={})
        assert target.requests == []


def test_a_pause_asked_for_is_given():
    """Retry-After of a 429 becomes a time."""
    with (
        Anything(faults=[Fault(status=429, retry_after="30")]) as server,
        pytest.raises(Throttled) as caught,
    ):
        client().post(server.url, json={})
    assert caught.value.not_before is not None
    assert (caught.value.not_before - NOW).total_seconds() == 30


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_reset_is_of_unknown_outcome(drop):
    """Once the request left, a lost connection says nothing about what the receiver did."""
    with Anything(faults=[Fault(drop=drop)]) as server, pytest.raises(OutcomeUnknown):
        client().post(server.url, json={})
    assert len(server.accepted) == (drop == "after")


def test_nobody_listening_did_not_happen():
    """A refused connection and an unknown name are retryable, and nothing happened."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Retryable) as caught:
        client().post(f"http://127.0.0.1:{port}/secret-token", json={})
    assert type(caught.value) is Retryable

    def unknown(host, port):
        raise socket.gaierror("no such host")

    with pytest.raises(Retryable) as caught:
        client(resolve=unknown).post("https://nowhere.example/secret-token", json={})
    assert type(caught.value) is Retryable
    assert "secret-token" not in str(caught.value)


def test_tls_is_verified():
    """A server that doesn't speak TLS properly is not talked to: nothing happened."""
    with Anything() as server, pytest.raises(Retryable) as caught:
        client().post(server.url.replace("http:", "https:"), json={})
    assert type(caught.value) is Retryable
    assert server.accepted == []


def test_a_slow_answer_is_of_unknown_outcome():
    """The total time is bounded; what the receiver did is not known."""
    hold = threading.Event()
    with Anything(faults=[Fault(hold=hold)]) as server:
        with pytest.raises(OutcomeUnknown):
            client(timeout=3).post(server.url, json={})
        hold.set()


def test_a_dripping_answer_does_not_outlast_the_deadline():
    """Each byte in time does not help when the whole takes too long: the clock runs for the
    request, not for the byte.
    """
    ticks = iter(range(1000))

    def drip(request):
        return httpx.Response(200, stream=Drip())

    class Drip(httpx.SyncByteStream):
        def __iter__(self):
            for _ in range(100):
                yield b"."

    with pytest.raises(OutcomeUnknown):
        client(
            transport=httpx.MockTransport(drip), timeout=5.0, monotonic=lambda: float(next(ticks))
        ).post("https://a.example/", json={})


def test_answers_are_read_to_a_bound():
    """A receiver that answers 10 MB is read to 64 KiB."""
    with Anything(faults=[Fault(body=b"x" * 10_000_000)]) as server:
        assert len(client().post(server.url, json={}).text) == 64 * 1024


def test_garbage_is_of_unknown_outcome():
    """An answer that is no HTTP says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"\x00\x01 what?\r\n\r\n")

        threading.Thread(target=speak, daemon=True).start()
        with pytest.raises(OutcomeUnknown):
            client().post(f"http://127.0.0.1:{server.getsockname()[1]}/", json={})


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address):
    """A name that leads inside is refused before any connection, wherever in the list the address
    stands.
    """
    guarded = client(allow_private=False, resolve=lambda host, _: ["93.184.216.34", address])
    with pytest.raises(Rejected, match="private address"):
        guarded.post("http://in.example/", json={})
    assert not is_public(address)


def test_the_refusal_names_the_setting_that_allows_it():
    """Each part of the configuration that connects has an `allow_private` of its own."""
    inside = {"allow_private": False, "resolve": lambda host, _: ["10.0.0.1"]}
    for part, name in (("sinks.chat", "sinks.chat.allow_private"), ("", "allow_private")):
        with pytest.raises(Rejected, match=f"set `{name}: true`"):
            client(**inside, part=part).post("http://in.example/", json={})
        with pytest.raises(Rejected, match=f"set `{name}: true`"):
            Dial(**inside, part=part)("in.example", 25)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_fine(address):
    """What anyone may reach is no secret place."""
    assert is_public(address)


def test_the_name_is_looked_up_once_and_connected_to_as_checked():
    """A name whose address changes between check and use gains nothing: there is one lookup."""
    asked = []
    with Anything() as server:
        port = int(server.url.split(":")[2].split("/")[0])

        def resolve(host, wanted):
            asked.append((host, wanted))
            return ["127.0.0.1"]

        client(allow_private=True, resolve=resolve).post(f"http://hooks.example:{port}/", json={})
    assert [("hooks.example", port)] == asked
    assert server.accepted[0][0]["host"] == f"hooks.example:{port}"


def test_loopback_is_refused_by_default():
    """Without permission not even a literal address gets through."""
    with Anything() as server, pytest.raises(Rejected, match="allow it"):
        HttpClient(lambda: NOW).post(server.url, json={})


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "", "https://", "not a url", "javascript:1"]
)
def test_only_http(url):
    """Anything else is refused."""
    with pytest.raises(Rejected):
        client().post(url, json={})


def test_secrets_of_an_address_are_in_no_error():
    """Path, query and user of a URL stay out of the error, also when the receiver repeats them."""
    secrets = ["XXXXsecretXXXX", "tokentoken", "passw0rd"]
    body = " ".join(secrets).encode() + b" no_service"
    with Anything(faults=[Fault(status=404, body=body)]) as server:
        address = (
            server.url.replace("http://", "http://user:passw0rd@")
            + "services/XXXXsecretXXXX?key=tokentoken"
        )
        with pytest.raises(Rejected) as caught:
            client().post(address, json={})
    assert "no_service" in str(caught.value)
    assert not [secret for secret in secrets if secret in str(caught.value)]


def test_a_line_break_in_a_header_is_refused():
    """Headers made of data can't smuggle another header."""
    with Anything() as server, pytest.raises(Rejected):
        client().post(server.url, json={}, headers={"x-a": "b\r\nx-evil: 1"})
    assert server.accepted == []


def test_an_authority_of_ones_own(tmp_path):
    """A server with a certificate of a private authority is talked to by who trusts that authority,
    and by nobody else.
    """
    ca, key = certificate(tmp_path)
    with Anything() as server:
        server.secure(ca, key)
        url = server.url
        with pytest.raises(Retryable):
            client().post(url, json={})
        assert server.accepted == []
        client(ca_file=ca).request("POST", url, content=b"{}")
        assert len(server.accepted) == 1
        with pytest.raises(Rejected, match="no certificates of authorities"):
            client(ca_file=tmp_path / "none").post(url, json={})


def test_a_refusal_can_be_read():
    """Status and beginning of the answer stand beside the words for people."""
    with (
        Anything(faults=[Fault(status=409, body=b'{"reason": "AlreadyExists"}')]) as server,
        pytest.raises(Rejected) as caught,
    ):
        client().post(server.url, json={})
    assert (caught.value.status, caught.value.answer) == (409, '{"reason": "AlreadyExists"}')
