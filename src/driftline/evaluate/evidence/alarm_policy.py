"""The policy of alarms: how many false ones are accepted, and what that means for a window length.

Does not judge.
"""

from __future__ import annotations

from dataclasses import dataclass

from driftline.evaluate.evidence.trail import Trail
from driftline.types.times import DAY_MICROS, HOUR_MICROS

YEAR = 365.25 * DAY_MICROS
LAG, LAG_DAYS = 14, 3
"""Newest windows that are not in the baseline: a change is found before it would enter it.

The days hold for windows shorter than a day.
"""
MIN_WINDOWS, MIN_LONG_WINDOWS, MIN_DAYS = 28, 20, 14
"""The fewest baseline windows; the fewest of windows longer than a day; the fewest days.

The days hold for windows shorter than a day.
"""
MAX_WINDOWS, MAX_SHORT_WINDOWS, MAX_WEEKS = 120, 4032, 8
"""The most baseline windows; the most of windows shorter than a day; the weeks these may span."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """The length of the windows and the accepted rate of false alarms."""

    length: int
    """Length of a window, microseconds."""
    false_pages_per_year: float = 1.0
    baseline_lifetime: int = 0
    """Microseconds for which a baseline is used again, when that is longer than the default."""
    joins_windows: bool = False
    """Whether several windows of this length are judged as one, so that a day has fewer."""

    @property
    def refresh_interval(self) -> int:
        """Microseconds for which a baseline is used again; 0 makes one for every window."""
        return max(self.baseline_lifetime, DAY_MICROS if self.length < DAY_MICROS else 0)

    @property
    def has_day_blocks(self) -> bool:
        """Whether a block is a day of several windows."""
        return self.length < DAY_MICROS

    @property
    def block_length(self) -> int:
        """Length of a block, microseconds."""
        return max(self.length, DAY_MICROS)

    def block_start(self, start: int) -> int:
        """Start of the block of the window at `start`, microseconds."""
        return start // DAY_MICROS * DAY_MICROS if self.has_day_blocks else start

    def planned_windows(self, block: int, until: int | None = None) -> int:
        """Number of windows that begin in the block that starts at `block`.

        With `until`, microseconds, of those that begin before it.
        """
        if not self.has_day_blocks:
            return 1
        end = block + DAY_MICROS if until is None else until
        return -(-end // self.length) - -(-block // self.length)

    @property
    def day_windows(self) -> int:
        """Number of windows in 24 hours, at least 1."""
        return max(1, DAY_MICROS // self.length)

    @property
    def short_windows(self) -> int:
        """Number of windows in three hours, at least 1; they show that a change is not over."""
        return max(1, 3 * HOUR_MICROS // self.length)

    @property
    def alarm_threshold(self) -> float:
        """Blocks per false page: the sum of weighted totals that raises an alarm."""
        return YEAR / self.block_length / self.false_pages_per_year

    @property
    def max_windows(self) -> int:
        """The most windows of a baseline."""
        if self.length >= DAY_MICROS:
            return MAX_WINDOWS
        return max(MAX_WINDOWS, min(MAX_SHORT_WINDOWS, MAX_WEEKS * 7 * DAY_MICROS // self.length))

    @property
    def min_windows(self) -> int:
        """The fewest windows of a baseline; with fewer, streams are not judged by their past."""
        if self.length > DAY_MICROS:
            return MIN_LONG_WINDOWS
        if self.length == DAY_MICROS or self.joins_windows:
            return MIN_WINDOWS
        return min(max(MIN_WINDOWS, -(-MIN_DAYS * DAY_MICROS // self.length)), self.max_windows)

    def make_trail(self) -> Trail:
        """An empty trail."""
        lag = LAG_DAYS * DAY_MICROS // self.length if self.has_day_blocks else LAG
        return Trail(self.length, self.max_windows, lag)
