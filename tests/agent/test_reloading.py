"""SIGHUP with a configuration that can't run: the old one goes on, and says so."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import pytest
from test_daemon import Daemon, free_port

from driftline.state.lock import FileLock

pytestmark = [pytest.mark.postgres, pytest.mark.system]


def edit(daemon: Daemon, change: Callable[[str], str]) -> None:
    """Write the usual configuration with a change."""
    daemon.configure()
    path = daemon.station.config
    path.write_text(change(path.read_text()))


def metric(daemon: Daemon, name: str) -> float:
    lines = daemon.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[-1])


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon(tmp_path, free_port())
    yield daemon
    daemon.socket.close()


def test_a_configuration_that_cant_run_is_not_taken(daemon, tmp_path):
    """A port that is taken, another length of windows and a state that is no database: each is
    named, and the old configuration goes on watching; a good one is taken afterwards.
    """
    with daemon.running() as process, socket.create_server(("127.0.0.1", 0)) as taken:
        daemon.wait_for(lambda: daemon.station.events("drift") == ["opened"])
        port = taken.getsockname()[1]
        (tmp_path / "text.db").write_text("no database\n" * 500)
        edits = {
            f"can't listen on 127.0.0.1:{port}": lambda text: text.replace(
                f"http: 127.0.0.1:{daemon.port}", f"http: 127.0.0.1:{port}"
            ),
            "windows.length of shop was 1:00:00 and is now 2:00:00": lambda text: text.replace(
                "length: 1h", "length: 2h"
            ),
            "text.db": lambda text: text.replace(
                text.split('state: "')[1].split('"')[0], f"sqlite:///{tmp_path}/text.db"
            ),
        }
        for count, (reason, change) in enumerate(edits.items(), 1):
            edit(daemon, change)
            process.send_signal(signal.SIGHUP)
            daemon.wait_for(
                lambda reason=reason: any(
                    "not reloaded, the old configuration goes on" in line and reason in line
                    for line in daemon.log().splitlines()
                )
            )
            daemon.wait_for(
                lambda count=count: (
                    metric(daemon, 'driftline_reloads_total{outcome="refused"}') == count
                )
            )
            assert metric(daemon, "driftline_reload_successful") == 0
        assert process.poll() is None
        assert '"event": "reloaded"' not in daemon.log()

        edit(daemon, lambda text: text.replace("every: 1s", "every: 2s"))
        process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: '"event": "reloaded"' in daemon.log())
        daemon.wait_for(lambda: daemon.get("/readyz").status_code == 200)
        assert metric(daemon, "driftline_reload_successful") == 1


@pytest.mark.slow
def test_a_state_that_another_agent_holds_is_not_taken(daemon, tmp_path):
    """The lock is found when the new configuration starts: the agent goes back to the old one."""
    with daemon.running() as process:
        daemon.wait_for(lambda: daemon.station.events("drift") == ["opened"])
        lock = FileLock(tmp_path / "other.db.lock")
        lock.acquire()
        text = daemon.station.config.read_text()
        state = text.split('state: "')[1].split('"')[0]
        daemon.station.config.write_text(text.replace(state, f"sqlite:///{tmp_path}/other.db"))
        process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: "another agent (process" in daemon.log())
        daemon.wait_for(lambda: daemon.get("/readyz").status_code == 200)
        assert process.poll() is None
        assert daemon.station.events("drift") == ["opened"]
        lock.release()
