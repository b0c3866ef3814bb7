"""The collector of a uniform sample of labelled rows, also of labels that come later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.label_classes import is_unknown
from driftline.profiles.sample import SampleCollector
from driftline.profiles.spec import CategorySpec, ProfileSpec

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch, LabelledRows


LOSS_ROWS = 5_000
"""Rows of a sample in which slices are looked for."""


class LabelledSampleCollector(SampleCollector):
    """Samples `sample_rows` of the rows that have a label.

    Rows whose label came later have the columns of prediction, score and label only.
    """

    name = "labelled_sample"

    def __init__(self, spec: ProfileSpec) -> None:
        super().__init__(spec)
        self._label = spec.label
        self._is_categorical = isinstance(spec.columns.get(spec.label or ""), CategorySpec)

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch that have a label, if their hashes are small enough."""
        labels = batch.columns.get(self._label or "")
        if labels is None or batch.hashes is None:
            return
        is_labelled = labels.is_valid().to_numpy(zero_copy_only=False)
        if self._is_categorical:
            known = [not is_unknown(value) for value in labels.dictionary.to_pylist()]
            codes = labels.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
            is_labelled = np.asarray([*known, False])[codes]
        self._add(batch, is_labelled)

    def label(self, labelled: LabelledRows) -> None:
        """Add rows whose labels came later."""
        self._add(labelled.batch, np.ones(labelled.batch.rows, bool))

    def _add(self, batch: Batch, is_labelled: NDArray[np.bool_]) -> None:
        places = np.flatnonzero(is_labelled)
        if not len(places) or batch.hashes is None:
            return
        super().update(
            replace(
                batch,
                rows=len(places),
                columns={name: array.take(places) for name, array in batch.columns.items()},
                hashes=batch.hashes[places],
            )
        )

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(spec)


class LossSampleCollector(LabelledSampleCollector):
    """Samples more of these rows: small slices of them are compared."""

    name = "loss_sample"

    def __init__(self, spec: ProfileSpec) -> None:
        super().__init__(spec)
        self._size = max(self._size, LOSS_ROWS)
