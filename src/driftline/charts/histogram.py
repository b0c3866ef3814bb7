"""Two distributions of one column on the same bars: a window and its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from driftline.profiles.window import CategoricalColumn, Column, NumericColumn
from driftline.types.arrays import Floats
from driftline.types.phrasing import clean, number

BARS = 24
CATEGORIES = 12
TAIL = 0.005
"""The share of the values at either end that share the outer bars."""
LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""The quantiles of a column."""
REST = "all others"
MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a range of numbers, or a category."""

    name: str
    share: float
    """Of the rows of the window."""
    share_before: float | None
    """Of the rows of the reference; None without a reference."""


@dataclass(frozen=True, slots=True)
class QuantilePair:
    """One quantile of a column of numbers, in the window and in its reference."""

    level: float
    """The share of the values at or below it."""
    value: float
    before: float | None
    """None without a reference."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """The bars of a column, in their order."""

    bars: Sequence[Bar]
    is_numeric: bool
    quantiles: Sequence[QuantilePair] = ()
    """Of numbers only, from the lowest to the highest."""


def compare_columns(now: Column, before: Column | None) -> Histogram | None:
    """The bars of a column in a window and in its reference; None without rows.

    Numbers lie in bars of one width between the outer 0.5% of both sides. A cell of the grid that
    lies in several bars is divided among them by its length. Of categories there are the most
    frequent ones of both sides.
    """
    if not now.rows:
        return None
    if isinstance(now, NumericColumn):
        return _numeric(now, before if isinstance(before, NumericColumn) else None)
    return _categorical(now, before if isinstance(before, CategoricalColumn) else None)


def _numeric(now: NumericColumn, before: NumericColumn | None) -> Histogram | None:
    sides = [side for side in (now, before) if side is not None and side.count]
    if not sides:
        return None
    low = min(side.quantile(TAIL) or 0.0 for side in sides)
    high = max(side.quantile(1 - TAIL) or 0.0 for side in sides)
    distinct = np.unique(np.concatenate([_held_edges(side) for side in sides]))
    if len(distinct) <= BARS and all(_is_exact(side) for side in sides):
        breaks, names = None, [number(float(value)) for value in distinct]
        counts = [_exact_counts(side, distinct) for side in sides]
    else:
        if low == high:
            low, high = low - 0.5, high + 0.5
        breaks = np.linspace(low, high, BARS + 1)
        names = [f"{number(float(a))} to {number(float(b))}" for a, b in pairwise(breaks)]
        counts = [_bar_counts(side, breaks) for side in sides]
    by_side = dict(zip(map(id, sides), counts, strict=True))
    counts_now = by_side.get(id(now), np.zeros(len(names)))
    counts_before = None if before is None else by_side.get(id(before), np.zeros(len(names)))
    bars = [
        Bar(
            name,
            float(counts_now[place]) / now.rows,
            None
            if before is None or counts_before is None
            else float(counts_before[place]) / max(before.rows, 1),
        )
        for place, name in enumerate(names)
    ]
    bars.append(_missing(now, before))
    return Histogram(
        [bar for bar in bars if bar.name != MISSING or bar.share or bar.share_before],
        True,
        _quantiles(now, before),
    )


def _quantiles(now: NumericColumn, before: NumericColumn | None) -> list[QuantilePair]:
    if not now.count:
        return []
    old = None if before is None or not before.count else before
    pairs = [
        (level, now.quantile(level), None if old is None else old.quantile(level))
        for level in LEVELS
    ]
    return [QuantilePair(level, value, was) for level, value, was in pairs if value is not None]


def _held_edges(side: NumericColumn) -> Floats:
    held: Floats = side.edges[np.asarray(side.counts[1::2]) > 0]
    return held


def _is_exact(side: NumericColumn) -> bool:
    """Whether all values are known exactly: none lies between two edges."""
    return not np.asarray(side.counts[0::2]).any()


def _exact_counts(side: NumericColumn, values: Floats) -> Floats:
    counts = dict(zip(side.edges.tolist(), side.counts[1::2].tolist(), strict=True))
    return np.array([counts.get(value, 0) for value in values.tolist()], float)


def _bar_counts(side: NumericColumn, breaks: Floats) -> Floats:
    """Rows in each bar; the outer bars take what lies beyond them."""
    bars = np.zeros(len(breaks) - 1)
    edges, counts = side.edges, np.asarray(side.counts, float)
    places = np.clip(np.searchsorted(breaks, edges, "right") - 1, 0, len(bars) - 1)
    np.add.at(bars, places, counts[1::2])
    bars[0] += counts[0]
    bars[-1] += counts[-1]
    for place in np.flatnonzero(counts[2:-1:2]):
        low, high = float(edges[place]), float(edges[place + 1])
        inner = np.clip(breaks, low, high)
        inner[0], inner[-1] = low, high
        bars += counts[2 * place + 2] * np.diff(inner) / (high - low)
    return bars


def _categorical(now: CategoricalColumn, before: CategoricalColumn | None) -> Histogram:
    rows_before = 0 if before is None else before.rows
    known = {} if before is None else before.counts
    ranked = sorted(
        now.counts.keys() | known.keys(),
        key=lambda name: (
            -max(now.counts.get(name, 0) / now.rows, known.get(name, 0) / max(rows_before, 1)),
            name,
        ),
    )
    shown = ranked[:CATEGORIES]
    bars = [
        Bar(
            clean(name, 60) or "(empty)",
            now.counts.get(name, 0) / now.rows,
            None if before is None else known.get(name, 0) / max(rows_before, 1),
        )
        for name in shown
    ]
    rest = now.count - sum(now.counts.get(name, 0) for name in shown)
    rest_before = None
    if before is not None:
        rest_before = before.count - sum(known.get(name, 0) for name in shown)
    if rest > 0 or rest_before:
        share = None if rest_before is None else rest_before / max(rows_before, 1)
        bars.append(Bar(REST, rest / now.rows, share))
    missing = _missing(now, before)
    if missing.share or missing.share_before:
        bars.append(missing)
    return Histogram(bars, is_numeric=False)


def _missing(now: Column, before: Column | None) -> Bar:
    share = None if before is None else before.missing / max(before.rows, 1)
    return Bar(MISSING, now.missing / now.rows, share)
