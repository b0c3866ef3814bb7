"""Connections that wait, drip or read nothing don't keep others from the agent's port."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from driftline.web import connections
from driftline.web.server import WebServer, serve

pytestmark = pytest.mark.system


@pytest.fixture
def server() -> Iterator[WebServer]:
    """A server with one short page and one that reads a body."""

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def count(request: Request) -> Response:
        return PlainTextResponse(f"{len(await request.body())}\n")

    app = Starlette(routes=[Route("/healthz", healthz), Route("/", count, methods=["POST"])])
    running = serve(app, "127.0.0.1", 0)
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


@pytest.mark.slow
def test_ten_thousand_idle_and_a_thousand_dripping_connections(server: WebServer) -> None:
    """For a minute `/healthz` answers each time, and the server holds a bounded number of them."""
    clients: list[socket.socket] = []
    end = time.monotonic() + 60
    answers = []
    address = (server.address.host, server.address.port)

    def keep_open() -> None:
        for number in range(11_000):
            client = socket.create_connection(address, timeout=30)
            clients.append(client)
            if number % 11 == 0:
                client.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
        while time.monotonic() < end:
            for client in clients[::11]:
                try:
                    client.sendall(b"a")
                except OSError:
                    continue
            time.sleep(1)

    crowd = threading.Thread(target=keep_open)
    crowd.start()
    try:
        while crowd.is_alive():
            answers.append(is_healthy(server))
    finally:
        crowd.join()
        for client in clients:
            client.close()
    assert len(clients) == 11_000
    assert len(answers) > 20
    assert all(answers)
