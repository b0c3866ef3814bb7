"""Objectives of a service, and how fast their error budgets are used up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field, model_validator

from driftline import CheckContext, Measurement
from driftline.kit.checks import Settings, phrasing
from driftline.kit.checks.burn_rates import TABLE, BurnSpan, Calls, burn_rate, window_count
from driftline.kit.settings import Length

MEMORY = 5000
"""The most earlier windows that a burn rate is computed from."""


class LatencyObjective(Settings):
    """An objective for the latency of calls."""

    below: Length
    """The latency that is still good, such as `300ms`."""
    share: float = Field(gt=0, lt=100)
    """The least share of calls at or below it, in percent."""


class Objectives(Settings):
    """Service level objectives."""

    availability: float | None = Field(default=None, gt=0, lt=100)
    """The least share of calls that the service answers, in percent, such as 99.9."""
    latency: LatencyObjective | None = None
    """The objective for the latency: `{below: 300ms, share: 99}`."""
    days: float = Field(default=30, gt=0, le=366)
    """The days that an error budget is for. The factors of the table are those of 30 days."""

    @model_validator(mode="after")
    def _not_empty(self) -> Objectives:
        if self.availability is None and self.latency is None:
            raise ValueError("give availability, latency or both")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """The error budget of one objective."""

    objective: str
    measurement: str
    """The measurement whose history has the share of bad calls."""
    labels: Mapping[str, str]
    share: float
    """The share of calls that may be bad."""
    days: float


def measure_burn_rates(
    ctx: CheckContext, budget: ErrorBudget, current: tuple[int, int], reason: str
) -> Iterator[Measurement]:
    """Yield the burn rate of each row of the table."""
    start, end = ctx.current.start, ctx.current.end
    if not reason and (start is None or end is None):
        reason = "the window is no span of time"
    if not reason and not current[1]:
        reason = "no call of this window tells"
    if reason or start is None or end is None:
        for row in TABLE:
            yield _no_burn(row, budget, reason)
        return
    length = end - start
    count = min(MEMORY, window_count(length, max(row.long for row in TABLE)))
    past = ctx.history(budget.measurement, budget.labels, count)
    windows = [
        Calls(item.start, item.rows, round(item.value * item.rows))
        for item in past
        if item.start < start
    ]
    windows.append(Calls(start, current[1], current[0]))
    for row in TABLE:
        if window_count(length, row.long) > MEMORY:
            yield _no_burn(row, budget, f"{row.name} are more than {MEMORY:,} windows")
            continue
        yield _burn_measurement(row, budget, windows, length)


def _no_burn(row: BurnSpan, budget: ErrorBudget, reason: str) -> Measurement:
    labels = {"objective": budget.objective}
    return Measurement(None, labels, name=f"burn_rate_{row.name}", reason=reason)


def _burn_measurement(
    row: BurnSpan, budget: ErrorBudget, windows: Sequence[Calls], length: timedelta
) -> Measurement:
    burn = burn_rate(windows, length, row, budget.share)
    long = window_count(length, row.long) * length
    short = window_count(length, row.short) * length
    detail: dict[str, str | float | int | None] = {
        "failed": burn.failed,
        "budget": budget.share,
        "days": budget.days,
        "span": phrasing.duration(long.total_seconds()),
        "short_span": phrasing.duration(short.total_seconds()),
        "long_burn_rate": burn.long_rate,
        "short_burn_rate": burn.short_rate,
    }
    if burn.known < long:
        detail["known_span"] = phrasing.duration(burn.known.total_seconds())
    if "below" in budget.labels:
        detail["below"] = budget.labels["below"]
    return Measurement(
        burn.rate,
        {"objective": budget.objective},
        name=f"burn_rate_{row.name}",
        rows=burn.calls,
        # One failed call proves nothing: of 50 calls it would be a page.
        interval=(0.0, burn.rate) if burn.failures == 1 else None,
        detail=detail,
    )
