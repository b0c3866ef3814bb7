"""Connections that wait, drip or read nothing don't keep others from the agent's port."""

from __future__ import annotations

import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from certificates import certificate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from driftline.types.errors import DriftlineError
from driftline.web import connections
from driftline.web.server import WebServer, serve

pytestmark = pytest.mark.system


async def healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def count(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())}\n")


APP = Starlette(routes=[Route("/healthz", healthz), Route("/", count, methods=["POST"])])
"""One short page and one that reads a body."""


@pytest.fixture
def server() -> Iterator[WebServer]:
    running = serve(APP, "127.0.0.1", 0)
    yield running
    running.stop()


def connect(server: WebServer) -> socket.socket:
    return socket.create_connection((server.address.host, server.address.port), timeout=30)


def is_healthy(server: WebServer) -> bool:
    with httpx.Client(timeout=30) as client:
        return client.get(f"http://{server.address}/healthz").status_code == 200


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed the connection."""
    client.settimeout(60)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_idle_connections_do_not_keep_others_out(server: WebServer) -> None:
    """With 300 idle connections `/healthz` answers; the oldest one made room."""
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(300)]
        assert is_healthy(server)
        assert is_closed(idle[0])
        idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert idle[-1].recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET /healthz HTTP/1.1\r\n",
    ],
)
def test_a_request_that_does_not_end_is_cut_off(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """In the head, in the body, and after an answer: bytes that drip don't prolong the time."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
    with connect(server) as client:
        client.sendall(start)
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.1):
                try:
                    client.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        if start:
            thread.start()
        client.settimeout(60)
        try:
            while client.recv(4096):
                pass
        except ConnectionResetError:
            pass
        ended.set()
        if start:
            thread.join()


def test_a_slow_request_that_ends_in_time_is_answered(server: WebServer) -> None:
    """A body in parts is a request like others."""
    with connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 6\r\n\r\n")
        for part in (b"ab", b"cd", b"ef"):
            time.sleep(0.05)
            client.sendall(part)
        answer = b""
        while not answer.endswith(b"\r\n\r\n6\n"):
            answer += client.recv(4096)


def test_connections_are_a_part_of_the_file_descriptors() -> None:
    """An agent with few of them keeps three quarters for its own work."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert connections.ConnectionLimits().most == max(8, min(256, files // 4))


def test_the_port_speaks_tls(tmp_path: Path) -> None:
    """With a certificate and its key, a client that trusts it reads the page."""
    ca, key = certificate(tmp_path)
    running = serve(APP, "127.0.0.1", 0, certificate=(ca, key))
    try:
        address = f"https://127.0.0.1:{running.address.port}/healthz"
        context = ssl.create_default_context(cafile=str(ca))
        assert httpx.get(address, verify=context, timeout=30).text == "ok\n"
    finally:
        running.stop()


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    """The error names the setting and the file."""
    (tmp_path / "c.pem").write_text("none")
    with pytest.raises(DriftlineError, match=r"agent\.http_certificate: .*c\.pem"):
        serve(APP, "127.0.0.1", 0, certificate=(tmp_path / "c.pem", tmp_path / "c.pem"))
