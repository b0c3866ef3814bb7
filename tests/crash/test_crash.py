"""SIGKILL at any moment changes nothing of what is stored in the end, and of what people are told.

`make soak` runs the same with DRIFTLINE_KILLS=200 over 1,000 objects.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time

import pytest
from world import World, build, receivers

pytestmark = pytest.mark.system

KILLS = int(os.environ.get("DRIFTLINE_KILLS", "12"))
OBJECTS = 1000 if KILLS >= 200 else 150
PER_RUN = 4


def assert_same(found: dict, expected: dict) -> None:
    """Byte for byte; says which table differs where."""
    for name, rows in expected.items():
        assert len(found[name]) == len(rows), (
            f"{name}: {len(found[name])} rows instead of {len(rows)}"
        )
        for mine, theirs in zip(found[name], rows, strict=True):
            assert mine == theirs, f"{name} differs"


@pytest.fixture
def world(tmp_path):
    slack, pagerduty, webhook = receivers()
    with slack, pagerduty, webhook:
        yield build(
            tmp_path / "world", slack, pagerduty, webhook, OBJECTS, 20 if OBJECTS == 1000 else 40
        )


@pytest.mark.slow
def test_kill_at_random_moments_changes_nothing(world: World):
    """However often the agent is killed, the state ends byte for byte as if it had not been, and
    everyone was told once.
    """
    began = time.monotonic()
    summary = world.run()
    length = time.monotonic() - began
    incidents = summary["models"]["shop"]["incidents"]
    assert summary["models"]["shop"]["rows"] == OBJECTS * (20 if OBJECTS == 1000 else 40)
    world.assert_everyone_was_told(incidents)
    expected = world.state()
    rng = random.Random(11)
    killed = 0
    while killed < KILLS:
        world.forget()
        for _ in range(PER_RUN):
            killed += world.kill_after(rng.uniform(0.3, length))
        again = world.run()
        assert again["models"]["shop"]["rows"] == summary["models"]["shop"]["rows"]
        assert again["models"]["shop"]["verdicts"] == summary["models"]["shop"]["verdicts"]
        assert_same(world.state(), expected)
        world.assert_everyone_was_told(again["models"]["shop"]["incidents"])


def test_kill_at_every_sync_changes_nothing(tmp_path):
    """A death right at the Nth sync of the database, for some N of a short run (every N in `make soak`),
    loses and repeats nothing.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not here; `.ci/run` installs it")
    slack, pagerduty, webhook = receivers()
    with slack, pagerduty, webhook:
        world = build(tmp_path / "world", slack, pagerduty, webhook, 30, 60)
        summary = world.run()
        expected = world.state()
        world.forget()
        traced = subprocess.run(
            ["strace", "-f", "-e", "trace=fdatasync,fsync", "-o", str(tmp_path / "trace"), *world.command()],
            env=world.environment(), capture_output=True, timeout=240,
        )  # fmt: skip
        assert traced.returncode in (0, 1), traced.stderr.decode()
        syncs = len(re.findall(r"(?:fdatasync|fsync)\(", (tmp_path / "trace").read_text()))
        assert syncs > 10
        stride = 1 if KILLS >= 200 else max(1, syncs // 2)
        for number in range(1, syncs + 1, stride):
            world.forget()
            inject = ["-e", f"inject=fdatasync,fsync:signal=KILL:when={number}"]
            subprocess.run(
                ["strace", "-f", "-e", "trace=fdatasync,fsync", *inject, "-o", "/dev/null", *world.command()],
                env=world.environment(), capture_output=True, timeout=240,
            )  # fmt: skip
            again = world.run()
            assert_same(world.state(), expected)
            world.assert_everyone_was_told(again["models"]["shop"]["incidents"])
        assert summary["models"]["shop"]["incidents"]
