"""Splits the change of a mean loss by each column, and ranks the columns.

A column's part is what one of its segments did: rows that became more frequent, or whose loss
changed. A split shows where the change is, not its cause.

Source: Kitagawa 1955 (change of size and change within).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from driftline.stats.performance.decomposition import decompose
from driftline.stats.performance.slice_conditions import CodedColumn, SliceCondition
from driftline.stats.performance.slices import LossSample
from driftline.types.arrays import Columns, Ints

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


@dataclass(frozen=True, slots=True)
class Driver:
    """The change of the mean loss, split by the segments of one column."""

    column: str
    segments: tuple[Segment, ...]

    @property
    def mix(self) -> float:
        """What the change of the sizes did."""
        return math.fsum(segment.mix for segment in self.segments)

    @property
    def within(self) -> float:
        """What the change of the losses did."""
        return math.fsum(segment.within for segment in self.segments)

    @property
    def total(self) -> float:
        """The whole change; the same for every column."""
        return self.mix + self.within

    @property
    def excess(self) -> float:
        """The part of the change that the column explains.

        That is what the sizes did, and what the losses did beyond an equal change in all segments.
        """
        change = self.within
        uneven = math.fsum(
            abs(s.within - change * (s.share + s.share_before) / 2) for s in self.segments
        )
        return abs(self.mix) + uneven / 2


def rank_drivers(before: LossSample, now: LossSample) -> list[Driver]:
    """Split the change of the mean loss by each column; the column that explains most comes first.

    Each split adds up to the change exactly. A column that is absent on a side is left out. The
    result is empty where a side has no rows.
    """
    if not len(before.losses) or not len(now.losses):
        return []
    drivers = [
        Driver(name, _split(name, before, now)) for name in before.columns if name in now.columns
    ]
    return sorted(drivers, key=lambda driver: (-driver.excess, driver.column))


def _split(name: str, before: LossSample, now: LossSample) -> tuple[Segment, ...]:
    texts, codes_before, codes_now = _segments(name, before.columns, now.columns)
    count = len(texts)
    sides = []
    for codes, losses in ((codes_before, before.losses), (codes_now, now.losses)):
        rows = np.bincount(codes, minlength=count).astype(np.float64)
        sums = np.bincount(codes, losses, minlength=count)
        mean = np.where(rows > 0, sums / np.maximum(rows, 1), losses.mean())
        sides.append((rows / len(codes), mean))
    (share_before, loss_before), (share, loss) = sides
    parts = decompose(share_before, share, loss_before, loss)
    return tuple(
        Segment(
            text=text,
            share_before=float(share_before[place]),
            share=float(share[place]),
            loss_before=float(loss_before[place]),
            loss=float(loss[place]),
            mix=float(parts.mix[place]),
            within=float(parts.within[place]),
        )
        for place, text in enumerate(texts)
        if share_before[place] or share[place]
    )


def _segments(name: str, before: Columns, now: Columns) -> tuple[list[str], Ints, Ints]:
    """The segments of a column, and the segment of each row on both sides."""
    first, second = CodedColumn(before[name]), CodedColumn(now[name])
    if first.names or second.names:
        counts = np.bincount(first.codes[~first.is_missing], minlength=len(first.names))
        order = sorted(first.names, key=lambda text: (-counts[first.names[text]], text))
        conditions = [SliceCondition(name, category=text) for text in order[:MOST_SEGMENTS]]
    else:
        known = first.numbers[~first.is_missing]
        cuts: list[float] = []
        if len(known):
            quantiles = np.quantile(known, np.arange(1, PARTS) / PARTS, method="lower")
            cuts = np.unique(quantiles).tolist()
        ends = [None, *cuts, None]
        conditions = (
            [SliceCondition(name, low=a, high=b) for a, b in pairwise(ends)] if cuts else []
        )
    conditions = [*conditions, SliceCondition(name)]
    texts = [condition.text for condition in conditions] + [f"other values of {name}"]
    codes = []
    for column in (first, second):
        code = np.full(len(column.is_missing), len(conditions), np.int64)
        for place, condition in enumerate(conditions):
            code[condition.holds(column)] = place
        codes.append(code)
    return texts, codes[0], codes[1]
