"""The collector of expressions: what conditions and calculations on each row come to.

Refuses to fail on a row: an expression that the columns have no answer for is unknown for all of
them, with the reason.
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


@dataclass(frozen=True, slots=True)
class Tally:
    """What one expression came to over the rows of a window: true or false of a condition, moments
    of a calculation.
    """

    rows: int = 0
    true: int = 0
    false: int = 0
    count: int = 0
    """Rows for which a calculation has a result, finite and at most 1e150 in size."""
    mean: float | None = None
    variance: float | None = None
    """With ddof 1; None below two results."""
    reason: str = ""
    """Why these columns have no answer; then all rows are unknown."""

    @property
    def unknown(self) -> int:
        """Rows without an answer, because a value that decides is missing."""
        return self.rows - self.true - self.false - self.count


class _Count:
    __slots__ = ("count", "false", "square", "total", "true")

    def __init__(self) -> None:
        self.true = self.false = self.count = 0
        self.total, self.square = ExactSum(), ExactSum()

    def add(self, answers: pa.Array) -> None:
        import pyarrow as pa

        known = answers.drop_null()
        if pa.types.is_boolean(known.type):
            true = int(known.true_count)
            self.true += true
            self.false += len(known) - true
            return
        values = known.to_numpy(zero_copy_only=False)
        values = values[np.abs(values) <= LARGEST]
        self.count += len(values)
        self.total.add(float(values.sum()))
        self.square.add(float((values * values).sum()))

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
        return Tally(rows, self.true, self.false, n, mean, variance, reason)


class ExpressionCollector(Collector):
    """Looks at the expressions that checks told it, row by row."""

    name = "expressions"

    def __init__(self, spec: ProfileSpec) -> None:
        self._spec = spec
        self._rows = 0
        self._counts = {text: _Count() for text in spec.options.get(self.name, ())}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """No rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Asks every expression of every row."""
        self._rows += batch.rows
        for text, answers in self._answers(batch):
            if not isinstance(answers, str):
                self._counts[text].add(answers)

    def _answers(self, batch: Batch) -> Iterator[tuple[str, pa.Array | str]]:
        """Each expression with its answers, or with the reason why there are none."""
        rows = expression_rows(batch, self._spec)
        for text in self._counts:
            try:
                yield text, rows.evaluate(parse(text))
            except ValueError as error:
                yield text, str(error)

    def merge(self, other: Self) -> None:
        """Adds counts; sums exactly."""
        self._rows += other._rows
        for text, count in self._counts.items():
            count.merge(other._counts[text])

    def summary(self) -> dict[str, Tally]:
        """By the text of the expression."""
        why = {
            text: found if isinstance(found, str) else ""
            for text, found in self._answers(Batch(0, {}))
        }
        return {text: count.tally(self._rows, why[text]) for text, count in self._counts.items()}

    def to_bytes(self) -> bytes:
        """Canonical."""
        counts = [
            (c.true, c.false, c.count, c.total.partials(), c.square.partials())
            for c in self._counts.values()
        ]
        return pack((self._rows, counts))

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse."""
        made = cls(spec)
        made._rows, counts = unpack(data)
        for c, (true, false, count, total, square) in zip(
            made._counts.values(), counts, strict=True
        ):
            c.true, c.false, c.count, c.total, c.square = (
                true,
                false,
                count,
                ExactSum(total),
                ExactSum(square),
            )
        return made


def expression_rows(batch: Batch, spec: ProfileSpec) -> ExpressionRows:
    """A batch as expressions see it: `present()` is about all columns but the label."""
    kinds = {
        name: Kind.NUMERIC if isinstance(c, NumericSpec) else Kind.CATEGORICAL
        for name, c in spec.columns.items()
    }
    return ExpressionRows(batch, kinds, [name for name in kinds if name != spec.label])


def misfit_reason(text: str, kinds: Mapping[str, Kind]) -> str:
    """Why columns of these kinds have no answer for an expression; empty when they have."""
    try:
        ExpressionRows(Batch(0, {}), kinds, list(kinds)).evaluate(parse(text))
    except UnsuitableColumns as error:
        return str(error)
    return ""
