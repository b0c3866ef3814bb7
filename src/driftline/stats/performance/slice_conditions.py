"""Conditions on columns. One or two of them define a slice of rows.

A condition is a category, a range of numbers, or that the value is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from driftline.types.arrays import Columns, Floats, Ints, Mask

MOST_CATEGORIES = 20
"""Categories of a column that are conditions."""
FEW_VALUES = 10
"""A number of so few different values is a condition for each of them."""
LEAST_SHARE = 0.01
"""The least share of the rows of a condition."""
FEWEST_ROWS = 20
"""The fewest rows of a slice, on each side."""
_NO_CODES = np.empty(0, np.int64)
_NO_NUMBERS = np.empty(0)


class CodedColumn:
    """The values of a column as numbers: themselves, or the codes of categories."""

    __slots__ = ("codes", "is_missing", "names", "numbers")

    def __init__(self, values: Sequence[Any]) -> None:
        self.names: dict[str, int] = {}
        """Code by category; empty for numbers."""
        self.codes = _NO_CODES
        """-1 for a missing value; shape (rows,), and (0,) for numbers."""
        self.numbers = _NO_NUMBERS
        """NaN for a missing value; shape (rows,), and (0,) for categories."""
        # Whole columns by compiled code: a loop over the values took most of the time of a search.
        kinds = set(map(type, values))
        if any(issubclass(kind, str) for kind in kinds):
            texts = values
            if kinds - {str, type(None)}:
                texts = [None if value is None else str(value) for value in values]
            categories = [text for text in dict.fromkeys(texts) if text is not None]
            self.names = {text: code for code, text in enumerate(categories)}
            codes: dict[str | None, int] = {None: -1}
            codes.update(self.names.items())
            self.codes = np.fromiter(map(codes.__getitem__, texts), np.int64, len(texts))
            self.is_missing = self.codes < 0
        else:
            # numpy reads None as NaN.
            self.numbers = np.array(values, np.float64)
            self.is_missing = np.isnan(self.numbers)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.is_missing)

    def values(self) -> list[str | float | None]:
        """The values: text of categories, or numbers; None for a missing one."""
        if self.names:
            texts: list[str | None] = [*self.names, None]
            return [texts[code] for code in self.codes.tolist()]
        missing = self.is_missing.tolist()
        return [
            None if is_missing else number
            for number, is_missing in zip(self.numbers.tolist(), missing, strict=True)
        ]

    def take(self, is_kept: Mask) -> Self:
        """Return some of the rows."""
        part = copy(self)
        part.is_missing = self.is_missing[is_kept]
        if self.names:
            part.codes = self.codes[is_kept]
        else:
            part.numbers = self.numbers[is_kept]
        return part

    def cells(self, places: Mapping[str, int], other: int, missing: int) -> Ints:
        """The place of the category of each row, `other` where it has none; shape (rows,)."""
        if not self.names:
            return np.where(self.is_missing, missing, other)
        table = [places.get(name, other) for name in self.names]
        return np.array([*table, missing], np.int64)[self.codes]


CodedColumns = Mapping[str, CodedColumn]
"""Columns as numbers, by name."""


@dataclass(frozen=True, slots=True)
class SliceCondition:
    """A condition on one column: a category, a range `low < x <= high`, or no value."""

    column: str
    category: str | None = None
    _: KW_ONLY
    low: float | None = None
    high: float | None = None
    other_than: frozenset[str] | None = None
    """A category that is none of these."""

    @property
    def text(self) -> str:
        """The condition for people, such as `region = west` or `20 < age ≤ 30`."""
        if self.category is not None:
            return f"{self.column} = {self.category}"
        if self.other_than is not None:
            return f"{self.column} is new or rare"
        if self.low is None and self.high is None:
            return f"{self.column} is missing"
        if self.low is None:
            return f"{self.column} ≤ {self.high:.4g}"
        if self.high is None:
            return f"{self.column} > {self.low:.4g}"
        return f"{self.low:.4g} < {self.column} ≤ {self.high:.4g}"

    def holds(self, column: CodedColumn) -> Mask:
        """For which values of its column it holds, shape (rows,)."""
        missing = column.is_missing
        if self.category is not None or self.other_than is not None:
            if not column.names:
                return np.zeros(len(column), np.bool_)
            if self.category is not None:
                return np.asarray(column.codes == column.names.get(self.category, -2), np.bool_)
            is_other = [name not in (self.other_than or ()) for name in column.names]
            return np.array([*is_other, False])[column.codes]
        if self.low is None and self.high is None:
            return missing
        if column.names:
            return np.zeros(len(column), np.bool_)
        inside, numbers = ~missing, column.numbers
        with np.errstate(invalid="ignore"):
            if self.low is not None:
                inside &= numbers > self.low
            if self.high is not None:
                inside &= numbers <= self.high
        return inside


def code_columns(columns: Columns | CodedColumns) -> CodedColumns:
    """Return columns as numbers; those that are numbers already stay as they are."""
    return {
        name: values if isinstance(values, CodedColumn) else CodedColumn(values)
        for name, values in columns.items()
    }


def make_conditions(
    columns: Columns | CodedColumns, *, with_new: bool = False
) -> list[SliceCondition]:
    """Return the conditions on these columns that slices may have.

    At least 1% of the rows, and 20 rows, meet each, and as many do not. Numbers are cut at their
    deciles, to both sides of them and between fifths; those with at most 10 different values have
    a condition for each. With `with_new` the categories that these rows lack are one condition
    more for each column of categories.
    """
    conditions: list[SliceCondition] = []
    for name, column in code_columns(columns).items():
        rows = len(column)
        least = max(FEWEST_ROWS, math.ceil(LEAST_SHARE * rows))
        if column.names:
            counts = np.bincount(column.codes[~column.is_missing], minlength=len(column.names))
            order = sorted(column.names, key=lambda text: (-counts[column.names[text]], text))
            options = [SliceCondition(name, category=text) for text in order[:MOST_CATEGORIES]]
        else:
            options = _ranges(name, column.numbers)
        options.append(SliceCondition(name))
        for option in options:
            met = int(option.holds(column).sum())
            if least <= met <= rows - least:
                conditions.append(option)
        if with_new and column.names:
            conditions.append(SliceCondition(name, other_than=frozenset(column.names)))
    return conditions


def mask_rows(columns: Columns | CodedColumns, conditions: Sequence[SliceCondition]) -> Mask:
    """Whether each condition holds, shape (m, rows); a column that is absent meets none."""
    coded = code_columns(columns)
    rows = max((len(values) for values in coded.values()), default=0)
    masks = np.zeros((len(conditions), rows), np.bool_)
    places: dict[str, list[int]] = {}
    for place, condition in enumerate(conditions):
        if condition.column in coded:
            places.setdefault(condition.column, []).append(place)
    for name, of_column in places.items():
        column = coded[name]
        ranges = [
            place
            for place in of_column
            if conditions[place].low is not None or conditions[place].high is not None
        ]
        for place in set(of_column).difference(ranges):
            masks[place] = conditions[place].holds(column)
        if ranges and not column.names:
            # All ranges of a column at once. NaN lies in none.
            lows = [conditions[place].low for place in ranges]
            highs = [conditions[place].high for place in ranges]
            above = np.array([-math.inf if low is None else low for low in lows])
            upto = np.array([math.inf if high is None else high for high in highs])
            inside = column.numbers <= upto[:, None]
            inside &= (column.numbers > above[:, None]) | np.isneginf(above)[:, None]
            masks[ranges] = inside
    return masks


def _ranges(name: str, numbers: Floats) -> list[SliceCondition]:
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return []
    distinct = np.unique(known)
    if len(distinct) <= FEW_VALUES:
        ends = [-math.inf, *distinct.tolist()]
        return [
            SliceCondition(name, low=None if math.isinf(low) else low, high=high)
            for low, high in pairwise(ends)
        ]
    cuts = np.quantile(known, np.arange(1, 10) / 10, method="lower").tolist()
    below = [SliceCondition(name, high=cut) for cut in dict.fromkeys(cuts[:5])]
    above = [SliceCondition(name, low=cut) for cut in dict.fromkeys(cuts[4:])]
    middle = [
        SliceCondition(name, low=low, high=high)
        for low, high in dict.fromkeys(zip(cuts[1:6:2], cuts[3:8:2], strict=True))
        if low < high
    ]
    return [*below, *above, *middle]
