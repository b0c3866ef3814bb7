"""A mergeable histogram of positive numbers with a fixed relative error.

The cells are those of DDSketch (Masson, Rim, Lee 2019): a quantile is within 1% of the value of its
rank. Merging adds counts, so its order does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from driftline.types.arrays import Floats

ERROR = 0.01
"""Relative error of a quantile."""
_GAMMA = (1 + ERROR) / (1 - ERROR)
_LEAST = 1e-9
"""Smaller values count as 0."""
_ZERO = -(1 << 20)
"""The cell of 0."""
_Z95 = 1.959963984540054


class LogHistogram:
    """Counts of values from 0 up, in cells whose ends have the ratio 1.01 / 0.99."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts = dict(counts or {})

    def add(self, values: Floats) -> None:
        """Add values, shape (n,), finite and not negative."""
        is_zero = values < _LEAST
        logs = np.log(np.where(is_zero, 1.0, values)) / math.log(_GAMMA)
        cells = np.where(is_zero, _ZERO, np.ceil(logs)).astype(np.int64)
        for cell, count in zip(*np.unique(cells, return_counts=True), strict=True):
            self._counts[int(cell)] = self._counts.get(int(cell), 0) + int(count)

    def merge(self, other: LogHistogram) -> None:
        """Add the counts of `other`, which does not change."""
        for cell, count in other._counts.items():
            self._counts[cell] = self._counts.get(cell, 0) + count

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self._counts.values())

    def cells(self) -> list[tuple[int, int]]:
        """Return the canonical form: cells that are not empty, with their counts, rising."""
        return sorted(self._counts.items())

    def quantile(self, q: float) -> float | None:
        """Return the value of rank ceil(q n), within 1%; None without values."""
        return self._at_rank(math.ceil(q * self.count - 1e-9))

    def quantile_interval(self, q: float) -> tuple[float, float] | None:
        """Return the 95% interval of a quantile by the ranks of its values; None below two.

        The ranks are n q -+ 1.96 sqrt(n q (1 - q)), cut to 1 and n.
        """
        n = self.count
        half = _Z95 * math.sqrt(n * q * (1 - q))
        low, high = self._at_rank(math.floor(n * q - half)), self._at_rank(math.ceil(n * q + half))
        return None if n < 2 or low is None or high is None else (low, high)

    def _at_rank(self, rank: int) -> float | None:
        total, n = 0, self.count
        rank = min(max(rank, 1), n)
        for cell, count in self.cells():
            total += count
            if total >= rank:
                return 0.0 if cell == _ZERO else 2 * _GAMMA**cell / (_GAMMA + 1)
        return None
