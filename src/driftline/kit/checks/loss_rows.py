"""Gives checks the sampled rows with labels, each with its loss and its features.

The loss of a row is 1 for a wrong class and 0 for a right one; for numbers it is the absolute
error. Values of redacted columns are not in samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from driftline.profiles.window import Window
from driftline.stats import LossSample
from driftline.types.model import Kind, Schema, Task

COLLECTOR = "loss_sample"
"""The collector that a check declares to get these rows."""


class _Rows(NamedTuple):
    losses: list[float]
    columns: list[list[Any]]


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
        self._names = [
            name for name in (columns or features) if name not in ignored and name not in outputs
        ][:most_columns]
        # By identity, with the window, so that no other window can get its address.
        self._rows_by_window: dict[int, tuple[Window, _Rows | None]] = {}

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
        if not self._names:
            return "no columns to look at"
        if len(self.sample([window]).losses):
            return ""
        if not window.summaries.get(COLLECTOR):
            return "no sampled rows"
        return "no labelled rows with features; labels that came later have none"

    def sample(self, windows: Iterable[Window]) -> LossSample:
        """Return the labelled rows of all windows together: those with a loss and any feature."""
        columns: dict[str, list[Any]] = {name: [] for name in self._names}
        losses: list[float] = []
        for window in windows:
            rows = self._rows_of(window)
            if rows is not None:
                losses += rows.losses
                for name, values in zip(self._names, rows.columns, strict=True):
                    columns[name] += values
        return LossSample(columns, np.array(losses, np.float64))

    def _rows_of(self, window: Window) -> _Rows | None:
        """The labelled rows of one window, read once: a check asks for them several times."""
        if id(window) not in self._rows_by_window:
            self._rows_by_window[id(window)] = window, self._read(window)
        return self._rows_by_window[id(window)][1]

    def _read(self, window: Window) -> _Rows | None:
        sample = window.summaries.get(COLLECTOR)
        if not sample:
            return None
        rows = max((len(values) for values in sample.values()), default=0)
        empty: Sequence[Any] = [None] * rows
        losses = self._losses({**sample}, empty)
        parts = [sample.get(name, empty) for name in self._names]
        kept = [
            place
            for place, loss in enumerate(losses)
            if math.isfinite(loss) and any(part[place] is not None for part in parts)
        ]
        return _Rows(
            [losses[place] for place in kept], [[part[place] for place in kept] for part in parts]
        )

    def _losses(self, sample: dict[str, Sequence[Any]], empty: Sequence[Any]) -> list[float]:
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
            return [_difference(*pair) for pair in zip(prediction, labels, strict=True)]
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
