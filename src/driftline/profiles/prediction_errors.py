"""The collector of errors by prediction: their size where predictions are small or large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from driftline.profiles.collector import Collector
from driftline.profiles.exact import ExactSum, total_of
from driftline.profiles.numeric import LARGEST
from driftline.profiles.packing import pack, pack_counts, unpack, unpack_counts
from driftline.profiles.spec import NumericSpec, ProfileSpec
from driftline.profiles.window import Counts, PredictionErrors
from driftline.types.arrays import Floats
from driftline.types.model import Task

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch, LabelledRows

GROUPS = 20
"""Groups of predictions, of about as many reference rows each."""
POWERS = ("abs_e", "e2", "e4")


class PredictionErrorCollector(Collector):
    """Counts labelled rows of a regression model by prediction, and sums their errors."""

    name = "prediction_errors"

    def __init__(self, spec: ProfileSpec) -> None:
        self._spec = spec
        prediction = spec.columns.get(spec.prediction or "")
        edges = prediction.edges if isinstance(prediction, NumericSpec) else np.empty(0)
        self._cuts = _cuts(edges)
        self._rows: Counts = np.zeros(len(self._cuts) + 1, np.int64)
        self._sums = {name: [ExactSum() for _ in self._rows] for name in POWERS}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Add the errors of rows that have a prediction and a label."""
        spec = self._spec
        if spec.task is not Task.REGRESSION:
            return
        prediction, label = (
            batch.columns.get(name) if name else None for name in (spec.prediction, spec.label)
        )
        if prediction is None or label is None:
            return
        p, y = _numbers(prediction), _numbers(label)
        with np.errstate(invalid="ignore"):
            complete = (np.abs(p) <= LARGEST) & (np.abs(y) <= LARGEST)
        p, y = p[complete], y[complete]
        groups = np.searchsorted(self._cuts, p, "right")
        with np.errstate(over="ignore"):
            size = np.abs(p - y)
            powers = (size, size**2, size**4)
        self._rows = self._rows + np.bincount(groups, minlength=len(self._rows))
        for group in np.unique(groups).tolist():
            is_member = groups == group
            for name, values in zip(POWERS, powers, strict=True):
                self._sums[name][group].add(total_of(values[is_member]))

    def label(self, labelled: LabelledRows) -> None:
        """Add rows whose labels came later."""
        self.update(labelled.batch)

    def merge(self, other: Self) -> None:
        """Add the counts and exact sums of `other`."""
        self._rows = self._rows + other._rows
        for name, totals in self._sums.items():
            for total, addend in zip(totals, other._sums[name], strict=True):
                total.merge(addend)

    def summary(self) -> PredictionErrors:
        """Rows and sums by group."""
        sums = {
            name: np.array([total.value for total in totals]) for name, totals in self._sums.items()
        }
        return PredictionErrors(cuts=self._cuts, rows=self._rows, **sums)

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        sums = [[total.partials() for total in totals] for totals in self._sums.values()]
        return pack((pack_counts(self._rows), sums))

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls(spec)
        rows, sums = unpack(data)
        collector._rows = unpack_counts(rows)
        collector._sums = {
            name: [ExactSum(parts) for parts in totals]
            for name, totals in zip(POWERS, sums, strict=True)
        }
        return collector


def _cuts(edges: Floats) -> Floats:
    """Return the edges between groups, a subset of the edges of the grid, rising."""
    places = np.linspace(0, len(edges) - 1, GROUPS + 1)[1:-1].astype(np.int64)
    return np.unique(edges[places]) if len(edges) else np.empty(0)


def _numbers(array: Any) -> Floats:
    """Return the values, NaN where there is none."""
    return np.asarray(array.cast("float64").fill_null(np.nan).to_numpy(zero_copy_only=False))
