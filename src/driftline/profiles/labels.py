"""The collector of facts about late labels: how many, after how long, how many were corrected.

Does not count repeats: the same label again must not change a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from driftline.profiles.collector import Collector
from driftline.profiles.packing import pack, pack_counts, unpack, unpack_counts
from driftline.profiles.window import Counts, Labels
from driftline.types.arrays import Floats

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch, LabelledRows
    from driftline.profiles.spec import ProfileSpec

OCTAVE = 8
"""Cells over which a delay doubles: a quantile is within 4.5% of exact."""
EDGES: Floats = 60.0 * 2.0 ** (np.arange(22 * OCTAVE + 1) / OCTAVE)
"""Seconds, from a minute to eight years; shape (177,)."""


class LabelCollector(Collector):
    """Counts labels, and their delays on fixed edges."""

    name = "labels"

    def __init__(self) -> None:
        self._labelled = self._corrected = self._contradicting = 0
        self._delays: Counts = np.zeros(len(EDGES) + 1, np.int64)

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no labels."""
        return cls()

    def update(self, batch: Batch) -> None:
        """Does nothing: only late labels are counted."""

    def label(self, labelled: LabelledRows) -> None:
        """Count the labels and their delays."""
        self._labelled += labelled.batch.rows
        self._corrected += int(labelled.is_corrected.sum())
        self._contradicting += int(labelled.is_contradictory.sum())
        cells = np.searchsorted(EDGES, labelled.delays / 1e6, "right")
        self._delays = self._delays + np.bincount(cells, minlength=len(EDGES) + 1)

    def merge(self, other: Self) -> None:
        """Add the counts of `other`."""
        self._labelled += other._labelled
        self._corrected += other._corrected
        self._contradicting += other._contradicting
        self._delays = self._delays + other._delays

    def summary(self) -> Labels:
        """The counts and delays."""
        return Labels(
            labelled=self._labelled,
            corrected=self._corrected,
            contradicting=self._contradicting,
            edges=EDGES,
            delays=self._delays,
        )

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return pack(
            (self._labelled, self._corrected, self._contradicting, pack_counts(self._delays))
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls()
        collector._labelled, collector._corrected, collector._contradicting, delays = unpack(data)
        collector._delays = unpack_counts(delays)
        return collector
