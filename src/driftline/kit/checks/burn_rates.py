"""How fast calls use up the error budget of an objective: burn rates over two spans each.

Source: Google, The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
Does not know what a failed call is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnSpan:
    """A row of the published table: its alert needs the rate in both spans."""

    name: str
    """The name of the long span, such as `1h`."""
    long: timedelta
    short: timedelta
    factor: float
    """The burn rate above which the row alerts."""


TABLE = (
    BurnSpan(name="1h", long=timedelta(hours=1), short=timedelta(minutes=5), factor=14.4),
    BurnSpan(name="6h", long=timedelta(hours=6), short=timedelta(minutes=30), factor=6.0),
    BurnSpan(name="3d", long=timedelta(days=3), short=timedelta(hours=6), factor=1.0),
)
"""For a budget of 30 days: the first two rows are pages, the last one is a ticket."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one window."""

    start: datetime
    calls: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """How fast the budget is used up; 1 uses it up exactly at the end of its period."""

    rate: float
    """The smaller rate of the two spans."""
    long_rate: float
    short_rate: float
    calls: int
    """The calls of the long span."""
    failures: int
    """The calls of the long span that failed."""
    failed: float
    """The share of them that failed, with the time that is not known."""
    known: timedelta
    """How much of the long span has windows."""


def burn_rate(
    windows: Sequence[Calls], length: timedelta, span: BurnSpan, budget: float
) -> BurnRate:
    """Return the burn rate at the end of the last of `windows`.

    Arguments: windows of `length`, oldest first and not empty, and `budget`, the share of calls
    that may fail, above 0. Spans are whole windows, at least one. The time before the first window
    counts as having as many calls, and none that failed: a service that has just started burns no
    more than is known.
    """
    long_share, calls, failures, known = _share(windows, length, span.long)
    short_share, *_ = _share(windows, length, span.short)
    # A rate of exactly the factor does not alert, whatever the rounding of the budget.
    rates = round(long_share / budget, 9), round(short_share / budget, 9)
    return BurnRate(
        rate=min(rates),
        long_rate=rates[0],
        short_rate=rates[1],
        calls=calls,
        failures=failures,
        failed=long_share,
        known=known,
    )


def window_count(length: timedelta, span: timedelta) -> int:
    """Return the windows of `length` that a span has, at least one."""
    return max(1, -(-span // length))


def _share(
    windows: Sequence[Calls], length: timedelta, span: timedelta
) -> tuple[float, int, int, timedelta]:
    """Return the share of calls that failed, the calls, the failed ones, and the known time."""
    whole = window_count(length, span) * length
    end = windows[-1].start + length
    newest = [window for window in windows if window.start >= end - whole]
    calls = sum(window.calls for window in newest)
    failed = sum(window.failed for window in newest)
    known = min(whole, end - windows[0].start)
    return (failed / calls if calls else 0.0) * (known / whole), calls, failed, known
