"""Gives checks the sampled rows with labels, each with its loss and its features.

The loss of a row is 1 for a wrong class and 0 for a right one; for numbers it is the absolute
error. Values of redacted columns are not in samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from driftline.profiles.sample import SampledColumns
from driftline.profiles.window import Window
from driftline.stats import CodedColumn, CodedColumns, LossSample
from driftline.types.arrays import Floats
from driftline.types.model import Kind, Schema, Task

COLLECTOR = "loss_sample"
"""The collector that a check declares to get these rows."""


class LossRowsOfWindow(NamedTuple):
    """The labelled rows of one window."""

    columns: CodedColumns
    losses: Floats
    """Loss of each row, shape (rows,), finite."""


class LossRows:
    """Takes labelled rows of windows; the columns are features of the schema."""

    def __init__(
        self,
        schema: Schema,
        columns: Iterable[str] = (),
        ignore: Iterable[str] = (),
        most_columns: int = 40,
    ) -> None:
        """Take the columns to return, all features where there are none, without `ignore`."""
        self._schema = schema
        ignored = {*ignore, *schema.redact}
        features = [
            name
            for field in schema.features.values()
            for name, kind in field.profile_columns.items()
            if kind in (Kind.NUMERIC, Kind.CATEGORICAL)
        ]
        features += [name for name in schema.segment_rules if name not in features]
        outputs = {
            field.name
            for field in (schema.prediction, schema.score, schema.label)
            if field is not None
        }
        self.names = [
            name for name in (columns or features) if name not in ignored and name not in outputs
        ][:most_columns]

    def missing_reason(self, window: Window) -> str:
        """Say why no row of the window has both features and a loss; empty where one has."""
        schema = self._schema
        if schema.label is None:
            return "no labels"
        if schema.task in (Task.RANKING, Task.MULTILABEL):
            return f"a row of a {schema.task.value} model has no single error"
        if schema.prediction is None and schema.score is None:
            return "no predictions"
        if {field.name for field in (schema.label,)} & schema.redact:
            return "the labels are redacted"
        if not self.names:
            return "no columns to look at"
        if len(self.rows(window).losses):
            return ""
        if not window.summaries.get(COLLECTOR):
            return "no sampled rows"
        return "no labelled rows with features; labels that came later have none"

    def rows(self, window: Window) -> LossRowsOfWindow:
        """Return the labelled rows of a window: those with a loss and any feature.

        They are read once for each window, however often checks ask.
        """
        key = (COLLECTOR, "rows", *self.names)
        rows: LossRowsOfWindow | None = window.derived.get(key)
        if rows is None:
            rows = window.derived[key] = self._read(window)
        return rows

    def sample(self, windows: Iterable[Window]) -> LossSample:
        """Return the labelled rows of all windows together."""
        parts = [self.rows(window) for window in windows]
        columns: dict[str, list[Any]] = {
            name: [value for part in parts for value in part.columns[name].values()]
            for name in self.names
        }
        return LossSample(columns, np.concatenate([np.empty(0), *(part.losses for part in parts)]))

    def _read(self, window: Window) -> LossRowsOfWindow:
        summary = window.summaries.get(COLLECTOR)
        sample: Mapping[str, Sequence[Any]] = summary or {}
        if isinstance(summary, SampledColumns):
            sample = summary.decode()
        rows = max((len(values) for values in sample.values()), default=0)
        empty: Sequence[Any] = [None] * rows
        losses = np.array(self._losses(sample, empty), np.float64) if rows else np.empty(0)
        columns = {name: CodedColumn(sample.get(name, empty)) for name in self.names}
        has_feature = np.zeros(rows, np.bool_)
        for column in columns.values():
            has_feature |= ~column.is_missing
        for place in np.flatnonzero(~has_feature).tolist():  # NaN is a feature, unlike None
            values = (sample.get(name, empty)[place] for name in self.names)
            has_feature[place] = any(value is not None for value in values)
        is_kept = np.isfinite(losses) & has_feature
        if not is_kept.all():
            columns = {name: column.take(is_kept) for name, column in columns.items()}
        return LossRowsOfWindow(columns, losses[is_kept])

    def _losses(self, sample: Mapping[str, Sequence[Any]], empty: Sequence[Any]) -> list[float]:
        """The loss of each row; NaN without a label or a prediction."""
        schema = self._schema
        assert schema.label is not None
        labels = sample.get(schema.label.name, empty)
        prediction = None if schema.prediction is None else sample.get(schema.prediction.name)
        scores = None if schema.score is None else sample.get(schema.score.name)
        if prediction is None and scores is None:
            return [math.nan] * len(labels)
        if schema.task is Task.REGRESSION:
            return [
                _distance(*pair) for pair in zip(prediction or scores or (), labels, strict=True)
            ]
        if prediction is not None:
            pairs = zip(prediction, labels, strict=True)
            if {*map(type, prediction), *map(type, labels)} <= {str, type(None)}:
                return [
                    math.nan if said is None or label is None else float(said != label)
                    for said, label in pairs
                ]
            return [_difference(*pair) for pair in pairs]
        assert scores is not None
        positive = schema.positive or _positive_class(scores, labels)
        return [
            math.nan
            if score is None or label is None
            else float((score >= schema.threshold) != (_text(label) == positive))
            for score, label in zip(scores, labels, strict=True)
        ]


def _distance(prediction: Any, label: Any) -> float:
    try:
        return abs(float(prediction) - float(label))
    except (TypeError, ValueError):
        return math.nan


def _difference(prediction: Any, label: Any) -> float:
    if prediction is None or label is None:
        return math.nan
    return float(_text(prediction) != _text(label))


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _positive_class(scores: Sequence[Any], labels: Sequence[Any]) -> str:
    """The label whose rows have the higher mean score."""
    by_label: dict[str, list[float]] = {}
    for score, label in zip(scores, labels, strict=True):
        if score is not None and label is not None:
            by_label.setdefault(_text(label), []).append(float(score))
    means = {label: sum(part) / len(part) for label, part in by_label.items()}
    return max(sorted(means), key=lambda label: means[label], default="1")
