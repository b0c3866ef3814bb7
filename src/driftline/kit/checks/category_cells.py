"""The cells that a categorical column is compared on: its frequent categories, and all others.

The reference decides which categories are frequent, so the cells are the same in every window.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from driftline.profiles.window import CategoricalColumn

CATEGORIES = 50
"""The most categories with a cell of their own."""
RARE = 0.001
"""Share of the reference below which a category has no cell of its own."""
OTHERS = "all others"
"""The name of the last cell."""


class Cells(NamedTuple):
    """Rows by cell, of the reference and of a window; the last cell is `OTHERS`."""

    names: list[str]
    reference: list[int]
    current: list[int]


def count_cells(reference: CategoricalColumn, current: CategoricalColumn) -> Cells:
    """Count the rows of both sides by cell: the top 50 categories of at least 0.1%, then others."""
    names = [
        name
        for name, count in islice(reference.counts.items(), CATEGORIES)
        if count >= RARE * reference.count
    ]
    ref, cur = ([side.counts.get(name, 0) for name in names] for side in (reference, current))
    return Cells(
        [*names, OTHERS],
        [*ref, reference.count - sum(ref)],
        [*cur, current.count - sum(cur)],
    )
