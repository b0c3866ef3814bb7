"""What the page of health is told of loops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from driftline.agent.loop import Loop

pytestmark = pytest.mark.postgres


def test_a_loop_stuck_when_it_should_have_come_round():
    """Within its pause and patience a loop is fine, beyond them it is stuck, also before its first
    round.
    """
    now = [datetime(2026, 5, 1, tzinfo=UTC)]
    loop = Loop(
        name="watch shop",
        every=timedelta(minutes=1),
        clock=lambda: now[0],
        patience=timedelta(minutes=15),
        start_time=now[0],
    )
    assert not loop.stuck
    now[0] += timedelta(minutes=16, seconds=1)
    assert loop.stuck
    loop.beat = now[0]
    assert not loop.stuck


def test_a_loop_that_hangs_is_stuck_within_its_patience():
    """What is known to hang needs no wait."""
    now = datetime(2026, 5, 1, tzinfo=UTC)
    loop = Loop(
        name="deliver chat",
        every=timedelta(0),
        clock=lambda: now,
        patience=timedelta(minutes=5),
        beat=now,
        is_hanging=True,
    )
    assert loop.stuck
