"""Rows and losses of all slices, as sums that add up over windows.

The rows of a window are counted once; a search then adds up windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.stats.performance.slice_conditions import CodedColumns, SliceCondition, mask_rows
from driftline.types.arrays import Columns, Floats, Ints

Counts = NDArray[np.int32]
SINGLE_SHARE = 0.85
"""The part of the level that belongs to slices of one condition."""
PROMISING_ERRORS = 2.0
"""Standard errors from which on the exact test is worth its time."""


def is_binary(losses: Floats) -> bool:
    """Whether each loss is 0 or 1."""
    return bool(((losses == 0) | (losses == 1)).all())


class SliceGrid:
    """All slices of one or two of these conditions; two of them are on different columns.

    The first m slices have one condition each, in the order of `conditions`.
    """

    def __init__(self, conditions: Sequence[SliceCondition]) -> None:
        self.conditions = tuple(conditions)
        columns = np.array([condition.column for condition in self.conditions])
        pairs = np.argwhere(np.triu(columns[:, None] != columns[None, :], 1))
        single = np.arange(len(columns))
        self.first: Ints = np.concatenate((single, pairs[:, 0]))
        """The place of the first condition of each slice, shape (slices,)."""
        self.second: Ints = np.concatenate((single, pairs[:, 1]))
        """The place of the second one; for a slice of one condition the same place."""

    def __len__(self) -> int:
        """The number of slices."""
        return len(self.first)

    @cached_property
    def factors(self) -> Floats:
        """By what the p-value of each slice is multiplied: the slices looked at, (slices,)."""
        names = [condition.column for condition in self.conditions]
        parts = {
            condition.column: 1 if condition.category is None else 2
            for condition in self.conditions
            if condition.category is not None
            or condition.low is not None
            or condition.high is not None
        }
        sizes = {name: names.count(name) for name in names}
        total = sum(parts.get(name, 1) for name in sizes)
        factors = np.empty(len(self))
        count = len(names)
        factors[:count] = [total * sizes[name] / parts.get(name, 1) for name in names]
        factors[:count] /= SINGLE_SHARE
        factors[count:] = max(len(self) - count, 1) / (1 - SINGLE_SHARE)
        return factors

    @cached_property
    def promising(self) -> Floats:
        """Standard errors below which no corrected p-value is below 1, or not of interest.

        No exact p-value of two shares is below exp(-z^2) / 2: the thinnest tail is that of a
        Poisson count of 0.
        """
        least = 0.99 * np.sqrt(np.log(np.maximum(self.factors / 2, 1.0)))
        count = len(self.conditions)
        # Conditions compete for the pairs that are looked at by their p-values alone.
        least[:count] = PROMISING_ERRORS
        return np.maximum(least, PROMISING_ERRORS)

    def total(self, parts: Sequence[SliceTallies]) -> SliceTallies:
        """The tallies of several windows together; of none they are 0."""
        if len(parts) == 1:
            return parts[0]
        counts_errors = all(part.counts_errors for part in parts)
        rows = np.zeros(len(self), np.int32)
        kind = np.int32 if counts_errors else np.float64
        sums: NDArray[Any] = np.zeros(len(self), kind)
        squares: NDArray[Any] = np.zeros(len(self), kind)
        for part in parts:
            rows += part.rows
            sums += part.sums
            if not counts_errors:
                squares += part.squares
        return SliceTallies(
            rows,
            sums,
            sums if counts_errors else squares,
            all_rows=sum(part.all_rows for part in parts),
            all_sum=sum(part.all_sum for part in parts),
            all_squares=sum(part.all_squares for part in parts),
        )

    def count(self, columns: Columns | CodedColumns, losses: Floats) -> SliceTallies:
        """Count the rows of each slice, and add up their losses, shape (rows,)."""
        masks = mask_rows(columns, self.conditions)
        of_all = {
            "all_rows": float(len(losses)),
            "all_sum": float(losses.sum()),
            "all_squares": float(losses @ losses),
        }
        if len(losses) < 2**24 and is_binary(losses):
            # Counts below 2^24 are exact in 32 bits; the sums need the rows with an error alone.
            ones = masks.astype(np.float32)
            errors = ones[:, losses == 1]
            sums = self._of_slices(errors @ errors.T).astype(np.int32)
            return SliceTallies(
                self._of_slices(ones @ ones.T).astype(np.int32), sums, sums, **of_all
            )
        numbers = masks.astype(np.float64)
        weighted = numbers * losses
        return SliceTallies(
            self._of_slices(numbers @ numbers.T).astype(np.int32),
            self._of_slices(numbers @ weighted.T),
            self._of_slices(weighted @ weighted.T),
            **of_all,
        )

    def _of_slices(self, matrix: NDArray[Any]) -> NDArray[Any]:
        return matrix.ravel()[self._places]

    @cached_property
    def _places(self) -> Ints:
        return np.asarray(self.first * len(self.conditions) + self.second)


@dataclass(frozen=True, slots=True)
class SliceTallies:
    """Rows, sums of losses and of their squares, of each slice and of all rows."""

    rows: Counts
    """Shape (slices,)."""
    sums: Counts | Floats
    squares: Counts | Floats
    """The same array as `sums` where each loss is 0 or 1."""
    _: KW_ONLY
    all_rows: float
    all_sum: float
    all_squares: float

    @property
    def counts_errors(self) -> bool:
        """Whether each loss is 0 or 1."""
        return self.squares is self.sums

    def others(self) -> SliceTallies:
        """The rows that are not in each slice."""
        sums = np.asarray(self.all_sum - self.sums, np.float64)
        return SliceTallies(
            np.asarray(int(self.all_rows) - self.rows, np.int32),
            sums,
            sums if self.counts_errors else np.asarray(self.all_squares - self.squares),
            all_rows=self.all_rows,
            all_sum=self.all_sum,
            all_squares=self.all_squares,
        )

    def at(self, places: Ints) -> SliceTallies:
        """Those of some slices."""
        sums = self.sums[places]
        return SliceTallies(
            self.rows[places],
            sums,
            sums if self.counts_errors else self.squares[places],
            all_rows=self.all_rows,
            all_sum=self.all_sum,
            all_squares=self.all_squares,
        )
