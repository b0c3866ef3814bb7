"""Shares of calls, and calls per second."""

from __future__ import annotations

from driftline import Measurement, Window, stats
from driftline.kit.checks.service_calls import ColumnValues, ServiceCalls


def measure_rate(
    name: str, hits: int, now: ServiceCalls, was_hits: int | None, before: ServiceCalls | None
) -> Measurement:
    """Return a share of the calls whose outcome is known."""
    calls, was = now.answered, None
    if before is not None and before.answered and was_hits is not None:
        was = was_hits / before.answered
    detail: dict[str, str | float | int | None] = {}
    if hits and now.failures:
        detail["most_frequent_status"] = now.failures[0][0]
    return Measurement(
        hits / calls if calls else None,
        name=name,
        rows=calls,
        interval=stats.wilson(hits, calls) if calls else None,
        was=was,
        reason="" if calls else now.status.reason("status"),
        unit="share",
        detail=detail,
    )


def measure_throughput(window: Window) -> Measurement:
    """Return the calls per second."""
    reason, value = "", None
    if window.log_end is not None:
        reason = f"the log ends in this window, at {window.log_end:%H:%M}"
    elif window.start is None or window.end is None or window.end <= window.start:
        reason = "the window is no span of time"
    else:
        value = window.rows / (window.end - window.start).total_seconds()
    return Measurement(value, name="throughput", rows=window.rows, reason=reason, unit="calls/s")


def measure_unusable(column: str, values: ColumnValues, rows: int) -> Measurement:
    """Return the share of calls without a usable value."""
    hits = sum(values.unusable.values())
    return Measurement(
        hits / rows if rows else None,
        {"column": column},
        name="unusable_rate",
        rows=rows,
        reason="" if rows else "no rows",
        unit="share",
        detail={name: count for name, count in values.unusable.items() if count},
    )
