"""The sides of records put side by side: row i of an answer belongs to row i of its request.

Refuses to pair what doesn't pair: a record whose sides differ in rows fails with the numbers. A
side that was not captured is none of that: its columns are null there.
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
class Paired:
    """The rows of the records that could be paired."""

    sides: dict[str, dict[str, pa.Array]]
    """The columns of each side, all of the same length."""
    counts: NDArray[np.int64]
    """Rows of each record that is kept."""
    good: NDArray[np.bool_]
    """Which records are kept."""
    failures: dict[int, str]
    """Why a record is not, by its place."""

    @property
    def rows(self) -> int:
        """All rows."""
        return int(self.counts.sum())

    def spread(self, values: pa.Array) -> pa.Array:
        """A value for each record, bad ones too, as one for each row."""
        import numpy as np
        import pyarrow as pa

        kept = values if self.good.all() else values.filter(pa.array(self.good))
        if (self.counts == 1).all():
            return kept
        return kept.take(pa.array(np.repeat(np.arange(len(self.counts)), self.counts)))

    def numbered(self, ids: pa.Array) -> pa.Array:
        """The same for ids: of a record of several rows `ID:0`, `ID:1` and so on."""
        import pyarrow as pa

        if (self.counts == 1).all():
            return self.spread(ids)
        kept = ids.filter(pa.array(self.good)).to_pylist()
        pairs = zip(kept, self.counts.tolist(), strict=True)
        return pa.array(
            [
                f"{i}:{n}" if i is not None and rows > 1 else i
                for i, rows in pairs
                for n in range(rows)
            ],
            pa.string(),
        )


def pair(sides: Mapping[str, Rows], already: Mapping[int, str], nothing: str) -> Paired:
    """Pair the sides, by name, of the same records. Those in `already` have failed; `nothing` is
    why one without any does.
    """
    import numpy as np

    counts = np.maximum.reduce([side.counts for side in sides.values()])
    bad: dict[int, str] = {}
    for side in sides.values():
        for i in np.flatnonzero((side.counts >= 0) & (side.counts != counts)).tolist():
            numbers = ", ".join(
                f"{name} {s.counts[i]}" for name, s in sides.items() if s.counts[i] >= 0
            )
            bad[i] = f"rows don't pair: {numbers}"
    for i in np.flatnonzero(counts < 0).tolist():
        bad[i] = nothing
    for side in sides.values():
        bad |= side.failures
    bad |= already
    good = np.ones(len(counts), np.bool_)
    good[list(bad)] = False
    placed = {name: _placed(side, counts, good) for name, side in sides.items()}
    return Paired(placed, counts[good], good, dict(sorted(bad.items())))


def _placed(side: Rows, counts: NDArray[np.int64], good: NDArray[np.bool_]) -> dict[str, pa.Array]:
    """The columns of one side for the good records, with nulls where the side was not captured."""
    import numpy as np
    import pyarrow as pa

    if good.all() and (side.counts == counts).all():
        return side.columns
    if not side.columns:
        return {}
    lengths = np.maximum(side.counts, 0)
    starts = np.cumsum(lengths) - lengths
    kept = counts[good]
    within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    places = np.repeat(starts[good], kept) + within
    absent = np.repeat(side.counts[good] < 0, kept)
    indices = pa.array(np.where(absent, 0, places), pa.int64(), mask=absent)
    return {name: column.take(indices) for name, column in side.columns.items()}
