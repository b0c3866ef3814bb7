"""Two agents on one PostgreSQL database, as processes: what the one that stands by shows, and how
it takes over.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest
from test_daemon import PATIENCE, Daemon, free_port

pytestmark = pytest.mark.system


@pytest.fixture
def pair(tmp_path, postgres):
    """Two agents of one configuration, but for the address of their pages."""
    url = postgres.database("pair")
    made = []
    for name in ("first", "second"):
        daemon = Daemon(tmp_path / name, free_port())
        text = daemon.station.config.read_text().splitlines()
        agent = f"agent: {{state: '{url}', http: '127.0.0.1:{daemon.port}', every: 1s}}"
        daemon.station.config.write_text(
            "\n".join(agent if line.startswith("agent:") else line for line in text)
        )
        made.append(daemon)
    yield made
    for daemon in made:
        daemon.socket.close()


def command(daemon: Daemon, *words: str) -> subprocess.CompletedProcess:
    whole = [sys.executable, "-m", "driftline", *words, "-c", str(daemon.station.config)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=PATIENCE)


def test_one_works_and_the_other_waits_its_turn(pair, postgres):
    """The second says that it stands by and who leads, takes over when the first is killed, and
    outlives cut connections.
    """
    first, second = pair
    with ExitStack() as stack:
        leading = stack.enter_context(first.running())
        first.wait_for(lambda: "watching shop" in first.log())
        waiting = stack.enter_context(second.running())
        second.heard("READY=1")
        second.heard("WATCHDOG=1")
        assert f":{leading.pid} leads" in second.log()
        assert second.get("/healthz").status_code == 200
        ready = second.get("/readyz")
        assert (ready.status_code, ready.json()["standby"]) == (200, True)
        assert ready.json()["leader"].endswith(f":{leading.pid}")
        assert "driftline_leading 0.0" in second.get("/metrics").text
        assert "driftline_leading 1.0" in first.get("/metrics").text
        assert "standby" not in first.get("/readyz").json()

        first.wait_for(lambda: first.station.events("drift") == ["opened"])
        assert json.loads(command(second, "status", "--json").stdout)["leader"]["agent"].endswith(
            f":{leading.pid}"
        )
        once = command(second, "run", "--once")
        assert once.returncode == 3
        assert f":{leading.pid}) works on this state" in once.stderr

        waiting.send_signal(signal.SIGHUP)
        second.wait_for(lambda: '"event": "reloaded"' in second.log())
        leading.kill()
        second.wait_for(lambda: "watching shop" in second.log())
        second.wait_for(lambda: "standby" not in second.get("/readyz").json())

        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'pair'"
        )
        second.wait_for(lambda: second.log().count("watching shop") == 2)
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(PATIENCE) == 0
    assert second.station.events("drift") == [], "what the first had told is not told again"


def test_a_database_that_is_away_is_an_error_at_the_start(pair):
    """A wrong address in the configuration ends the command, with the place and without the
    password.
    """
    first, _ = pair
    text = first.station.config.read_text()
    line = next(line for line in text.splitlines() if line.startswith("agent:"))
    away = (
        f"agent: {{state: 'postgresql://me:hunter2@127.0.0.1:1/x', http: '127.0.0.1:{first.port}'}}"
    )
    first.station.config.write_text(text.replace(line, away))
    done = command(first, "run")
    assert done.returncode == 3
    assert "agent.state: PostgreSQL can't be used just now" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.slow
def test_one_that_stands_by_ends_when_told(pair):
    """SIGTERM ends it at once, and the leader never notices."""
    first, second = pair
    with ExitStack() as stack:
        leading = stack.enter_context(first.running())
        first.wait_for(lambda: "watching shop" in first.log())
        waiting = stack.enter_context(second.running())
        second.wait_for(lambda: "standing by" in second.log())
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(PATIENCE) == 0
        assert first.get("/healthz").status_code == 200
        assert leading.poll() is None
