"""Says why a column of a window can't be compared with the same column of its reference."""

from __future__ import annotations

import numpy as np

from driftline.profiles.numeric import LARGEST
from driftline.profiles.window import Column, NumericColumn


def count_values(column: Column) -> int:
    """Return the number of values that the distribution of a column is made of."""
    return column.side.rows if isinstance(column, NumericColumn) else column.count


def find_obstacle(reference: Column | None, current: Column | None) -> str:
    """Return why the distributions of two columns can't be compared; "" where they can.

    Numeric columns are comparable when both were counted on the same grid.

    Args:
        reference: The column of the reference; None where the reference has no such column.
        current: The column of the window; None where the window has no such column.
    """
    if reference is None:
        return "the reference has no such column"
    if not count_values(reference):
        return f"the reference has {absent_values(reference)} in this column"
    if current is None:
        return "the window has no such column"
    if current.kind != reference.kind:
        return f"{current.kind} here, {reference.kind} in the reference"
    if not count_values(current):
        return f"{absent_values(current)} in the window"
    if isinstance(reference, NumericColumn) and isinstance(current, NumericColumn):
        edges = reference.edges
        if edges is not current.edges and not np.array_equal(edges, current.edges):
            return "counted on another grid than the reference"
        return "" if len(edges) else "no grid yet"
    return ""


def absent_values(column: Column) -> str:
    """Return what a column without usable values has: no values, or only values too large."""
    if isinstance(column, NumericColumn) and column.infinities:
        return f"only values that are infinite or beyond {LARGEST:g}"
    return "no values"
