"""The values whose share of the rows changed most between two windows of one column.

A value that alone holds a tenth of the reference is a group of its own; other groups are ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftline.stats.distributions.side import Side, group_counts

JOIN_VALUES, JOIN_RANGES = 0.5, 0.25
"""Groups join the one that changed most if they changed as it did, by this share of it."""
MOST_VALUES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedValues:
    """Values and their share of the rows before and now."""

    values: tuple[float, ...] = ()
    """Single values, rising; empty for a range."""
    low: float | None = None
    """Lower end of a range; None where it has none."""
    high: float | None = None
    share_was: float
    share: float


def moved_values(ref: Side, cur: Side) -> MovedValues | None:
    """Find the values whose share changed most, in the decile bins of the reference.

    Both sides must be counted on the same grid. Returns None where a side has no rows, or no share
    changed.
    """
    if not ref.rows or not cur.rows:
        return None
    before = ref.bins / ref.rows
    now = group_counts(cur.counts, ref.cuts) / cur.rows
    change = now - before
    first = int(np.argmax(np.abs(change)))
    if not change[first]:
        return None
    starts = [0, *(int(cut) for cut in ref.cuts)]
    ends = [*starts[1:], len(ref.counts)]
    # A change of the same direction is positive, and 1 for the largest.
    relative = change / change[first]

    def is_value(group: int) -> bool:
        return ends[group] - starts[group] == 1 and starts[group] % 2 == 1

    if is_value(first):
        alike = [
            group
            for group in np.argsort(-relative, kind="stable").tolist()
            if relative[group] >= JOIN_VALUES and is_value(group)
        ][:MOST_VALUES]
        return MovedValues(
            values=tuple(sorted(float(ref.edges[starts[group] // 2]) for group in alike)),
            share_was=float(before[alike].sum()),
            share=float(now[alike].sum()),
        )
    low = high = first
    while low > 0 and relative[low - 1] >= JOIN_RANGES:
        low -= 1
    while high < len(starts) - 1 and relative[high + 1] >= JOIN_RANGES:
        high += 1
    # Cell 2i is the open interval below edge i, cell 2i+1 the edge itself.
    left, right = (starts[low] - 1) // 2, ends[high] // 2
    has_left = starts[low] > 0
    if starts[low] % 2 == 1:
        left = starts[low] // 2
    if ends[high] % 2 == 0:
        right = ends[high] // 2 - 1
    return MovedValues(
        low=float(ref.edges[left]) if has_left else None,
        high=float(ref.edges[right]) if right < len(ref.edges) else None,
        share_was=float(before[low : high + 1].sum()),
        share=float(now[low : high + 1].sum()),
    )
