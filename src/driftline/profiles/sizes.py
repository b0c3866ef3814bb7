"""The collector of absolute values: the sum of |x| of every numeric column.

Values that are not finite or beyond 1e150 are left out, as in the numeric collector.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import numpy as np

from driftline.profiles.collector import Collector
from driftline.profiles.exact import ExactSum
from driftline.profiles.numeric import LARGEST
from driftline.profiles.packing import pack, unpack
from driftline.profiles.spec import NumericSpec, ProfileSpec

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch


class SizeCollector(Collector):
    """Sums absolute values, exactly."""

    name = "sizes"

    def __init__(self, names: Iterable[str]) -> None:
        self._totals = {name: ExactSum() for name in names}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""
        return cls(name for name, column in spec.columns.items() if isinstance(column, NumericSpec))

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch; the sum of a batch is rounded once."""
        for name, total in self._totals.items():
            if name in batch.columns:
                sizes = np.abs(batch.columns[name].drop_null().to_numpy(zero_copy_only=False))
                total.add(float(np.sum(sizes, where=sizes <= LARGEST)))

    def merge(self, other: Self) -> None:
        """Add the sums of `other`."""
        for name, total in self._totals.items():
            total.merge(other._totals[name])

    def summary(self) -> dict[str, float]:
        """The sum by column, over `NumericColumn.count` values."""
        return {name: total.value for name, total in self._totals.items()}

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return pack([total.partials() for total in self._totals.values()])

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes`."""
        collector = cls.zero(spec)
        collector._totals = {
            name: ExactSum(parts)
            for name, parts in zip(collector._totals, unpack(data), strict=True)
        }
        return collector
