"""Several agents on one PostgreSQL database, each over a network of its own, and what is done to
them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from relay import Relay
from world import World

from driftline.state.factory import open_store
from driftline.state.store import Store

PATIENCE = 120.0
"""Seconds for whatever must come to be, on a machine with much else to do."""


@dataclass
class Member:
    """One agent."""

    config: Path
    network: Relay
    err: Path
    process: subprocess.Popen | None = None

    def start(self, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "driftline", "run", "-c", str(self.config)]
        with self.err.open("w") as err:
            self.process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=err
            )

    def log(self) -> str:
        return self.err.read_text()


@dataclass
class Cluster:
    """The agents of a world. Its hours of logs come one by one, each whole at a stroke."""

    world: World
    url: str
    members: list[Member] = field(default_factory=list)
    hours: list[Path] = field(default_factory=list)
    """Folders that have not come yet, in order."""

    def __post_init__(self) -> None:
        self.looking: Store = open_store(self.url, readonly=True)

    def add(self) -> Member:
        """One more agent."""
        number = len(self.members)
        network = Relay(self.url)
        network.__enter__()
        config = self.world.folder / f"agent{number}.yaml"
        lines = self.world.config.read_text().splitlines()
        agent = f"agent: {{state: '{network.url}', http: null, every: 1s, workers: 1}}"
        config.write_text(
            "\n".join(agent if line.startswith("agent:") else line for line in lines) + "\n"
        )
        member = Member(config, network, self.world.folder / f"agent{number}.err")
        self.members.append(member)
        member.start(self.world.environment())
        return member

    def leader(self) -> Member | None:
        """The agent that leads."""
        found = self.looking.leader()
        pid = None if found is None else int(found.name.rpartition(":")[2])
        return next(
            (member for member in self.members if member.process and member.process.pid == pid),
            None,
        )

    def wait_for(self, what, seconds: float = PATIENCE):
        """What `what()` gives, once it gives something; fails after a while."""
        until = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > until:
                raise AssertionError("\n".join(member.log()[-3000:] for member in self.members))
            time.sleep(0.02)
        return found

    def hour_comes(self) -> None:
        """The next hour's logs are there, all at once."""
        folder = self.hours.pop(0)
        folder.rename(self.world.folder / "log" / folder.name)

    def keep_hours_back(self) -> None:
        """Take away all logs but the first hour's, to come again."""
        folders = sorted((self.world.folder / "log").iterdir())
        (self.world.folder / "later").mkdir(exist_ok=True)
        for folder in folders[1:]:
            folder.rename(self.world.folder / "later" / folder.name)
        self.hours = sorted((self.world.folder / "later").iterdir())

    def idle(self) -> bool:
        """Whether all that is there was read, judged and told."""
        rows = "SELECT (SELECT count(*) FROM objects WHERE state = 'done'), (SELECT count(*) FROM windows WHERE dirty = 1), "
        waits = "(SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending', 'unknown'))"
        with self.looking.read() as connection:
            done, dirty, waiting = connection.exec_driver_sql(rows + waits).one()
        files = sum(1 for _ in (self.world.folder / "log").rglob("*.jsonl"))
        return (done, dirty, waiting) == (files, 0, 0)

    def strike(self, how: str) -> tuple[Member, float]:
        """Kill, freeze or cut off the leader; returns it and the seconds until another one led."""
        leader = self.wait_for(self.leader)
        assert leader.process is not None
        began = time.monotonic()
        if how == "kill":
            leader.process.send_signal(signal.SIGKILL)
        elif how == "freeze":
            leader.process.send_signal(signal.SIGSTOP)
        else:
            leader.network.cut()
        self.wait_for(lambda: self.leader() not in (None, leader))
        return leader, time.monotonic() - began

    def restore(self, member: Member, how: str) -> None:
        """A killed agent is started again, a frozen one goes on, the network is mended; it must
        then stand by, alive.
        """
        assert member.process is not None
        if how == "kill":
            member.process.wait()
            member.start(self.world.environment())
            return
        before = member.log().count("standing by: ")
        if how == "freeze":
            member.process.send_signal(signal.SIGCONT)
        else:
            member.network.heal()
        self.wait_for(
            lambda: member.log().count("standing by: ") > before or self.leader() is member
        )
        assert member.process.poll() is None

    def stop(self) -> list[int]:
        """End all, once they are up; returns their exit codes."""
        for member in self.members:
            self.wait_for(
                lambda member=member: "standing by: " in member.log() or self.leader() is member
            )
            if member.process is not None:
                member.process.send_signal(signal.SIGCONT)
                member.process.send_signal(signal.SIGTERM)
        codes = []
        for member in self.members:
            assert member.process is not None
            try:
                codes.append(member.process.wait(PATIENCE))
            except subprocess.TimeoutExpired:
                member.process.kill()
                codes.append(member.process.wait())
        return codes

    def close(self) -> None:
        """Leave nothing behind."""
        for member in self.members:
            if member.process is not None and member.process.poll() is None:
                os.kill(member.process.pid, signal.SIGKILL)
                member.process.wait()
            member.network.__exit__()
        self.looking.close()


def by_hour(folder: Path) -> None:
    """Sort the log files of a world into a folder for each hour of their first record."""
    for path in sorted((folder / "log").glob("*.jsonl")):
        hour = json.loads(path.read_text().partition("\n")[0])["t"][:13]
        (folder / "log" / hour).mkdir(exist_ok=True)
        path.rename(folder / "log" / hour / path.name)
