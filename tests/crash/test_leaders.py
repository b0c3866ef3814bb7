"""Several agents on one database: whatever befalls the one that leads, another takes over, and
nothing is lost or repeated.

`make soak` strikes 50 times (DRIFTLINE_STRIKES); the seconds until another agent leads are printed.
"""

from __future__ import annotations

import os
import random
import statistics
import time

import pytest
from cluster import Cluster, by_hour
from test_crash import assert_same
from world import COMPARED, build, receivers

from driftline.state.factory import open_store

pytestmark = [pytest.mark.slow, pytest.mark.system]

STRIKES = int(os.environ.get("DRIFTLINE_STRIKES", "5"))
HOWS = (
    ("kill", "freeze", "kill", "cut", "kill")
    if STRIKES < 10
    else ("kill",) * 4 + ("freeze",) + ("kill",) * 4 + ("cut",)
)
LIMIT = 15.0
"""Seconds within which another agent must lead."""


@pytest.fixture
def cluster(tmp_path, postgres):
    """Three agents, not started, in a world of one hour more than there will be strikes, and quiet
    ones at its end.
    """
    hours = STRIKES + 1
    hours += -hours % 6 + 1
    slack, pagerduty, webhook = receivers()
    with slack, pagerduty, webhook:
        world = build(tmp_path / "world", slack, pagerduty, webhook, hours * 6, 100, hours)
        by_hour(world.folder)
        made = Cluster(world, postgres.database("cluster"))
        yield made
        made.close()
        postgres.drop("cluster")


def state(url: str) -> dict:
    from database_dump import dump

    store = open_store(url, readonly=True)
    try:
        with store.read() as connection:
            found = dump(connection)
    finally:
        store.close()
    return {name: found[name] for name in COMPARED}


def test_agents_take_over_and_lose_or_repeat_nothing(cluster: Cluster, postgres, capsys):
    """The leader is killed, frozen or cut off while logs come: the end is that of one agent that
    was left alone.
    """
    cluster.add()
    cluster.wait_for(cluster.idle)
    assert cluster.stop() == [0]
    expected = state(cluster.url)
    cluster.world.assert_everyone_was_told(told(expected))
    cluster.close()

    cluster.world.forget()
    postgres.drop("cluster")
    again = Cluster(cluster.world, postgres.database("cluster"))
    try:
        struck(again, expected, capsys)
    finally:
        again.close()


def struck(cluster: Cluster, expected: dict, capsys) -> None:
    rng, seconds = random.Random(23), {"kill": [], "freeze": [], "cut": []}
    cluster.keep_hours_back()
    for _ in range(3):
        cluster.add()
    for strike in range(STRIKES):
        how = HOWS[strike % len(HOWS)]
        cluster.wait_for(cluster.leader)
        cluster.hour_comes()
        time.sleep(
            rng.uniform(0.0, 2.5)
        )  # wherever it is by then: listing, reading, judging or telling
        member, took = cluster.strike(how)
        seconds[how].append(took)
        cluster.restore(member, how)
    while cluster.hours:
        cluster.hour_comes()
    cluster.wait_for(cluster.idle)
    assert cluster.stop() == [0, 0, 0]
    with capsys.disabled():
        for how, took in seconds.items():
            if took:
                print(
                    f"\n{how}: {len(took)} times; median {statistics.median(took):.1f} s, longest {max(took):.1f} s",
                    end="",
                )
        print()
    assert_same(state(cluster.url), expected)
    cluster.world.assert_everyone_was_told(told(expected))
    assert max(map(max, filter(None, seconds.values()))) < LIMIT


def told(found: dict) -> list[dict]:
    """Id and state of every incident."""
    return [{"id": row[0], "state": row[3]} for row in found["incidents"]]
