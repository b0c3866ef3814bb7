"""A guarded call is timed and limited; a plugin that raises, hangs or returns nonsense costs only
itself.
"""

from __future__ import annotations

import sys
import threading
from datetime import timedelta

import numpy as np
import pytest

from driftline import Measurement, Rejected
from driftline.extensions import Guard, Overdue
from driftline.extensions import validate as measured_module
from driftline.testing import FakeClock
from driftline.types.errors import PluginError

NAN = float("nan")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def guard(clock):
    return Guard(clock)


def test_it_returns_what_the_plugin_returns(guard, clock):
    """A good call costs its time and nothing else; the time is counted."""

    def add(a, b):
        clock.advance(2)
        return a + b

    assert guard.call("k", add, 1, 2, timeout=5) == 3
    known = guard.calls()["k"]
    assert (known.calls, known.errors, known.seconds, known.overdue_since) == (1, 0, 2.0, None)


def test_an_exception_gets_a_name_and_a_place(clock):
    """What a plugin raises becomes a PluginError with key, kind, text and place; the cause is kept
    and told.
    """
    told = []
    guard = Guard(clock, lambda key, text: told.append((key, text)))

    def fail():
        raise ZeroDivisionError("oh")

    with pytest.raises(
        PluginError, match=r"^churn\.drift: ZeroDivisionError: oh \(.*test_plugin_guard\.py:\d+\)$"
    ) as caught:
        guard.call("churn.drift", fail, timeout=5)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert guard.calls()["churn.drift"].errors == 1
    assert told == [("churn.drift", str(caught.value))]


def test_the_contract_s_own_errors_pass(guard):
    """An error that has a meaning for the host arrives as it was raised."""

    def refuse():
        raise Rejected("no")

    with pytest.raises(Rejected, match="no"):
        guard.call("k", refuse, timeout=5)
    assert guard.calls()["k"].errors == 1


def test_sys_exit_costs_only_the_plugin(guard):
    """A plugin that wants to end the process ends its call."""
    with pytest.raises(PluginError, match="SystemExit"):
        guard.call("k", sys.exit, 3, timeout=5)


def test_a_hanging_call_is_left_and_not_started_again(guard, clock):
    """An overdue call is marked, nothing is started on top of it, other keys work, and once it
    ended so does its own.
    """
    release, ended = threading.Event(), threading.Event()
    starts = []

    def hang():
        starts.append(1)
        release.wait(10)
        clock.advance(100)
        ended.set()

    with pytest.raises(Overdue, match="has not answered"):
        guard.call("k", hang, timeout=0.01)
    assert guard.calls()["k"].overdue_since == clock.now()
    with pytest.raises(Overdue, match="not called again"):
        guard.call("k", hang, timeout=0.01)
    assert guard.call("other", lambda: 1, timeout=5) == 1
    assert len(starts) == 1
    release.set()
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "plugin-k":
            thread.join(10)
    assert guard.calls()["k"].overdue_since is None
    assert guard.calls()["k"].seconds == 100.0
    assert guard.call("k", lambda: 2, timeout=5) == 2


def test_calls_side_by_side(guard):
    """Two calls of one key may run at a time as long as neither is overdue."""
    both = threading.Barrier(2, timeout=10)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(guard.call("k", both.wait, timeout=10)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(found) == [0, 1]


def test_measurements_become_plain_numbers(guard):
    """Numbers of numpy arrive as plain ones."""
    item = Measurement(
        np.float32(0.5),
        {"column": "a"},
        name="x",
        rows=np.int64(7),
        interval=(np.float64(0), 1),
        was=1,
        detail={"n": np.float64(2)},
    )
    [found] = guard.collect("k", lambda ctx: iter([item]), None, timeout=5)
    assert [type(part) for part in (found.value, found.rows, found.interval[0], found.was, found.detail["n"])] == [
        float, int, float, float, float,
    ]  # fmt: skip
    assert found == item


@pytest.mark.parametrize(
    ("items", "word"),
    [
        (None, "returned NoneType instead of measurements"),
        (0.5, "returned float"),
        (Measurement(1.0), "returned Measurement"),
        ([0.5], "yielded float instead of a Measurement"),
        ([None], "yielded NoneType"),
        ([Measurement(NAN)], "value is nan"),
        ([Measurement(float("inf"))], "value is inf"),
        ([Measurement("0.5")], "value is str, not a number"),
        ([Measurement(True)], "value is bool"),
        ([Measurement(1j)], "value is complex"),
        ([Measurement(1.0, {"column": 3})], "labels map text to text"),
        ([Measurement(1.0, ["column"])], "labels map text to text"),
        ([Measurement(1.0, name=3)], "name of a measurement is int"),
        ([Measurement(1.0, rows=-1)], "rows is no count"),
        ([Measurement(1.0, rows=1.5)], "rows is no count"),
        ([Measurement(1.0, interval=(2.0, 1.0))], "ends before it begins"),
        ([Measurement(1.0, interval=(0.0, NAN))], "interval is nan"),
        ([Measurement(1.0, interval=5)], "interval is two numbers"),
        ([Measurement(1.0, p_value=1.5)], "p_value lies outside"),
        ([Measurement(1.0, was=NAN)], "was is nan"),
        (
            [Measurement(1.0, decision="panic")],
            "a decision is one of keep, watch, recalibrate, retrain, roll_back, promote",
        ),
        ([Measurement(1.0, detail={"mean": NAN})], "detail 'mean' is nan"),
        (
            [Measurement(1.0, {"a": "b"}, name="x"), Measurement(2.0, {"a": "b"}, name="x")],
            "twice with a=b",
        ),
    ],
)
def test_nonsense_is_told(guard, items, word):
    """Each kind of wrong measurement is an error of the check that says what is wrong."""
    with pytest.raises(PluginError, match=r"^k: ") as caught:
        guard.collect("k", lambda ctx: items, None, timeout=5)
    assert word in str(caught.value)


def test_raising_half_way(guard):
    """A check that raises after its first measurement gives none: half an answer would look like a
    whole one.
    """

    def half(ctx):
        yield Measurement(1.0, name="a")
        raise KeyError("column")

    with pytest.raises(PluginError, match="KeyError"):
        guard.collect("k", half, None, timeout=5)


def test_an_endless_check(guard, monkeypatch):
    """A check that never ends is stopped by the bound on measurements."""
    monkeypatch.setattr("driftline.extensions.guard.MOST", 50)
    assert measured_module.MOST > 50

    def endless(ctx):
        number = 0
        while True:
            number += 1
            yield Measurement(1.0, {"n": str(number)})

    with pytest.raises(PluginError, match="more than 50 measurements"):
        guard.collect("k", endless, None, timeout=10)


def test_an_overdue_check_stops_at_its_next_measurement(guard):
    """Once nobody waits, the rest is not computed."""
    release, reached = threading.Event(), []

    def slow(ctx):
        release.wait(10)
        for number in range(3):
            reached.append(number)
            yield Measurement(1.0, {"n": str(number)})

    with pytest.raises(Overdue):
        guard.collect("k", slow, None, timeout=0.01)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "plugin-k":
            thread.join(10)
    assert reached == [0]


def test_time_is_the_guards_clock(guard, clock):
    """Seconds are told by the clock that was handed in."""
    guard.call("k", lambda: clock.advance(timedelta(minutes=1)), timeout=5)
    assert guard.calls()["k"].seconds == 60.0
