"""Joins the sides of each record: row i of a response belongs to row i of its request.

A record whose sides have different numbers of rows fails, and the reason has the numbers. Where a
side was not captured, its columns are null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from driftline.kit.decoding.captured_bodies import Rows


@dataclass(frozen=True, slots=True)
class RowPairs:
    """The rows of the records whose sides fit together."""

    sides: dict[str, dict[str, pa.Array]]
    """The columns of each side, all of the same length."""
    counts: NDArray[np.int64]
    """Rows of each paired record, shape (paired records,)."""
    is_paired: NDArray[np.bool_]
    """Which records are paired, shape (records,)."""
    failures: dict[int, str]
    """Why a record is not paired, by its place."""

    @property
    def rows(self) -> int:
        """The number of rows of all paired records."""
        return int(self.counts.sum())

    def repeat_per_row(self, values: pa.Array) -> pa.Array:
        """Return `values`, one for each record, failed ones included, as one for each row."""
        import numpy as np
        import pyarrow as pa

        selection = values if self.is_paired.all() else values.filter(pa.array(self.is_paired))
        if (self.counts == 1).all():
            return selection
        return selection.take(pa.array(np.repeat(np.arange(len(self.counts)), self.counts)))

    def number_ids(self, ids: pa.Array) -> pa.Array:
        """Return an id for each row; for a record of several rows `ID:0`, `ID:1` and so on."""
        import pyarrow as pa

        if (self.counts == 1).all():
            return self.repeat_per_row(ids)
        record_ids = ids.filter(pa.array(self.is_paired)).to_pylist()
        row_ids = [
            f"{record_id}:{place}" if record_id is not None and rows > 1 else record_id
            for record_id, rows in zip(record_ids, self.counts.tolist(), strict=True)
            for place in range(rows)
        ]
        return pa.array(row_ids, pa.string())


def pair_sides(sides: Mapping[str, Rows], failures: Mapping[int, str], empty: str) -> RowPairs:
    """Pair the named sides of the same records.

    `failures` has the reasons of records that have failed before, by place. `empty` is the reason
    for a record without any side.
    """
    import numpy as np

    counts = np.maximum.reduce([side.counts for side in sides.values()])
    reasons: dict[int, str] = {}
    for side in sides.values():
        for i in np.flatnonzero((side.counts >= 0) & (side.counts != counts)).tolist():
            numbers = ", ".join(
                f"{name} {s.counts[i]}" for name, s in sides.items() if s.counts[i] >= 0
            )
            reasons[i] = f"rows don't pair: {numbers}"
    for i in np.flatnonzero(counts < 0).tolist():
        reasons[i] = empty
    for side in sides.values():
        reasons |= side.failures
    reasons |= failures
    is_paired = np.ones(len(counts), np.bool_)
    is_paired[list(reasons)] = False
    columns = {name: _align(side, counts, is_paired) for name, side in sides.items()}
    return RowPairs(columns, counts[is_paired], is_paired, dict(sorted(reasons.items())))


def _align(
    side: Rows, counts: NDArray[np.int64], is_paired: NDArray[np.bool_]
) -> dict[str, pa.Array]:
    """Return the columns of one side for the paired records; null where it was not captured."""
    import numpy as np
    import pyarrow as pa

    if is_paired.all() and (side.counts == counts).all():
        return side.columns
    if not side.columns:
        return {}
    lengths = np.maximum(side.counts, 0)
    starts = np.cumsum(lengths) - lengths
    pair_counts = counts[is_paired]
    within = np.arange(pair_counts.sum())
    within -= np.repeat(np.cumsum(pair_counts) - pair_counts, pair_counts)
    places = np.repeat(starts[is_paired], pair_counts) + within
    absent = np.repeat(side.counts[is_paired] < 0, pair_counts)
    indices = pa.array(np.where(absent, 0, places), pa.int64(), mask=absent)
    return {name: column.take(indices) for name, column in side.columns.items()}
