"""The windows before one, kept while the windows of a backlog are judged."""

from __future__ import annotations

from datetime import UTC, datetime

from driftline.agent.window_cache import WindowCache
from driftline.profiles.window import Window
from driftline.types.records import DueWindow, WindowKey

HOUR = 3_600_000_000


def due(hour: int, version: str = "") -> DueWindow:
    key = WindowKey("m", hour * HOUR, version, "")
    return DueWindow(key=key, end=(hour + 1) * HOUR, rows=2, revision=0)


def test_a_judged_window_is_not_loaded_again_and_keeps_what_checks_derived():
    loaded: list[int] = []

    def load(key, end):
        loaded.append(key.start // HOUR)
        return Window(rows=1)

    cache = WindowCache()
    assert len(cache.load(due(5), 2, load)) == 2
    judged = Window(rows=7, joined=3, log_end=datetime(2026, 1, 1, tzinfo=UTC))
    judged.derived["check", "sums"] = 42
    cache.add(due(5).key, judged)
    newest = cache.load(due(6), 2, load)[-1]
    assert loaded == [3, 4]
    assert (newest.rows, newest.derived["check", "sums"]) == (7, 42)
    assert (newest.joined, newest.log_end) == (0, None)


def test_windows_that_no_check_asks_for_are_not_kept():
    cache = WindowCache()
    cache.load(due(5, "a"), 1, lambda key, end: Window(rows=1))
    cache.add(due(5, "b").key, Window(rows=7))
    rows = [w.rows for w in cache.load(due(6, "b"), 1, lambda key, end: Window(rows=1))]
    assert rows == [1]
