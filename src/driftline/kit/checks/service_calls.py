"""What the calls of a window say about a service: its latencies, outcomes and costs.

All numbers merge, and give the same bytes in every order of merging.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from driftline import stats
from driftline.kit.checks.call_outcomes import Outcome
from driftline.kit.checks.collecting import ExactSum, LogHistogram

MISSING, NEGATIVE, NOT_A_NUMBER, UNREADABLE = FAULTS = (
    "missing",
    "negative",
    "not_a_number",
    "unreadable",
)
"""What can be wrong with a value."""


@dataclass(slots=True, kw_only=True)
class ColumnValues:
    """The values of one column of the service."""

    count: int = 0
    """Calls with a usable value."""
    unusable: dict[str, int] = field(default_factory=dict)
    """Calls without one, by what is wrong: a name of `FAULTS`."""
    histogram: LogHistogram = field(default_factory=LogHistogram)
    """The usable values; of latencies only."""
    total: ExactSum = field(default_factory=ExactSum)
    """Their sum; of costs only."""
    squares: ExactSum = field(default_factory=ExactSum)
    """The sum of their squares; of costs only."""

    def add_faults(self, **counts: int) -> None:
        """Add calls without a usable value."""
        for name, count in counts.items():
            if count:
                self.unusable[name] = self.unusable.get(name, 0) + count

    def merge(self, other: ColumnValues) -> None:
        """Add the values of `other`."""
        self.count += other.count
        self.add_faults(**other.unusable)
        self.histogram.merge(other.histogram)
        self.total.merge(other.total)
        self.squares.merge(other.squares)

    def reason(self, role: str) -> str:
        """Return why there is no number."""
        facts = [
            f"{count} {name.replace('_', ' ')}" for name, count in sorted(self.unusable.items())
        ]
        return f"no call has a usable {role}" + (f": {', '.join(facts)}" if facts else "")

    def mean_cost(self) -> stats.Estimate:
        """Return the mean with Student's 95% interval; the reason where no value is usable."""
        if not self.count:
            return stats.Estimate(None, reason=self.reason("cost"))
        mean, variance = self.total.value / self.count, None
        if self.count > 1:
            variance = max(self.squares.value - self.total.value * mean, 0.0) / (self.count - 1)
        return stats.mean_of_moments(mean, variance, self.count)

    def plain(self) -> tuple[object, ...]:
        """Return plain values to pack."""
        return (
            self.count,
            sorted(self.unusable.items()),
            self.histogram.cells(),
            self.total.partials(),
            self.squares.partials(),
        )

    @classmethod
    def from_plain(cls, content: tuple[int, list[tuple[str, int]], list[tuple[int, int]],
                                       list[float], list[float]]) -> ColumnValues:  # fmt: skip
        """Return the inverse of `plain`."""
        count, unusable, cells, total, squares = content
        return cls(
            count=count,
            unusable=dict(unusable),
            histogram=LogHistogram(dict(cells)),
            total=ExactSum(total),
            squares=ExactSum(squares),
        )


@dataclass(slots=True, kw_only=True)
class ServiceCalls:
    """What the calls of a window say about the service."""

    rows: int = 0
    latency: ColumnValues = field(default_factory=ColumnValues)
    status: ColumnValues = field(default_factory=ColumnValues)
    cost: ColumnValues = field(default_factory=ColumnValues)
    slow: dict[str, int] = field(default_factory=dict)
    """Calls whose latency is above a limit, by the limit."""
    outcomes: list[int] = field(default_factory=lambda: [0] * len(Outcome))
    """Calls by `Outcome`."""
    failed_statuses: dict[str, int] = field(default_factory=dict)
    """Calls that failed, by status: standard codes, and those of the options."""

    @property
    def errors(self) -> int:
        """Calls that failed or timed out."""
        return self.outcomes[Outcome.FAILURE] + self.outcomes[Outcome.TIMEOUT]

    @property
    def timeouts(self) -> int:
        """Calls that timed out."""
        return self.outcomes[Outcome.TIMEOUT]

    @property
    def answered(self) -> int:
        """Calls whose outcome is known."""
        return sum(self.outcomes) - self.outcomes[Outcome.UNKNOWN]

    @property
    def failures(self) -> list[tuple[str, int]]:
        """Statuses of failed calls, most frequent first."""
        return sorted(self.failed_statuses.items(), key=lambda item: (-item[1], item[0]))

    def merge(self, other: ServiceCalls) -> None:
        """Add the calls of `other`."""
        self.rows += other.rows
        self.latency.merge(other.latency)
        self.status.merge(other.status)
        self.cost.merge(other.cost)
        for limit, count in other.slow.items():
            self.slow[limit] = self.slow.get(limit, 0) + count
        for outcome in Outcome:
            self.outcomes[outcome] += other.outcomes[outcome]
        for status, count in other.failed_statuses.items():
            self.failed_statuses[status] = self.failed_statuses.get(status, 0) + count
