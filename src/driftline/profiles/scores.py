"""The collector of scores: what every performance metric comes from, as sums that merge.

Refuses rows without a label or without a usable prediction: they are counted, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.collector import Collector
from driftline.profiles.counting import BoundedCounter
from driftline.profiles.exact import ExactSum
from driftline.profiles.numeric import LARGEST, cells
from driftline.profiles.packing import pack, pack_counts, unpack, unpack_counts
from driftline.profiles.spec import NumericSpec, ProfileSpec
from driftline.profiles.window import Floats, RegressionSums, Scores, ScoreSums
from driftline.types.model import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.batch import Batch, LabelledRows

Mask = NDArray[np.bool_]
CLIP = 1e-15
SCORE_SUMS = ("brier", "brier2", "log_loss", "log_loss2", "score")
REGRESSION_SUMS = ("e", "abs_e", "e2", "e4", "abs_y", "y", "y2")
BETWEEN = "\x1f"


class ScoreCollector(Collector):
    """Joint counts of score and label, confusion counts, and sums of losses."""

    name = "scores"

    def __init__(self, spec: ProfileSpec) -> None:
        self._spec = spec
        score = spec.columns.get(spec.score or "")
        self._edges: Floats = score.edges if isinstance(score, NumericSpec) else np.empty(0)
        label = spec.columns.get(spec.label or "")
        self._centre = label.centre if isinstance(label, NumericSpec) else 0.0
        self._rows = self._labelled = self._scored = 0
        self._confusion = BoundedCounter()
        self._negatives = np.zeros(2 * len(self._edges) + 1, np.int64)
        self._positives = np.zeros(2 * len(self._edges) + 1, np.int64)
        names = REGRESSION_SUMS if spec.task is Task.REGRESSION else SCORE_SUMS
        self._sums = {name: ExactSum() for name in names}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """No rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Takes in the rows with a prediction; sums over those with a label."""
        spec = self._spec
        prediction, score, label = (
            batch.columns.get(name) if name else None
            for name in (spec.prediction, spec.score, spec.label)
        )
        if spec.task is None or (prediction is None and score is None):
            return
        if spec.task is Task.REGRESSION:
            self._regression(prediction, label)
        elif spec.task is Task.MULTICLASS:
            self._multiclass(prediction, label)
        else:
            self._binary(batch.rows, prediction, score, label)

    def label(self, labelled: LabelledRows) -> None:
        """Takes in what `update` saw without a label: the rows are counted already."""
        rows = self._rows
        self.update(labelled.batch)
        self._rows = rows

    def _regression(self, prediction: pa.Array, label: pa.Array | None) -> None:
        p, usable = _numbers(prediction)
        self._rows += int(usable.sum())
        if label is None:
            return
        y, known = _numbers(label)
        both = usable & known
        p, y = p[both], y[both]
        self._labelled += len(y)
        e, off = p - y, y - self._centre
        square = e * e
        parts = (e, np.abs(e), square, square * square, np.abs(y), off, off * off)
        self._add(REGRESSION_SUMS, parts)

    def _multiclass(self, prediction: pa.Array | None, label: pa.Array | None) -> None:
        if prediction is None:
            return
        usable = _valid(prediction)
        self._rows += int(usable.sum())
        if label is None:
            return
        both = usable & _valid(label)
        self._labelled += int(both.sum())
        wide = max(len(prediction.dictionary), 1)
        pairs = _codes(label)[both] * wide + _codes(prediction)[both]
        seen, counts = np.unique(pairs, return_counts=True)
        actual, said = label.dictionary.to_pylist(), prediction.dictionary.to_pylist()
        names = (f"{actual[pair // wide]}{BETWEEN}{said[pair % wide]}" for pair in seen.tolist())
        self._confusion.add(zip(names, counts.tolist(), strict=True))

    def _binary(
        self, rows: int, prediction: pa.Array | None, score: pa.Array | None, label: pa.Array | None
    ) -> None:
        s, scored = _numbers(score) if score is not None else (np.zeros(rows), np.zeros(rows, bool))
        if prediction is not None:
            said, usable = self._is_positive(prediction)
        else:
            said, usable = s >= self._spec.threshold, scored
        self._rows += int((usable | scored).sum())
        if label is None:
            return
        positive, known = self._is_positive(label)
        self._labelled += int((known & (usable | scored)).sum())
        decided = known & usable
        pairs = np.bincount(positive[decided] * 2 + said[decided], minlength=4)
        names = (f"{a}{BETWEEN}{b}" for a in "01" for b in "01")
        self._confusion.add(
            (name, int(count)) for name, count in zip(names, pairs, strict=True) if count
        )
        both = known & scored
        s, y = s[both], positive[both]
        self._scored += len(s)
        self._negatives += cells(np.sort(s[~y]), self._edges)
        self._positives += cells(np.sort(s[y]), self._edges)
        square = (s - y) ** 2
        clipped = np.clip(s, CLIP, 1 - CLIP)
        loss = -np.log(np.where(y, clipped, 1 - clipped))
        self._add(SCORE_SUMS, (square, square * square, loss, loss * loss, s))

    def _add(self, names: tuple[str, ...], parts: tuple[Floats, ...]) -> None:
        for name, values in zip(names, parts, strict=True):
            self._sums[name].add(float(values.sum()))

    def _is_positive(self, array: pa.Array) -> tuple[Mask, Mask]:
        names = np.array(
            [name == self._spec.positive for name in array.dictionary.to_pylist()] or [False]
        )
        return names[_codes(array)], _valid(array)

    def merge(self, other: Self) -> None:
        """Adds counts; sums exactly."""
        self._rows += other._rows
        self._labelled += other._labelled
        self._scored += other._scored
        self._confusion.merge(other._confusion)
        self._negatives = self._negatives + other._negatives
        self._positives = self._positives + other._positives
        for name, total in self._sums.items():
            total.merge(other._sums[name])

    def summary(self) -> Scores:
        """For performance metrics."""
        values = {name: total.value for name, total in self._sums.items()}
        regression = self._spec.task is Task.REGRESSION
        pairs = {
            tuple(name.split(BETWEEN, 1)): count for name, count in self._confusion.counts().items()
        }
        return Scores(
            rows=self._rows,
            labelled=self._labelled,
            confusion={(actual, said): count for (actual, said), count in sorted(pairs.items())},
            edges=self._edges,
            negatives=self._negatives,
            positives=self._positives,
            sums=ScoreSums() if regression else ScoreSums(n=self._scored, **values),
            regression=RegressionSums(n=self._labelled, centre=self._centre, **values)
            if regression
            else RegressionSums(),
        )

    def to_bytes(self) -> bytes:
        """Canonical."""
        return pack(
            (
                (self._rows, self._labelled, self._scored), self._confusion.state(),
                pack_counts(self._negatives), pack_counts(self._positives), [t.partials() for t in self._sums.values()],
            )
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse."""
        made = cls(spec)
        numbers, confusion, negatives, positives, sums = unpack(data)
        made._rows, made._labelled, made._scored = numbers
        made._confusion.restore(*confusion)
        made._negatives, made._positives = unpack_counts(negatives), unpack_counts(positives)
        made._sums = {name: ExactSum(parts) for name, parts in zip(made._sums, sums, strict=True)}
        return made


def _valid(array: Any) -> Mask:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)


def _codes(array: Any) -> NDArray[np.int64]:
    return np.asarray(array.indices.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _numbers(array: Any) -> tuple[Floats, Mask]:
    values = np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(invalid="ignore"):
        usable = _valid(array) & (np.abs(values) <= LARGEST)
    return np.where(usable, values, 0.0), usable
