"""Conditions on columns. One or two of them define a slice of rows.

A condition is a category, a range of numbers, or that the value is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from driftline.types.arrays import Columns, Floats, Mask

MOST_CATEGORIES = 20
"""Categories of a column that are conditions."""
FEW_VALUES = 10
"""A number of so few different values is a condition for each of them."""
LEAST_SHARE = 0.01
"""The least share of the rows of a condition."""
FEWEST_ROWS = 20
"""The fewest rows of a slice, on each side."""


class CodedColumn:
    """The values of a column as numbers: themselves, or the codes of categories."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.names: dict[str, int] = {}
        """Code by category; empty for numbers."""
        self.codes = np.full(len(values), -1, np.int64)
        """-1 for a missing value; shape (rows,)."""
        self.numbers = np.full(len(values), math.nan)
        """NaN for a missing value; shape (rows,)."""
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


@dataclass(frozen=True, slots=True)
class SliceCondition:
    """A condition on one column: a category, a range `low < x <= high`, or no value."""

    column: str
    category: str | None = None
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """The condition for people, such as `region = west` or `20 < age ≤ 30`."""
        if self.category is not None:
            return f"{self.column} = {self.category}"
        if self.low is None and self.high is None:
            return f"{self.column} is missing"
        if self.low is None:
            return f"{self.column} ≤ {self.high:.4g}"
        if self.high is None:
            return f"{self.column} > {self.low:.4g}"
        return f"{self.low:.4g} < {self.column} ≤ {self.high:.4g}"

    def holds(self, column: CodedColumn) -> Mask:
        """For which values of its column it holds, shape (rows,)."""
        if self.category is not None:
            return np.asarray(column.codes == column.names.get(self.category, -2), np.bool_)
        numbers, missing = column.numbers, column.is_missing
        if self.low is None and self.high is None:
            return missing
        inside = ~missing
        with np.errstate(invalid="ignore"):
            if self.low is not None:
                inside &= numbers > self.low
            if self.high is not None:
                inside &= numbers <= self.high
        return inside


def make_conditions(columns: Columns) -> list[SliceCondition]:
    """Return the conditions on these columns that slices may have.

    At least 1% of the rows, and 20 rows, meet each, and as many do not. Numbers are cut at their
    deciles, to both sides of them and between fifths; those with at most 10 different values have
    a condition for each.
    """
    conditions: list[SliceCondition] = []
    for name, values in columns.items():
        rows = len(values)
        least = max(FEWEST_ROWS, math.ceil(LEAST_SHARE * rows))
        column = CodedColumn(values)
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
    return conditions


def mask_rows(columns: Columns, conditions: Sequence[SliceCondition]) -> Mask:
    """Whether each condition holds, shape (rows, m); a column that is absent meets none."""
    rows = max((len(values) for values in columns.values()), default=0)
    masks = np.zeros((rows, len(conditions)), bool)
    coded: dict[str, CodedColumn] = {}
    for place, condition in enumerate(conditions):
        name = condition.column
        if name in columns:
            if name not in coded:
                coded[name] = CodedColumn(columns[name])
            masks[:, place] = condition.holds(coded[name])
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
