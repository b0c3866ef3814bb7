"""What the page of health is told of loops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from driftline.agent.loop import Loop

pytestmark = pytest.mark.postgres


def loop_at(seconds: list[float], **settings) -> Loop:
    return Loop(
        name="watch shop",
        every=timedelta(minutes=1),
        clock=lambda: datetime(2026, 5, 1, tzinfo=UTC),
        monotonic=lambda: seconds[0],
        **settings,
    )


def test_a_loop_stuck_when_it_should_have_come_round():
    """Within its pause and patience a loop is fine, beyond them it is stuck, also before its first
    round.
    """
    now = [0.0]
    loop = loop_at(now, patience=900.0)
    assert not loop.stuck
    now[0] += 961
    assert loop.stuck
    loop.end_round()
    assert not loop.stuck


def test_a_step_may_take_its_own_time_and_no_more():
    """A listing of 15 minutes is fine; the step after it has a minute again."""
    now = [0.0]
    loop = loop_at(now)
    loop.begin_step("listing", 900.0)
    now[0] += 950
    assert not loop.stuck
    loop.begin_step("judging")
    now[0] += 61
    assert loop.reason == "watch shop has made no progress for 61 s: judging"
    loop.note_progress()
    assert not loop.stuck


def test_a_round_without_effect_is_not_ready_until_one_has():
    """The reason is shown, however fresh the loop is."""
    loop = loop_at([0.0])
    loop.end_round("the database is locked")
    assert (loop.stuck, loop.reason) == (True, "the database is locked")
    loop.begin_step("listing")
    assert loop.stuck, "the next round has committed nothing yet"
    loop.end_round()
    assert not loop.stuck


def test_a_loop_that_hangs_is_stuck_within_its_patience():
    """What is known to hang needs no wait."""
    loop = loop_at([0.0], find_hanging=lambda: ["shop.drift hangs"])
    assert (loop.stuck, loop.reason) == (True, "shop.drift hangs")


def test_a_loop_whose_thread_has_ended_is_stuck():
    """A thread that died makes no round, and needs no time to be missed."""
    assert loop_at([0.0], is_alive=lambda: False).reason == "watch shop has ended"
