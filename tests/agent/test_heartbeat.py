"""The dead man's switch: requests that a service expects while the agent does its work."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from driftline import Secret
from driftline.agent.heartbeat import Heartbeat
from driftline.config.models import HeartbeatConfig
from driftline.delivery.network.http import HttpClient
from driftline.testing.fakes import FakeLog

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Service(ThreadingHTTPServer):
    """Keeps path and body of each request, and answers with `status`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *facts: object) -> None:
        pass


@pytest.fixture
def service():
    with Service() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def heartbeat(service, reasons, log=None, **settings) -> Heartbeat:
    """One that sends when the test asks it to."""
    settings = {"url": f"{service.url}/check", "every": timedelta(days=1), **settings}
    beat = Heartbeat(
        HeartbeatConfig(**settings),
        HttpClient(lambda: NOW, allow_private=True),
        find_reasons=lambda: reasons,
        clock=lambda: NOW,
        log=log or FakeLog(),
    )
    beat._thread.join(0.5)
    return beat


def test_nothing_is_sent_while_the_agent_is_not_ready(service):
    """The service misses the request, and raises the alarm."""
    reasons = ["the disk is full"]
    beat = heartbeat(service, reasons)
    assert not beat.send()
    assert service.requests == []
    reasons.clear()
    assert beat.send()
    assert service.requests == [("/check", b"driftline is ready\n")]
    beat.stop()


def test_the_watchdog_of_alertmanager_ends_by_itself(service):
    """An alert that fires now and ends after three missed heartbeats."""
    beat = heartbeat(
        service, [], type="alertmanager", url=f"{service.url}/", every=timedelta(minutes=1)
    )
    beat.send()
    path, body = service.requests[-1]
    assert path == "/api/v2/alerts"
    [alert] = json.loads(body)
    assert alert["labels"]["alertname"] == "Watchdog"
    assert alert["startsAt"] == "2026-11-30T12:00:00+00:00"
    assert alert["endsAt"] == "2026-11-30T12:03:00+00:00"
    beat.stop()


def test_a_service_that_fails_is_logged_once(service):
    """A thousand failures are one line, and their end is another one."""
    log, reasons = FakeLog(), ["starting"]
    beat = heartbeat(service, reasons, log)
    reasons.clear()
    service.status = 500
    for _ in range(10):
        assert not beat.send()
    service.status = 200
    assert beat.send()
    texts = [str(line) for line in log.lines]
    assert len([text for text in texts if "heartbeats" in text]) == 2
    beat.stop()


def test_an_address_in_a_file_is_read_again(service, tmp_path):
    """A rotated address is used by the next heartbeat."""
    file, reasons = tmp_path / "url", ["starting"]
    file.write_text(f"{service.url}/first\n")
    secret = Secret(f"${{file:{file}}}", f"{service.url}/first")
    beat = heartbeat(service, reasons, url=secret)
    reasons.clear()
    beat.send()
    file.write_text(f"{service.url}/second\n")
    beat.send()
    assert [path for path, _ in service.requests] == ["/first", "/second"]
    beat.stop()
