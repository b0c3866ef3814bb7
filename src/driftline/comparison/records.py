"""The records of a comparison: one for each column, the most important first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from driftline.types.model import Verdict

NO_PAST = (
    "Two tables have no past: a verdict comes from the size of a difference and its 95% interval, "
    "not from what is usual."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measurement of a comparison, with its verdict and its sentence."""

    check: str
    measurement: str
    labels: Mapping[str, str]
    """What the number is about, such as the column and the segment."""
    verdict: str
    """`changed`, `unsure`, `ok` or `error`."""
    severity: str
    """`info`, `warning` or `critical` of a change; empty for every other verdict."""
    value: float | None
    was: float | None
    """The same number of the reference."""
    interval: tuple[float, float] | None
    """Where the true value lies with 95% confidence."""
    unit: str
    rows: int
    """The rows behind the number."""
    size: float
    """The difference as a share of one that is a change for sure; 0 where none is sure."""
    reason: str
    """Why the verdict is what it is, for people; may be empty."""
    text: str
    """The finding as the agent words it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The rows of both tables in one range of numbers or one category, as shares."""

    name: str
    reference: float
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnComparison:
    """One column of both tables."""

    name: str
    """The column; empty for what is about all rows, such as a metric of the model."""
    kind: str
    """`numeric`, `categorical` and so on; empty where no kind fits."""
    verdict: str
    """`changed` when a measurement changed, else `unsure` when one is, else `ok`."""
    size: float
    """The largest difference of its measurements, see `Finding.size`."""
    text: str
    """What changed, how much, and the interval, in one line; empty where nothing differs."""
    findings: tuple[Finding, ...]
    """Its measurements that a rule judges, the most important first."""
    bars: tuple[Bar, ...] = ()
    """How the values are spread in both tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecords:
    """All that a comparison of two tables found."""

    reference: str
    """The name of the reference table."""
    current: str
    reference_rows: int
    current_rows: int
    columns: tuple[ColumnComparison, ...]
    """One record for each compared column, the most important first."""
    model: tuple[ColumnComparison, ...] = ()
    """What is about all rows: the metrics of the model, where labels and outputs are known."""
    segments: tuple[ColumnComparison, ...] = ()
    """Columns that changed within a segment."""
    added: tuple[str, ...] = ()
    """Columns that only the current table has."""
    removed: tuple[str, ...] = ()
    """Columns that only the reference has."""
    left_out: tuple[str, ...] = ()
    """Columns of both that were not compared, such as ids and times."""
    notes: tuple[str, ...] = ()
    """What a person should know or check: guesses, records that could not be read."""

    terms: Mapping[str, str] = field(default_factory=dict)
    """What the names of the numbers in the texts mean, by name."""

    @property
    def changed(self) -> tuple[ColumnComparison, ...]:
        """The records that changed: of all rows, of columns, and within segments."""
        return tuple(
            record
            for record in (*self.model, *self.columns, *self.segments)
            if record.verdict == Verdict.CHANGED
        )

    @property
    def is_changed(self) -> bool:
        """Whether a column, a metric or a segment changed, or a column was added or removed."""
        return bool(self.changed or self.added or self.removed)

    @property
    def headline(self) -> str:
        """The result in one sentence."""
        total = len(self.columns)
        changed = [record for record in self.columns if record.verdict == Verdict.CHANGED]
        unsure = sum(record.verdict == Verdict.UNSURE for record in self.columns)
        parts = [f"{len(changed)} of {total} column{'' if total == 1 else 's'} changed"]
        parts += [f"{unsure} unsure"] if unsure else []
        parts += [f"{len(self.removed)} removed"] if self.removed else []
        parts += [f"{len(self.added)} added"] if self.added else []
        metrics = [record for record in self.model if record.verdict == Verdict.CHANGED]
        if metrics:
            parts.append(f"{len(metrics)} metric{'' if len(metrics) == 1 else 's'} changed")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {"headline": self.headline, "basis": NO_PAST, **asdict(self)}
