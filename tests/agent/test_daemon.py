"""The daemon as a process: signals, systemd, health, reload, one agent at a time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from station import DIARY, MODEL, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]

PATIENCE = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    def __init__(self, folder, port: int) -> None:
        self.station = Station(folder)
        self.port = port
        self.configure()
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
        for hour in range(3):
            self.station.write(
                f"log/{hour}.jsonl",
                start + timedelta(hours=hour),
                timedelta(hours=1),
                300,
                amount=lambda row: row["amount"] + 40,
            )
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.told: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def configure(self, broken: str = "") -> None:
        self.station.configure(MODEL)
        text = self.station.config.read_text().replace(
            "http: null", f"http: 127.0.0.1:{self.port}, every: 1s"
        )
        self.station.config.write_text(text + broken)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "driftline", "run", "-c", str(self.station.config)]

    @contextmanager
    def running(self):
        env = os.environ | {
            "NOTIFY_SOCKET": str(self.station.folder / "notify"),
            "WATCHDOG_USEC": "400000",
        }
        with (self.station.folder / "err").open("w") as err:
            process = subprocess.Popen(
                self.command(), env=env, stdout=subprocess.DEVNULL, stderr=err
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _listen(self) -> None:
        """All is taken at once: a full socket would hold the daemon up."""
        while True:
            try:
                self.told.append(self.socket.recv(200).decode())
            except OSError:
                return

    def heard(self, word: str) -> None:
        """Wait until systemd would have been told `word`, after what was asked for before."""
        self.wait_for(lambda: any(word in text for text in self.told))
        while word not in self.told.pop(0):
            pass

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE)

    def wait_for(self, what) -> None:
        """Until `what()` holds; fails after a while."""
        until = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < until, (self.station.folder / "err").read_text()
            time.sleep(0.05)

    def log(self) -> str:
        return (self.station.folder / "err").read_text()


@pytest.fixture
def daemon(tmp_path):
    made = Daemon(tmp_path, free_port())
    yield made
    made.socket.close()


def test_the_daemon_lives_a_whole_life(daemon):
    """It tells systemd, answers health and metrics, finds the drift, reloads, refuses a bad file
    and a second agent, stops.
    """
    with daemon.running() as process:
        daemon.heard("READY=1")
        daemon.heard("WATCHDOG=1")
        daemon.wait_for(lambda: daemon.station.events("drift") == ["opened"])
        assert daemon.get("/healthz").status_code == 200
        daemon.wait_for(lambda: daemon.get("/readyz").status_code == 200)
        assert daemon.get("/readyz").json()
        metrics = daemon.get("/metrics").text
        assert 'driftline_rows_total{model="shop"} 900.0' in metrics
        assert (
            'driftline_measurement{check="drift",column="amount",measurement="psi",model="shop",version=""}'
            in metrics
        )

        second = subprocess.run(
            [*daemon.command(), "--once"], capture_output=True, text=True, timeout=PATIENCE
        )
        assert second.returncode == 3
        assert str(process.pid) in second.stderr

        daemon.configure("  extra: {type: slaack}\n")
        process.send_signal(signal.SIGHUP)
        daemon.heard("RELOADING=1")
        daemon.wait_for(lambda: "did you mean 'slack'" in daemon.log())
        assert daemon.get("/healthz").status_code == 200, "the old configuration goes on"

        daemon.configure(
            f"  second: {{type: diary, options: {{path: {daemon.station.folder}/second.jsonl}}}}\n"
        )
        process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: '"event": "reloaded"' in daemon.log())
        daemon.heard("READY=1")
        assert daemon.station.events("drift") == ["opened"], "a reload repeats nothing"

        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert not list(daemon.station.folder.glob("state.db-wal")), "a clean stop folds the log in"


def test_a_plugin_that_hangs_does_not_keep_the_daemon_from_stopping(tmp_path):
    """SIGTERM ends the process though a check never returns."""
    hanging = (
        DIARY
        + '''
from driftline import Check, hookimpl as impl
class Stuck(Check):
    """Never returns."""
    type = "stuck"
    def evaluate(self, ctx):
        __import__("threading").Event().wait(3600)
        yield
@impl
def register_checks():
    return [Stuck]
'''
    )
    made = Daemon(tmp_path, free_port())
    (tmp_path / "plugs" / "diary.py").write_text(hanging)
    made.station.config.write_text(
        made.station.config.read_text().replace(
            "      volume:", "      stuck: {type: stuck}\n      volume:"
        )
    )
    with made.running() as process:
        made.heard("READY=1")
        made.wait_for(
            lambda: "read 3 objects" in made.log() or made.get("/healthz").status_code == 200
        )
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)  # much less than the check hangs
    made.socket.close()
