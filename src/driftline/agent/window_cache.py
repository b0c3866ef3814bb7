"""Keeps the newest windows that checks asked for, so that each is loaded once in a closing pass.

Rows that come in between are not seen: use a new cache for each pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from driftline.profiles.window import Window
from driftline.types.records import DueWindow, WindowKey

MOST_KEPT = 64
"""Windows that are held, of all versions and segments."""


@dataclass(frozen=True, slots=True)
class WindowCache:
    """Windows by key; the ones that were asked for longest ago are dropped first."""

    _windows: OrderedDict[WindowKey, Window] = field(default_factory=OrderedDict)
    _series: set[tuple[str, str]] = field(default_factory=set)
    """Version and segment of the windows that checks ask for."""

    def add(self, key: WindowKey, window: Window) -> None:
        """Keep a window that was judged, with what checks derived from it, for those after it."""
        if (key.version, key.segment) in self._series:
            self._windows[key] = replace(
                window, last_seen=window.last_event, joined=0, log_end=None, reread=None
            )
            self._windows.move_to_end(key)

    def load(
        self, due: DueWindow, count: int, load_window: Callable[[WindowKey, int], Window]
    ) -> Sequence[Window]:
        """The windows with rows among the `count` spans before `due`, oldest first.

        `load_window` gets a key and the end of its window, in microseconds.
        """
        length = due.end - due.key.start
        if length <= 0:
            return ()
        self._series.add((due.key.version, due.key.segment))
        earlier = []
        for place in range(count, 0, -1):
            start = due.key.start - place * length
            key = replace(due.key, start=start)
            if key not in self._windows:
                self._windows[key] = load_window(key, start + length)
            self._windows.move_to_end(key)
            earlier.append(self._windows[key])
        while len(self._windows) > max(MOST_KEPT, count):
            self._windows.popitem(last=False)
        return [window for window in earlier if window.rows]
