"""The collector of scores: mergeable counts and sums for all performance metrics.

Rows without a label or without a usable prediction are counted only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.class_probabilities import CLIP, ROUNDING, ProbabilityCounts
from driftline.profiles.collector import Collector
from driftline.profiles.counting import BoundedCounter
from driftline.profiles.errors import ErrorRows, ErrorTallies
from driftline.profiles.exact import ExactSum, total_of, without_limit
from driftline.profiles.label_classes import is_unknown
from driftline.profiles.label_sets import LabelSetCounts, names_of
from driftline.profiles.numeric import LARGEST, cells
from driftline.profiles.packing import pack, pack_counts, unpack, unpack_counts
from driftline.profiles.ranked_items import RankedItems
from driftline.profiles.rowhash import hash_strings
from driftline.profiles.spec import KNOWN, CategorySpec, NumericSpec, ProfileSpec
from driftline.profiles.window import Errors, LabelSets, Rankings, RegressionSums, Scores, ScoreSums
from driftline.types.arrays import Floats, Mask
from driftline.types.model import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.batch import Batch, LabelledRows

SCORE_SUMS = ("brier", "brier2", "log_loss", "log_loss2", "score")
REGRESSION_SUMS = ("e", "abs_e", "e2", "e4", "abs_y", "y", "y2")
BETWEEN = "\x1f"


class ScoreCollector(Collector):
    """Collects joint counts of score and label, confusion counts, and sums of losses."""

    name = "scores"

    def __init__(self, spec: ProfileSpec) -> None:
        self._spec = spec
        score = spec.columns.get(spec.score or "")
        self._grid = score if isinstance(score, NumericSpec) else NumericSpec(np.empty(0))
        self._edges = self._grid.edges
        label = spec.columns.get(spec.label or "")
        self._centre = label.centre if isinstance(label, NumericSpec) else 0.0
        self._rows = self._labelled = self._scored = self._outside = 0
        self._confusion, self._label_values = BoundedCounter(), BoundedCounter()
        self._classes = _classes(spec)
        self._known = None if self._classes is None else frozenset(self._classes)
        self._negatives = np.zeros(2 * len(self._edges) + 1, np.int64)
        self._positives = np.zeros(2 * len(self._edges) + 1, np.int64)
        names = REGRESSION_SUMS if spec.task is Task.REGRESSION else SCORE_SUMS
        self._sums = {name: ExactSum() for name in names}
        self._errors = ErrorTallies()
        self._items = RankedItems()
        self._label_sets = LabelSetCounts()
        self._probabilities = ProbabilityCounts(sorted(spec.task_columns.probabilities))

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Count the rows with a prediction, and sum over those with a label."""
        spec = self._spec
        prediction, score, label = (
            batch.columns.get(name) if name else None
            for name in (spec.prediction, spec.score, spec.label)
        )
        if spec.task is None or (prediction is None and score is None):
            return
        if spec.task is Task.REGRESSION:
            self._regression(prediction, label, batch)
        elif spec.task is Task.RANKING:
            self._ranking(prediction, label, batch)
        elif spec.task is Task.MULTILABEL:
            self._multilabel(prediction, label)
        elif spec.task is Task.MULTICLASS:
            self._multiclass(prediction, score, label)
            self._class_probabilities(label, batch)
        else:
            self._binary(batch.rows, prediction, score, label)

    def label(self, labelled: LabelledRows) -> None:
        """Add labels of rows that `update` has counted already."""
        rows = self._rows
        self.update(labelled.batch)
        self._rows = rows

    def _regression(self, prediction: pa.Array, label: pa.Array | None, batch: Batch) -> None:
        p, usable = _numbers(prediction)
        self._rows += int(usable.sum())
        if label is None:
            return
        y, has_label = _numbers(label)
        complete = usable & has_label
        self._errors.infinite += int(np.count_nonzero(_infinite(prediction) & _present(label)))
        self._errors.infinite += int(np.count_nonzero(usable & _infinite(label)))
        p, y = p[complete], y[complete]
        self._labelled += len(y)
        e, off = p - y, y - self._centre
        with np.errstate(over="ignore"):
            square, fourth = e * e, e**4
        parts = (e, np.abs(e), square, fourth, np.abs(y), off, off * off)
        self._add(REGRESSION_SUMS, parts)
        if len(y):
            rows = ErrorRows(
                p,
                y,
                centre=self._centre,
                interval=self._interval(batch, complete),
                coverage=self._spec.task_columns.coverage,
                scales=self._naive_errors(batch, complete),
            )
            self._errors.add(rows, self._horizons(batch, complete))

    def _ranking(self, prediction: pa.Array, label: pa.Array | None, batch: Batch) -> None:
        s, usable = _numbers(prediction)
        part = self._spec.task_columns.group
        group = batch.columns.get(part.name) if part else None
        self._rows += int(usable.sum())
        if label is None or group is None:
            return
        y, has_label = _numbers(label)
        has_group = _valid(group)
        infinite = (_infinite(prediction) & _present(label)) | (usable & _infinite(label))
        self._items.infinite += int(np.count_nonzero(infinite & has_group))
        complete = usable & has_label & has_group
        self._labelled += int(complete.sum())
        hashes = hash_strings(group.dictionary)
        if complete.any():
            self._items.add(hashes[_codes(group)[complete]], s[complete], y[complete])

    def _interval(self, batch: Batch, complete: Mask) -> tuple[Floats, Floats, Mask] | None:
        """The ends of the prediction intervals of the complete rows, and which rows have both."""
        columns = self._spec.task_columns
        lower, upper = (
            batch.columns.get(part.name) if part else None
            for part in (columns.lower, columns.upper)
        )
        if lower is None or upper is None:
            return None
        (low, has_low), (high, has_high) = _numbers(lower), _numbers(upper)
        return low[complete], high[complete], (has_low & has_high)[complete]

    def _naive_errors(self, batch: Batch, complete: Mask) -> Floats | None:
        """The naive error of the series of each complete row; NaN where it is not known."""
        scales, part = self._spec.naive_errors, self._spec.task_columns.series
        if part is None:
            return np.full(int(complete.sum()), scales.get("", np.nan)) if scales else None
        series = batch.columns.get(part.name)
        if series is None or not scales:
            return None
        by_code = np.array(
            [scales.get(name, np.nan) for name in series.dictionary.to_pylist()] or [np.nan]
        )
        scale_of_row = np.where(_valid(series), by_code[_codes(series)], np.nan)
        return np.asarray(scale_of_row[complete], np.float64)

    def _horizons(self, batch: Batch, complete: Mask) -> dict[str, NDArray[np.int64]]:
        """The places of the rows of each horizon among the complete rows."""
        part = self._spec.task_columns.horizon
        horizons = batch.columns.get(part.name) if part else None
        if horizons is None:
            return {}
        names = horizons.dictionary.to_pylist()
        codes = np.where(_valid(horizons), _codes(horizons), -1)[complete]
        return {
            names[code]: np.flatnonzero(codes == code)
            for code in np.unique(codes[codes >= 0]).tolist()
        }

    def _multilabel(self, prediction: pa.Array | None, label: pa.Array | None) -> None:
        if prediction is None:
            return
        usable = _valid(prediction)
        self._rows += int(usable.sum())
        if label is None:
            return
        complete = usable & _valid(label)
        self._labelled += int(complete.sum())
        columns = max(len(prediction.dictionary), 1)
        pairs = _codes(label)[complete] * columns + _codes(prediction)[complete]
        distinct_pairs, counts = np.unique(pairs, return_counts=True)
        actual, predicted = label.dictionary.to_pylist(), prediction.dictionary.to_pylist()
        self._label_sets.add(
            (actual[pair // columns], predicted[pair % columns], count)
            for pair, count in zip(distinct_pairs.tolist(), counts.tolist(), strict=True)
        )

    def _class_probabilities(self, label: pa.Array | None, batch: Batch) -> None:
        """Add the rows that have a label and a probability of each class."""
        parts = sorted(self._spec.task_columns.probabilities.items())
        columns = [batch.columns.get(part.name) for _, part in parts]
        if label is None or not parts or any(column is None for column in columns):
            return
        numbers = [_numbers(column) for column in columns]
        has_all = np.all([usable for _, usable in numbers], axis=0) & _valid(label)
        places = {name: place for place, (name, _) in enumerate(parts)}
        by_code = [places.get(name, -1) for name in label.dictionary.to_pylist()] or [-1]
        labels = np.array(by_code, np.int64)[_codes(label)]
        complete = has_all & (labels >= 0)
        is_class = np.array(
            [not is_unknown(name) for name in label.dictionary.to_pylist()] or [False]
        )
        self._probabilities.unseen += int((has_all & (labels < 0) & is_class[_codes(label)]).sum())
        table = np.stack([values for values, _ in numbers], axis=1)
        self._probabilities.add(table[complete], labels[complete])

    def _multiclass(
        self, prediction: pa.Array | None, score: pa.Array | None, label: pa.Array | None
    ) -> None:
        if prediction is None:
            return
        usable = _valid(prediction)
        self._rows += int(usable.sum())
        if label is None:
            return
        self._label_values.add(_value_counts(label, usable))
        complete = usable & self._is_known(label)
        self._labelled += int(complete.sum())
        columns = max(len(prediction.dictionary), 1)
        pairs = _codes(label)[complete] * columns + _codes(prediction)[complete]
        distinct_pairs, counts = np.unique(pairs, return_counts=True)
        actual, predicted_names = label.dictionary.to_pylist(), prediction.dictionary.to_pylist()
        names = (
            f"{actual[pair // columns]}{BETWEEN}{predicted_names[pair % columns]}"
            for pair in distinct_pairs.tolist()
        )
        self._confusion.add(zip(names, counts.tolist(), strict=True))
        if score is None:
            return
        s, has_score = _numbers(score)
        # The names of both columns stand in dictionaries of their own.
        places = {name: place for place, name in enumerate(predicted_names)}
        same = np.array([places.get(name, -1) for name in actual] or [-1], np.int64)
        is_right = same[_codes(label)] == _codes(prediction)
        complete = complete & has_score
        self._negatives += cells(np.sort(s[complete & ~is_right]), self._grid)
        self._positives += cells(np.sort(s[complete & is_right]), self._grid)

    def _binary(
        self, rows: int, prediction: pa.Array | None, score: pa.Array | None, label: pa.Array | None
    ) -> None:
        s, has_score = (
            _numbers(score) if score is not None else (np.zeros(rows), np.zeros(rows, bool))
        )
        if prediction is not None:
            prediction_positive, usable = self._is_positive(prediction)
        else:
            prediction_positive, usable = s >= self._spec.threshold, has_score
        self._rows += int((usable | has_score).sum())
        if label is None:
            return
        # The label counts beside a prediction of an unknown class, too: it may show the classes.
        answered = has_score if prediction is None else has_score | _valid(prediction)
        self._label_values.add(_value_counts(label, answered))
        positive, has_label = self._is_positive(label)
        self._labelled += int((has_label & (usable | has_score)).sum())
        complete = has_label & usable
        pairs = np.bincount(positive[complete] * 2 + prediction_positive[complete], minlength=4)
        names = (f"{a}{BETWEEN}{b}" for a in "01" for b in "01")
        self._confusion.add(
            (name, int(count)) for name, count in zip(names, pairs, strict=True) if count
        )
        complete = has_label & has_score
        s, y = s[complete], positive[complete]
        self._scored += len(s)
        self._negatives += cells(np.sort(s[~y]), self._grid)
        self._positives += cells(np.sort(s[y]), self._grid)
        self._outside += int(np.count_nonzero((s < -ROUNDING) | (s > 1 + ROUNDING)))
        square = (s - y) ** 2
        probability = np.clip(s, CLIP, 1 - CLIP)
        loss = -np.log(np.where(y, probability, 1 - probability))
        self._add(SCORE_SUMS, (square, square * square, loss, loss * loss, s))

    def _add(self, names: tuple[str, ...], parts: tuple[Floats, ...]) -> None:
        for name, values in zip(names, parts, strict=True):
            self._sums[name].add(total_of(values))

    def _is_positive(self, array: pa.Array) -> tuple[Mask, Mask]:
        """Whether each value is the positive class, and whether it is a known class at all."""
        names = np.array(
            [name == self._spec.positive for name in array.dictionary.to_pylist()] or [False]
        )
        return names[_codes(array)], self._is_known(array)

    def _is_known(self, array: pa.Array) -> Mask:
        if self._known is None:
            return _valid(array)
        names = np.array([name in self._known for name in array.dictionary.to_pylist()] or [False])
        return names[_codes(array)] & _valid(array)

    def merge(self, other: Self) -> None:
        """Add the counts and exact sums of `other`."""
        self._rows += other._rows
        self._labelled += other._labelled
        self._scored += other._scored
        self._outside += other._outside
        self._confusion.merge(other._confusion)
        self._label_values.merge(other._label_values)
        self._negatives = self._negatives + other._negatives
        self._positives = self._positives + other._positives
        for name, total in self._sums.items():
            total.merge(other._sums[name])
        self._errors.merge(other._errors)
        self._items.merge(other._items)
        self._label_sets.merge(other._label_sets)
        self._probabilities.merge(other._probabilities)

    def summary(self) -> Scores:
        """The counts and sums that performance metrics are made from."""
        values = {name: without_limit(total.value) for name, total in self._sums.items()}
        regression = self._spec.task is Task.REGRESSION
        pairs = {
            tuple(name.split(BETWEEN, 1)): count for name, count in self._confusion.counts().items()
        }
        return Scores(
            rows=self._rows,
            labelled=self._labelled,
            label_values=self._label_values.counts(),
            classes=self._classes or (),
            positive=self._spec.positive if self._spec.task is Task.BINARY else "",
            class_reason=self._spec.class_reason,
            confusion={
                (label, prediction): count for (label, prediction), count in sorted(pairs.items())
            },
            edges=self._edges,
            negatives=self._negatives,
            positives=self._positives,
            sums=ScoreSums()
            if regression
            else ScoreSums(n=self._scored, outside=self._outside, **values),
            regression=RegressionSums(n=self._labelled, centre=self._centre, **values)
            if regression
            else RegressionSums(),
            errors=Errors(
                total=self._errors.total.summary(self._centre),
                infinite=self._errors.infinite,
                by_horizon={
                    name: tally.summary(self._centre) for name, tally in self._errors.horizons()
                },
                is_cut=self._errors.is_cut,
            )
            if regression
            else Errors(),
            rankings=self._items.summary() if self._spec.task is Task.RANKING else Rankings(),
            label_sets=self._label_sets.summary(_known_classes(self._spec))
            if self._spec.task is Task.MULTILABEL
            else LabelSets(),
            probabilities=self._probabilities.summary(),
        )

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        # A newer field is left out while it is 0, so that other profiles keep their bytes.
        outside = (self._outside,) if self._outside else ()
        label_values = (self._label_values.state(),) if self._label_values.total else ()
        return pack(
            (
                (self._rows, self._labelled, self._scored, *outside),
                self._confusion.state(),
                pack_counts(self._negatives),
                pack_counts(self._positives),
                [total.partials() for total in self._sums.values()],
                *label_values,
                *((self._errors.state(),) if self._spec.task is Task.REGRESSION else ()),
                *((self._items.state(),) if self._spec.task is Task.RANKING else ()),
                *((self._label_sets.state(),) if self._spec.task is Task.MULTILABEL else ()),
                *self._probability_state(),
            )
        )

    def _probability_state(self) -> tuple[object, ...]:
        """The state of probabilities, after the values of labels; empty without probabilities."""
        if not self._spec.task_columns.probabilities:
            return ()
        fill = () if self._label_values.total else (self._label_values.state(),)
        return *fill, self._probabilities.state()

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls(spec)
        # Profiles of earlier versions have neither the values of labels nor all sums of errors.
        numbers, confusion, negatives, positives, sums, *newer = unpack(data)
        collector._rows, collector._labelled, collector._scored, *outside = numbers
        collector._outside = outside[0] if outside else 0
        collector._confusion.restore(*confusion)
        if newer and spec.task is Task.REGRESSION:
            collector._errors = ErrorTallies.restore(newer[0])
        elif newer and spec.task is Task.RANKING:
            collector._items = RankedItems.restore(newer[0])
        elif newer and spec.task is Task.MULTILABEL:
            collector._label_sets = LabelSetCounts.restore(newer[0])
        elif newer:
            collector._label_values.restore(*newer[0])
            if len(newer) > 1:
                classes = sorted(spec.task_columns.probabilities)
                collector._probabilities = ProbabilityCounts.restore(newer[1], classes)
        collector._negatives, collector._positives = (
            unpack_counts(negatives),
            unpack_counts(positives),
        )
        collector._sums = {
            name: ExactSum(parts) for name, parts in zip(collector._sums, sums, strict=True)
        }
        return collector


def _classes(spec: ProfileSpec) -> tuple[str, ...] | None:
    """Return the labels that count; None where all count.

    Of a model of several classes these are the labels and predictions of the reference.
    """
    if spec.task is Task.BINARY:
        if spec.class_reason:
            return ()
        return (spec.positive, spec.negative) if spec.negative else None
    label, prediction = (spec.columns.get(name or "") for name in (spec.label, spec.prediction))
    if spec.task is not Task.MULTICLASS or not isinstance(label, CategorySpec) or not label.known:
        return None
    predictions = prediction.known if isinstance(prediction, CategorySpec) else ()
    names = label.names.union(predictions)
    return tuple(sorted(names)) if len(names) < KNOWN else None


def _known_classes(spec: ProfileSpec) -> frozenset[str]:
    """The classes of the sets that the reference has."""
    columns = (spec.columns.get(name or "") for name in (spec.label, spec.prediction))
    sets = {name for c in columns if isinstance(c, CategorySpec) for name in c.known}
    return frozenset(name for text in sets for name in names_of(text))


def _value_counts(label: pa.Array, usable: Mask) -> list[tuple[str, int]]:
    """Return the rows by label among usable predictions."""
    names = label.dictionary.to_pylist()
    counts = np.bincount(_codes(label)[usable & _valid(label)], minlength=len(names))
    return [(name, count) for name, count in zip(names, counts.tolist(), strict=True) if count]


def _valid(array: Any) -> Mask:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)


def _present(array: Any) -> Mask:
    """Whether each number is there, infinite or not."""
    values = np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
    return _valid(array) & ~np.isnan(values)


def _infinite(array: Any) -> Mask:
    values = np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(invalid="ignore"):
        return _valid(array) & (np.abs(values) > LARGEST)


def _codes(array: Any) -> NDArray[np.int64]:
    return np.asarray(array.indices.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _numbers(array: Any) -> tuple[Floats, Mask]:
    values = np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(invalid="ignore"):
        usable = _valid(array) & (np.abs(values) <= LARGEST)
    return np.where(usable, values, 0.0), usable
