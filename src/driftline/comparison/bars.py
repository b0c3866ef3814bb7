"""How the values of a column are spread in two tables, as a few bars."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from driftline.profiles.window import CategoricalColumn, Column, NumericColumn
from driftline.types.phrasing import OTHER_CATEGORIES, number, value_text

NUMERIC_BARS, CATEGORIES = 16, 8
"""The most bars of a column of numbers, and the most categories with a bar of their own."""
Bars = list[tuple[str, float, float]]


def make_bars(reference: Column | None, current: Column | None) -> Bars:
    """Return name, share in the reference and share in the current table of each bar.

    Shares are of the rows with a value. Empty where the two can't be compared.
    """
    if isinstance(reference, NumericColumn) and isinstance(current, NumericColumn):
        return _numeric(reference, current)
    if isinstance(reference, CategoricalColumn) and isinstance(current, CategoricalColumn):
        return _categorical(reference, current)
    return []


def _numeric(reference: NumericColumn, current: NumericColumn) -> Bars:
    """Bars between edges of the grid that are about evenly spaced."""
    edges = reference.edges
    if not reference.count or not current.count or not len(edges):
        return []
    low, high = (reference.quantile(level) for level in (0.01, 0.99))
    if low is None or high is None:
        return []
    wanted = np.linspace(low, high, NUMERIC_BARS - 1)
    places = np.clip(np.searchsorted(edges, wanted), 0, len(edges) - 1)
    cuts = edges[np.unique(places)]
    shares = [column.binned(cuts) / max(column.count, 1) for column in (reference, current)]
    ends = [number(float(cut)) for cut in cuts]
    names = [f"up to {ends[0]}"]
    names += [f"{left} to {right}" for left, right in pairwise(ends)]
    names.append(f"above {ends[-1]}")
    bars = list(zip(names, map(float, shares[0]), map(float, shares[1]), strict=True))
    return [bar for place, bar in enumerate(bars) if bar[1] or bar[2] or 0 < place < len(bars) - 1]


def _categorical(reference: CategoricalColumn, current: CategoricalColumn) -> Bars:
    """Bars of the categories that are frequent in either table, and one for all others."""
    totals = max(reference.count, 1), max(current.count, 1)
    shares = {
        name: (reference.counts.get(name, 0) / totals[0], current.counts.get(name, 0) / totals[1])
        for name in {**reference.counts, **current.counts}
    }
    names = sorted(shares, key=lambda name: (-max(shares[name]), name))[:CATEGORIES]
    bars = [(value_text(name), *shares[name]) for name in names]
    others = [
        1 - sum(column.counts.get(name, 0) for name in names) / total
        for column, total in zip((reference, current), totals, strict=True)
        if column.count
    ]
    if len(others) == 2 and max(others) > 1e-9:
        bars.append((OTHER_CATEGORIES, max(others[0], 0.0), max(others[1], 0.0)))
    return bars
