"""The state fails while the agent runs: it says so, and goes on by itself when the state is back."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from test_daemon import Daemon, free_port

pytestmark = pytest.mark.system

LIMIT = 90.0
"""Seconds that a condition may take on a busy machine."""


class Agent:
    """A running agent with one model, whose state can be made to fail."""

    def __init__(self, folder: Path) -> None:
        self.daemon = Daemon(folder, free_port())
        self.folder = folder
        self.database = folder / "state.db"
        text = self.daemon.station.config.read_text()
        state = text.split('state: "')[1].split('"')[0]
        self.daemon.station.config.write_text(text.replace(state, f"sqlite:///{self.database}"))

    @contextmanager
    def running(self, **options):
        environment = os.environ | {
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "WATCHDOG_USEC": "10000000",
        }
        environment |= options.pop("env", {})
        with (self.folder / "err").open("w") as err:
            process = subprocess.Popen(
                self.daemon.command(),
                env=environment,
                stdout=subprocess.DEVNULL,
                **({"stderr": err} | options),
            )
        try:
            self.wait_for(lambda: self.is_ready() is True)
            yield process
        finally:
            process.kill()
            process.wait()
            self.daemon.socket.close()

    def is_ready(self) -> bool | None:
        try:
            return self.health()["ready"]
        except httpx.HTTPError:
            return None

    def health(self) -> dict:
        return self.daemon.get("/readyz").json()

    def wait_for(self, condition) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, self.log()
            time.sleep(0.1)

    def wait_for_reason(self, text: str) -> None:
        """Wait until the agent is not ready for a reason that has `text`."""

        def is_named() -> bool:
            try:
                return any(text in reason for reason in self.health().get("reasons", ()))
            except httpx.HTTPError:
                return False

        self.wait_for(is_named)

    def log(self) -> str:
        return (self.folder / "err").read_text()

    def messages(self) -> list[tuple[str, str]]:
        """Event and check of each message about the agent itself."""
        return [
            (note["event"], note["alerts"][0]["check"])
            for note in self.daemon.station.told()
            if note["cause"] == "monitoring"
        ]

    def assert_said_once(self, text: str) -> None:
        """The log has one line about it, and the sink one incident, which ends."""
        lines = [line for line in self.log().splitlines() if "the state can't be used" in line]
        assert len(lines) == 1, lines
        assert text in lines[0]
        self.wait_for(lambda: ("resolved", "state") in self.messages())
        assert self.messages() == [("opened", "state"), ("resolved", "state")]


@pytest.fixture
def agent(tmp_path):
    return Agent(tmp_path)


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_named_and_left_behind(agent):
    """Writes fail: not ready, one line, one incident; the limit goes, and the agent goes on."""
    with agent.running() as process:
        # The log of the agent has room, the write-ahead log of the state soon has none.
        size = (agent.folder / "err").stat().st_size + 16_384
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        agent.wait_for_reason("the disk failed")
        agent.wait_for(lambda: ("opened", "state") in agent.messages())
        resource.prlimit(
            process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
        agent.wait_for(lambda: agent.is_ready() is True)
        agent.assert_said_once("the disk failed")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0


@pytest.mark.slow
def test_a_database_that_another_process_locks_is_named(agent):
    """Not ready while it is locked, and no word about the source."""
    with agent.running():
        holder = sqlite3.connect(agent.database, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        agent.wait_for_reason("locked by another process")
        holder.execute("ROLLBACK")
        holder.close()
        agent.wait_for(lambda: agent.is_ready() is True)
        agent.assert_said_once("locked by another process")


@pytest.mark.slow
def test_a_file_that_is_gone_is_not_made_anew_without_a_word(agent):
    """The agent waits for the file, and begins no empty state in its place."""
    with agent.running():
        aside = agent.folder / "aside"
        aside.mkdir()
        files = list(agent.folder.glob("state.db*"))
        for file in files:
            if file.suffix != ".lock":
                shutil.move(file, aside / file.name)
        agent.wait_for_reason("the file is gone")
        for file in aside.iterdir():
            shutil.move(file, agent.folder / file.name)
        agent.wait_for(lambda: agent.is_ready() is True)
        agent.assert_said_once("removed or replaced")


@pytest.mark.slow
def test_the_reader_of_the_log_goes_away(agent):
    """Rows are read and judged after that, and the agent is ready."""
    reading, writing = os.pipe()
    with agent.running(stderr=writing):
        os.close(writing)
        os.close(reading)
        marks = []
        for _ in range(3):
            marks.append(agent.health()["loops"][0]["last_beat"])
            agent.wait_for(lambda: agent.health()["loops"][0]["last_beat"] != marks[-1])
        assert agent.is_ready()


FAULT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int fails(void) { return access(getenv("FAULT_FILE"), F_OK) == 0; }
int fsync(int fd) {
    if (fails()) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
    if (fails()) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""


@pytest.mark.slow
def test_a_sync_that_fails_ends_the_use_of_the_open_file(agent):
    """The file is opened again once it can be synced; the old handle is not used."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("cc is not installed: no library that makes fsync fail")
    source, library = agent.folder / "fault.c", agent.folder / "fault.so"
    source.write_text(FAULT)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    mark = agent.folder / "fails"
    with agent.running(env={"LD_PRELOAD": str(library), "FAULT_FILE": str(mark)}) as process:
        mark.touch()
        agent.wait_for_reason("the disk failed")
        agent.wait_for(lambda: ("opened", "state") in agent.messages())
        mark.unlink()
        agent.wait_for(lambda: agent.is_ready() is True)
        agent.assert_said_once("SQLITE_IOERR_FSYNC")
        assert process.poll() is None


HANGING = '''
from driftline import Check, hookimpl as implementation

class Stuck(Check):
    """Never returns."""
    type = "stuck"
    def evaluate(self, ctx):
        __import__("threading").Event().wait(600)
        yield

@implementation
def register_checks():
    return [Stuck]
'''


@pytest.mark.slow
def test_a_check_that_hangs_stops_the_watchdog(agent):
    """Its time of a minute passes; then the agent is not ready, and no ping comes any more."""
    plugin = agent.folder / "plugs" / "stuck.py"
    plugin.write_text(HANGING)
    config = agent.daemon.station.config
    config.write_text(
        config.read_text().replace("      volume:", "      stuck: {type: stuck}\n      volume:")
    )
    with agent.running():
        agent.wait_for_reason("shop.stuck hangs")
        agent.daemon.told.clear()
        time.sleep(11)
        assert not [text for text in agent.daemon.told if "WATCHDOG=1" in text]
