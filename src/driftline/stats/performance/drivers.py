"""Splits the change of a mean loss by each column, and ranks the columns.

A column's part is what one of its segments did: rows that became more frequent, or whose loss
changed. A split shows where the change is, not its cause.

Source: Kitagawa 1955 (change of size and change within).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from driftline.stats.performance.decomposition import decompose
from driftline.stats.performance.slice_conditions import (
    CodedColumn,
    CodedColumns,
    SliceCondition,
    code_columns,
)
from driftline.stats.performance.slices import LossSample
from driftline.types.arrays import Columns, Floats, Ints

MOST_SEGMENTS = 20
"""Categories that are segments of their own; the others are one segment."""
PARTS = 5
"""Segments of a number: those between the fifths of the rows before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment of a column, before and now."""

    text: str
    """Its condition for people."""
    share_before: float
    share: float
    loss_before: float
    """Mean loss; that of all rows where it has none."""
    loss: float
    mix: float
    """What its change of size did to the mean loss of all rows."""
    within: float
    """What its change of loss did to the mean loss of all rows."""

    @property
    def effect(self) -> float:
        """Both parts."""
        return self.mix + self.within


@dataclass(frozen=True, kw_only=True)
class Driver:
    """The change of the mean loss, split by the segments of one column."""

    column: str
    texts: Sequence[str]
    """The conditions of its segments, for people; those without rows on both sides included."""
    values: Sequence[tuple[float, float, float, float, float, float]]
    """Of each segment the numbers of `Segment`, in their order."""

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Its segments with rows on a side."""
        return tuple(
            Segment(
                text=text,
                share_before=share_before,
                share=share,
                loss_before=loss_before,
                loss=loss,
                mix=mix,
                within=within,
            )
            for text, (share_before, share, loss_before, loss, mix, within) in zip(
                self.texts, self.values, strict=True
            )
            if share_before or share
        )

    @cached_property
    def mix(self) -> float:
        """What the change of the sizes did."""
        return math.fsum(value[4] for value in self.values)

    @cached_property
    def within(self) -> float:
        """What the change of the losses did."""
        return math.fsum(value[5] for value in self.values)

    @property
    def total(self) -> float:
        """The whole change; the same for every column."""
        return self.mix + self.within

    @cached_property
    def excess(self) -> float:
        """The part of the change that the column explains.

        That is what the sizes did, and what the losses did beyond an equal change in all segments.
        """
        change = self.within
        uneven = math.fsum(
            abs(within - change * (share + share_before) / 2)
            for share_before, share, _, _, _, within in self.values
        )
        return abs(self.mix) + uneven / 2


class DriverSegments:
    """The segments of every column, from the rows before.

    Those of numbers lie between the fifths; the 20 most frequent categories are segments of their
    own. Every column has one more for missing values, and one for all others.
    """

    def __init__(self, columns: Columns | CodedColumns) -> None:
        self.texts: dict[str, list[str]] = {}
        """The conditions of the segments of each column, for people."""
        self._places: dict[str, dict[str, int]] = {}
        self._cuts: dict[str, Floats] = {}
        for name, column in code_columns(columns).items():
            texts: list[str] = []
            if column.names:
                counts = np.bincount(column.codes[~column.is_missing], minlength=len(column.names))
                order = sorted(column.names, key=lambda text: (-counts[column.names[text]], text))
                order = order[:MOST_SEGMENTS]
                self._places[name] = {text: place for place, text in enumerate(order)}
                texts += [SliceCondition(name, category=text).text for text in order]
            else:
                known = column.numbers[~column.is_missing]
                if len(known):
                    quantiles = np.quantile(known, np.arange(1, PARTS) / PARTS, method="lower")
                    self._cuts[name] = np.unique(quantiles)
                    ends = [None, *self._cuts[name].tolist(), None]
                    texts += [SliceCondition(name, low=a, high=b).text for a, b in pairwise(ends)]
            self.texts[name] = [*texts, SliceCondition(name).text, f"other values of {name}"]

    def count(self, columns: Columns | CodedColumns, losses: Floats) -> SegmentTallies:
        """Count the rows of each segment, and add up their losses, shape (rows,)."""
        by_column: dict[str, tuple[Floats, Floats]] = {}
        for name, column in code_columns(columns).items():
            if name in self.texts:
                count = len(self.texts[name])
                cells = self._cells(name, column)
                by_column[name] = (
                    np.bincount(cells, minlength=count).astype(np.float64),
                    np.bincount(cells, losses, minlength=count).astype(np.float64),
                )
        return SegmentTallies(by_column, len(losses), float(losses.sum()))

    def _cells(self, name: str, column: CodedColumn) -> Ints:
        """The segment of each row."""
        other = len(self.texts[name]) - 1
        missing = other - 1
        if column.names or name not in self._cuts:
            return column.cells(self._places.get(name, {}), other, missing)
        cells = np.searchsorted(self._cuts[name], column.numbers)
        cells[column.is_missing] = missing
        return cells


@dataclass(frozen=True, slots=True)
class SegmentTallies:
    """Rows and sums of losses by segment, as sums that add up over windows."""

    by_column: Mapping[str, tuple[Floats, Floats]]
    """Rows and sums of each column's segments, each of shape (segments,)."""
    rows: int
    total: float

    def __add__(self, other: SegmentTallies) -> SegmentTallies:
        """Both together."""
        return SegmentTallies(
            {
                name: (rows + other.by_column[name][0], sums + other.by_column[name][1])
                for name, (rows, sums) in self.by_column.items()
                if name in other.by_column
            },
            self.rows + other.rows,
            self.total + other.total,
        )


def rank_drivers(before: LossSample, now: LossSample) -> list[Driver]:
    """Split the change of the mean loss by each column; the column that explains most comes first.

    Each split adds up to the change exactly. A column that is absent on a side is left out. The
    result is empty where a side has no rows.
    """
    segments = DriverSegments(before.columns)
    return rank_segments(segments, *(segments.count(s.columns, s.losses) for s in (before, now)))


def rank_segments(
    segments: DriverSegments, before: SegmentTallies, now: SegmentTallies
) -> list[Driver]:
    """Split the change of the mean loss by the columns of these segments, see `rank_drivers`."""
    if not before.rows or not now.rows:
        return []
    drivers = [
        _split(name, segments, before, now)
        for name in segments.texts
        if name in before.by_column and name in now.by_column
    ]
    return sorted(drivers, key=lambda driver: (-driver.excess, driver.column))


def _split(
    name: str, segments: DriverSegments, before: SegmentTallies, now: SegmentTallies
) -> Driver:
    sides = []
    for side in (before, now):
        rows, sums = side.by_column[name]
        mean = np.where(rows > 0, sums / np.maximum(rows, 1), side.total / side.rows)
        sides.append((rows / side.rows, mean))
    (share_before, loss_before), (share, loss) = sides
    parts = decompose(share_before, share, loss_before, loss)
    columns = (share_before, share, loss_before, loss, parts.mix, parts.within)
    values = zip(*(column.tolist() for column in columns), strict=True)
    return Driver(column=name, texts=segments.texts[name], values=tuple(values))
