"""Many connections to a whole agent, idle and dripping: it ticks on, answers, and stays small."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from test_daemon import Daemon, free_port

pytestmark = pytest.mark.system

DRIP = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: "


class Crowd:
    """Connections that send nothing, and some that send a byte a second; the latter come again."""

    def __init__(self, port: int, idle: int, dripping: int) -> None:
        self.port, self.idle, self.dripping = port, idle, dripping
        self.clients: list[socket.socket] = []
        self.drips: list[socket.socket | None] = [None] * dripping
        self.is_complete = threading.Event()
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._press, daemon=True)
        self.thread.start()

    def leave(self) -> None:
        self.end.set()
        self.thread.join()
        for client in (*self.clients, *self.drips):
            if client is not None:
                client.close()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def _press(self) -> None:
        for number in range(self.idle):
            self.clients.append(self._connect())
            if number % (self.idle // self.dripping) == 0:
                self._drip(number * self.dripping // self.idle)
        self.is_complete.set()
        while not self.end.wait(1):
            for place in range(self.dripping):
                if self.end.is_set():
                    return
                self._drip(place)

    def _drip(self, place: int) -> None:
        client = self.drips[place]
        try:
            if client is not None:
                client.sendall(b"a")
                return
        except OSError:
            client.close()
        self.drips[place] = client = self._connect()
        with suppress(OSError):
            client.sendall(DRIP)


def find_memory(process: int) -> int:
    """The resident memory of a process, in MB."""
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(kilobytes) // 1000


def count_ticks(daemon: Daemon) -> float:
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in daemon.get("/metrics").text.splitlines()
        if line.startswith("driftline_tick_seconds_count")
    )


@pytest.mark.parametrize(
    ("idle", "dripping", "seconds"),
    [(270, 30, 4), pytest.param(10_000, 1_000, 60, marks=pytest.mark.slow)],
)
def test_a_crowded_port_does_not_stop_the_agent(
    tmp_path: Path, idle: int, dripping: int, seconds: int
) -> None:
    """While all of them are open, `/healthz` and `/readyz` say 200, and a tick follows the other."""
    daemon = Daemon(tmp_path, free_port())
    with daemon.running() as process:
        daemon.wait_for(lambda: "READY=1" in "".join(daemon.told))
        daemon.wait_for(lambda: count_ticks(daemon) >= 2)
        before, ticks = find_memory(process.pid), count_ticks(daemon)
        crowd = Crowd(daemon.port, idle, dripping)
        memory, answers, start = [before], [], time.monotonic()
        try:
            while time.monotonic() < start + seconds or not crowd.is_complete.is_set():
                assert crowd.thread.is_alive()
                answers += [daemon.get(path).status_code for path in ("/healthz", "/readyz")]
                memory.append(find_memory(process.pid))
            taken, ticked = time.monotonic() - start, count_ticks(daemon) - ticks
        finally:
            crowd.leave()
        assert process.poll() is None
        print(
            f"{idle} idle, {dripping} dripping: {len(answers)} answers in {taken:.0f} s, "
            f"{ticked:.0f} ticks, {before} MB before and at most {max(memory)} MB"
        )
    daemon.socket.close()
    assert len(crowd.clients) == idle
    assert set(answers) == {200}
    # The agent ticks once a second; half of that leaves room for a busy machine.
    assert ticked >= taken / 2 - 1
    assert max(memory) < before + 100
    assert "Too many open files" not in daemon.log()
