"""The collector of expressions: tallies of conditions and calculations on each row.

Does not fail on a row: an expression that the columns do not suit is unknown for all rows, with the
reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from driftline.profiles.batch import Batch
from driftline.profiles.collector import Collector
from driftline.profiles.exact import ExactSum
from driftline.profiles.language import parse
from driftline.profiles.numeric import LARGEST
from driftline.profiles.packing import pack, unpack
from driftline.profiles.rowwise import ExpressionRows, UnsuitableColumns
from driftline.profiles.spec import NumericSpec, ProfileSpec
from driftline.types.model import Kind

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The results of one expression over the rows of a window."""

    rows: int = 0
    true: int = 0
    """Rows for which a condition is true."""
    false: int = 0
    """Rows for which a condition is false."""
    count: int = 0
    """Rows for which a calculation has a result, finite and at most 1e150 in size."""
    mean: float | None = None
    variance: float | None = None
    """With ddof 1; None below two results."""
    reason: str = ""
    """Why the columns do not suit the expression; then all rows are unknown."""

    @property
    def unknown(self) -> int:
        """Rows without a result, because a value that decides is missing."""
        return self.rows - self.true - self.false - self.count


class _Count:
    __slots__ = ("count", "false", "square", "total", "true")

    def __init__(self) -> None:
        self.true = self.false = self.count = 0
        self.total, self.square = ExactSum(), ExactSum()

    def add(self, answers: pa.Array) -> None:
        import pyarrow as pa

        values = answers.drop_null()
        if pa.types.is_boolean(values.type):
            true = int(values.true_count)
            self.true += true
            self.false += len(values) - true
            return
        numbers = values.to_numpy(zero_copy_only=False)
        numbers = numbers[np.abs(numbers) <= LARGEST]
        self.count += len(numbers)
        self.total.add(float(numbers.sum()))
        self.square.add(float((numbers * numbers).sum()))

    def merge(self, other: _Count) -> None:
        self.true += other.true
        self.false += other.false
        self.count += other.count
        self.total.merge(other.total)
        self.square.merge(other.square)

    def tally(self, rows: int, reason: str) -> Tally:
        n, mean, variance = self.count, None, None
        if n:
            mean = self.total.value / n
        if mean is not None and n > 1:
            variance = max(self.square.value - self.total.value * mean, 0.0) / (n - 1)
        return Tally(
            rows=rows,
            true=self.true,
            false=self.false,
            count=n,
            mean=mean,
            variance=variance,
            reason=reason,
        )


class ExpressionCollector(Collector):
    """Evaluates the expressions that checks request in `Check.collector_options`, row by row."""

    name = "expressions"

    def __init__(self, spec: ProfileSpec) -> None:
        self._spec = spec
        self._rows = 0
        self._counts = {text: _Count() for text in spec.options.get(self.name, ())}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch: evaluates every expression on them."""
        self._rows += batch.rows
        for text, answers in self._answers(batch):
            if not isinstance(answers, str):
                self._counts[text].add(answers)

    def _answers(self, batch: Batch) -> Iterator[tuple[str, pa.Array | str]]:
        """Each expression with its results, or with the reason why there are none."""
        rows = expression_rows(batch, self._spec)
        for text in self._counts:
            try:
                yield text, rows.evaluate(parse(text))
            except ValueError as error:
                yield text, str(error)

    def merge(self, other: Self) -> None:
        """Add the counts and exact sums of `other`."""
        self._rows += other._rows
        for text, count in self._counts.items():
            count.merge(other._counts[text])

    def summary(self) -> dict[str, Tally]:
        """The tallies by text of the expression."""
        reasons = {
            text: answers if isinstance(answers, str) else ""
            for text, answers in self._answers(Batch(rows=0, columns={}))
        }
        return {
            text: count.tally(self._rows, reasons[text]) for text, count in self._counts.items()
        }

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        counts = [
            (c.true, c.false, c.count, c.total.partials(), c.square.partials())
            for c in self._counts.values()
        ]
        return pack((self._rows, counts))

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls(spec)
        collector._rows, counts = unpack(data)
        for c, (true, false, count, total, square) in zip(
            collector._counts.values(), counts, strict=True
        ):
            c.true, c.false, c.count, c.total, c.square = (
                true,
                false,
                count,
                ExactSum(total),
                ExactSum(square),
            )
        return collector


def expression_rows(batch: Batch, spec: ProfileSpec) -> ExpressionRows:
    """The rows of a batch for expressions; `present()` checks all columns but the label."""
    kinds = {
        name: Kind.NUMERIC if isinstance(c, NumericSpec) else Kind.CATEGORICAL
        for name, c in spec.columns.items()
    }
    return ExpressionRows(batch, kinds, [name for name in kinds if name != spec.label])


def misfit_reason(text: str, kinds: Mapping[str, Kind]) -> str:
    """Why columns of these kinds do not suit an expression; empty when they do."""
    try:
        ExpressionRows(Batch(rows=0, columns={}), kinds, list(kinds)).evaluate(parse(text))
    except UnsuitableColumns as error:
        return str(error)
    return ""
