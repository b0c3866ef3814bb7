"""Items of rankings, joined by their group: whole groups, within a bound on their rows.

Beyond the bound the groups with the smallest hashes are kept. Such a group was kept in every part
in which it occurred, so it is whole. The score collector has one `RankedItems`; it is no collector
of its own. (Bottom-k sampling, Cohen & Kaplan 2007.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from driftline.profiles.window import Rankings
from driftline.types.arrays import Floats, Hashes

ROWS = 20_000
"""Items that are kept, in whole groups; one group is always kept."""


class RankedItems:
    """Labelled items with the hashes of their groups."""

    def __init__(self) -> None:
        self.infinite = 0
        """Items with an infinite score or label; they are left out."""
        self._limit: int | None = None
        """Groups with this hash or a greater one are left out."""
        self._groups: Hashes = np.empty(0, np.uint64)
        self._scores: Floats = np.empty(0)
        self._labels: Floats = np.empty(0)

    def add(self, groups: Hashes, scores: Floats, labels: Floats) -> None:
        """Add items by the hash of their group, with score and label; each of shape (n,)."""
        if self._limit is not None:
            is_kept = groups < np.uint64(self._limit)
            groups, scores, labels = groups[is_kept], scores[is_kept], labels[is_kept]
        self._groups = np.concatenate((self._groups, groups))
        self._scores = np.concatenate((self._scores, scores))
        self._labels = np.concatenate((self._labels, labels))
        if len(self._groups) > 2 * ROWS:
            self._prune()

    def merge(self, other: RankedItems) -> None:
        """Add the items of `other`, which does not change."""
        self.infinite += other.infinite
        if other._limit is not None and (self._limit is None or other._limit < self._limit):
            self._limit = other._limit
            self._keep_below_limit()
        self.add(other._groups, other._scores, other._labels)

    def _keep_below_limit(self) -> None:
        assert self._limit is not None
        is_kept = self._groups < np.uint64(self._limit)
        self._groups, self._scores, self._labels = (
            self._groups[is_kept],
            self._scores[is_kept],
            self._labels[is_kept],
        )

    def _prune(self) -> None:
        if len(self._groups) <= ROWS:
            return
        groups, sizes = np.unique(self._groups, return_counts=True)
        kept = max(int(np.searchsorted(np.cumsum(sizes), ROWS, "right")), 1)
        if kept < len(groups):
            self._limit = int(groups[kept])
            self._keep_below_limit()

    def _sort(self) -> None:
        """Sort by group, the highest score first; of equal scores the lowest label first."""
        order = np.lexsort((self._labels, -self._scores, self._groups))
        self._groups, self._scores, self._labels = (
            self._groups[order],
            self._scores[order],
            self._labels[order],
        )

    def summary(self) -> Rankings:
        """The items of whole groups, best score first."""
        self._prune()
        self._sort()
        starts = np.flatnonzero(np.append(True, self._groups[1:] != self._groups[:-1]))
        return Rankings(
            starts=starts[: len(self._groups)].astype(np.int64),
            scores=self._scores,
            labels=self._labels,
            infinite=self.infinite,
            is_sample=self._limit is not None,
        )

    def state(self) -> tuple[object, ...]:
        """The canonical form."""
        self._prune()
        self._sort()
        return (
            self.infinite,
            self._limit,
            self._groups.astype("<u8").tobytes(),
            self._scores.astype("<f8").tobytes(),
            self._labels.astype("<f8").tobytes(),
        )

    @classmethod
    def restore(cls, state: Sequence[Any]) -> RankedItems:
        """The inverse of `state`."""
        items = cls()
        items.infinite, items._limit, groups, scores, labels = state
        items._groups = np.frombuffer(groups, "<u8").astype(np.uint64)
        items._scores = np.frombuffer(scores, "<f8").astype(np.float64)
        items._labels = np.frombuffer(labels, "<f8").astype(np.float64)
        return items
