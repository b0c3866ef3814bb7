"""Searches for slices of rows where a model errs more than elsewhere, or more than before.

A slice is what one or two conditions on columns hold for. Its p-value counts all slices that were
looked at: 85% of the level belong to slices of one condition, the rest to those of two. A column of
categories has two parts of it and one of numbers one part: cuts of one column are nearly the same.

Sources: Chung et al. 2019 (Slice Finder); Sagadeeva & Boehm 2021 (SliceLine); Fisher 1922 (exact
test of two shares); Welch 1947 (means of unequal variance).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from driftline.stats.performance.slice_conditions import (
    FEWEST_ROWS,
    SliceCondition,
    make_conditions,
    mask_rows,
)
from driftline.stats.performance.slice_tallies import Counts, SliceGrid, SliceTallies, is_binary
from driftline.types.arrays import Columns, Floats, Mask

MOST_CONDITIONS = 240
"""Conditions that are combined in pairs."""
WEAK_ROWS = 50
"""The fewest rows of a slice that is compared with the other rows of the same sample."""
EXPLAINED_SHARE = 0.8
"""A slice is named by one of its conditions where that has this share of its effect."""
LEAST_GAP = 0.05
"""The smallest difference of error rates that matters."""
LEAST_GROWTH = 0.2
"""The smallest difference of other losses that matters, as a share of their mean."""
SMALLEST_P = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A slice with its mean loss, and what that is compared with."""

    conditions: tuple[SliceCondition, ...]
    rows: int
    share: float
    """Its share of the rows."""
    loss: float
    """Mean loss of its rows; for classes, the share of errors."""
    other_loss: float
    """Mean loss of the other rows, or of the same slice before."""
    interval: tuple[float, float]
    """95% interval of the difference of both."""
    p_value: float
    """Corrected for all slices that were looked at."""

    @property
    def text(self) -> str:
        """Its conditions for people."""
        return " and ".join(condition.text for condition in self.conditions)

    @property
    def gap(self) -> float:
        """Mean loss less the one that it is compared with."""
        return self.loss - self.other_loss


@dataclass(frozen=True, slots=True)
class LossSample:
    """Rows with their loss."""

    columns: Columns
    losses: Floats
    """Loss of each row, shape (rows,), finite: 1 for an error and 0 else, or any size."""

    def __post_init__(self) -> None:
        if any(len(values) != len(self.losses) for values in self.columns.values()):
            raise ValueError("each column needs one value for each loss")

    @property
    def is_binary(self) -> bool:
        """Whether each loss is 0 or 1."""
        return is_binary(self.losses)


def find_weak_slices(sample: LossSample, *, level: float = 0.05, most: int = 5) -> list[Slice]:
    """The slices that err more than the other rows of the same sample, the worst first.

    `level` is the chance that any slice is returned where the loss depends on no column. A slice of
    which another one explains 80% is left out.
    """
    conditions = make_conditions(sample.columns)
    if not conditions:
        return []
    grid = SliceGrid(conditions)
    masks = mask_rows(sample.columns, conditions)
    tallies = grid.count(sample.columns, sample.losses)
    return weak_slices(grid, tallies, masks.__getitem__, level=level, most=most)


def find_worse_slices(
    before: LossSample, now: LossSample, *, level: float = 0.05, most: int = 3
) -> list[Slice]:
    """The slices that err more than the same slices did before, the worst first.

    A slice is left out where the other rows may have become as much worse: then all rows did.
    `level` is the chance that any slice is returned where nothing changed.
    """
    conditions = make_conditions(before.columns)
    if not len(now.losses) or not conditions:
        return []
    grid = SliceGrid(conditions)
    masks = mask_rows(now.columns, conditions)
    earlier, recent = (grid.count(side.columns, side.losses) for side in (before, now))
    return worse_slices(grid, earlier, recent, masks.__getitem__, level=level, most=most)


MaskOf = Callable[[int], Mask]
"""Returns for which rows a condition holds, shape (rows,), by its place in the grid."""


def weak_slices(
    grid: SliceGrid, tallies: SliceTallies, mask: MaskOf, *, level: float = 0.05, most: int = 5
) -> list[Slice]:
    """The slices of a grid that err more than the other rows, see `find_weak_slices`."""
    if tallies.all_rows < 2 * WEAK_ROWS or not len(grid):
        return []
    others = tallies.others()
    corrected = _corrected(grid, tallies, others, fewest=WEAK_ROWS, is_split=True)
    return _select(grid, tallies, others, corrected, mask, level=level, most=most)


def worse_slices(
    grid: SliceGrid,
    before: SliceTallies,
    now: SliceTallies,
    mask: MaskOf | None = None,
    *,
    level: float = 0.05,
    most: int = 3,
) -> list[Slice]:
    """The slices of a grid that err more than they did before, see `find_worse_slices`.

    `mask` is for the rows of now; without it slices may overlap.
    """
    if not before.all_rows or not now.all_rows or not len(grid):
        return []
    corrected = _corrected(grid, now, before, fewest=FEWEST_ROWS, is_split=False)
    return _select(grid, now, before, corrected, mask, level=level, most=most)


def _corrected(
    grid: SliceGrid, now: SliceTallies, other: SliceTallies, *, fewest: int, is_split: bool
) -> Floats:
    """p-values that the loss of each slice is not larger, corrected for all slices, (slices,).

    1 where there are too few rows. With `is_split` the other rows are those of the same windows;
    else they are the rows before, and a change of all rows alike counts as none of a slice.
    """
    counts_errors = now.counts_errors and other.counts_errors
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, other_mean = now.sums / now.rows, other.sums / other.rows
        if counts_errors:
            pooled = (now.sums + other.sums) / (now.rows + other.rows)
            variance = pooled * (1 - pooled) * (1 / now.rows + 1 / other.rows)
        else:
            own = (now.squares - now.sums * mean) / (now.rows - 1)
            others = (other.squares - other.sums * other_mean) / (other.rows - 1)
            variance = own / now.rows + others / other.rows
        z = (mean - other_mean) / np.sqrt(variance)
    is_promising = (now.rows >= fewest) & (other.rows >= fewest) & (z >= grid.promising)
    places = np.flatnonzero(is_promising & np.isfinite(z))
    corrected = np.ones(len(grid))
    if not len(places):
        return corrected
    count = len(grid.conditions)
    least_p = np.zeros(len(places))
    if not is_split:
        least_p = _own_change_p(now.at(places), other.at(places))
        # Most are left out before the exact test, which takes longer.
        competes = (places < count) & (count > MOST_CONDITIONS)
        is_open = competes | (least_p * grid.factors[places] < 1)
        places, least_p = places[is_open], least_p[is_open]
        if not len(places):
            return corrected
    if counts_errors:
        now_part, other_part = now.at(places), other.at(places)
        p = _fisher(now_part.sums, now_part.rows, other_part.sums, other_part.rows)
    else:
        from scipy.special import ndtr

        p = np.asarray(ndtr(-z[places]))
    p = np.maximum(p, least_p)
    if count > MOST_CONDITIONS:
        # All pairs still count: which ones are looked at depends on the rows.
        single = np.ones(count)
        is_single = places < count
        single[places[is_single]] = p[is_single]
        is_kept = np.zeros(count, np.bool_)
        is_kept[np.argsort(single, kind="stable")[:MOST_CONDITIONS]] = True
        first, second = grid.first[places], grid.second[places]
        p = np.where(is_single | (is_kept[first] & is_kept[second]), p, 1.0)
    corrected[places] = np.minimum(p * grid.factors[places], 1.0)
    return corrected


def _own_change_p(now: SliceTallies, before: SliceTallies) -> Floats:
    """p-values that each slice changed no more than the other rows, shape (slices,)."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        n, n_before = now.rows.astype(np.float64), before.rows.astype(np.float64)
        others, others_before = now.all_rows - n, before.all_rows - n_before
        other = (now.all_sum - now.sums) / others
        other_before = (before.all_sum - before.sums) / others_before
        shift = other - other_before
        gap = now.sums / n - before.sums / n_before
        # The variance of the slice is that of its mean if it had moved as the others did.
        pooled = (now.sums + before.sums + n_before * shift) / (n + n_before)
        variance = (
            _spread(now, pooled) / n
            + _spread(before, pooled - shift) / n_before
            + _spread_of_others(now) / others
            + _spread_of_others(before) / others_before
        )
        p = ndtr(-(gap - shift) / np.sqrt(variance))
    return np.where(np.isfinite(p), p, 1.0)


def _spread(tallies: SliceTallies, mean: Floats) -> Floats:
    """The variance of one loss: that of an error with this mean, or the one of the rows."""
    if tallies.all_sum == tallies.all_squares:
        return np.asarray(np.clip(mean, 0.0, 1.0) * (1 - np.clip(mean, 0.0, 1.0)) + 1e-9)
    own = tallies.squares / tallies.rows - (tallies.sums / tallies.rows) ** 2
    return np.asarray(np.maximum(own, 0.0) + 1e-300)


def _spread_of_others(tallies: SliceTallies) -> Floats:
    rows = tallies.all_rows - tallies.rows
    mean = (tallies.all_sum - tallies.sums) / rows
    return np.asarray(np.maximum((tallies.all_squares - tallies.squares) / rows - mean**2, 0.0))


def _fisher(*counts: Counts | Floats) -> Floats:
    """Mid-p values of Fisher's exact test that the first share of errors is not larger.

    `counts` are errors and rows, and those of the other side, each of shape (slices,).
    """
    from scipy.special import gammaln

    errors, rows, other_errors, other_rows = (part.astype(np.float64) for part in counts)

    def choose(n: Floats, k: Floats) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), np.float64)

    total, failures = rows + other_rows, errors + other_errors
    term = np.exp(
        choose(failures, errors) + choose(total - failures, rows - errors) - choose(total, rows)
    )
    p, place = term / 2, errors.copy()
    # Above the mean the terms fall faster than a geometric series.
    while bool((term > 1e-15 * p).any()):
        left = total - failures - rows + place + 1
        term = term * (failures - place) * (rows - place) / ((place + 1) * np.maximum(left, 1))
        p = p + term
        place += 1
    return np.minimum(p, 1.0)


def _select(
    grid: SliceGrid,
    now: SliceTallies,
    other: SliceTallies,
    corrected: Floats,
    mask: MaskOf | None,
    *,
    level: float,
    most: int,
) -> list[Slice]:
    # A slice with a corrected p-value of 1 says nothing, whatever the level.
    places = np.flatnonzero((corrected <= level) & (corrected < 1))
    if not len(places):
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = np.nan_to_num(now.sums / now.rows - other.sums / other.rows)
    count = len(grid.conditions)
    rows_of_all = max(float(other.rows[:count].sum()), 1.0)
    size = max(abs(float(other.sums[:count].sum()) / rows_of_all), 1e-12)
    least = LEAST_GAP if 0 <= size <= 1 and now.counts_errors else LEAST_GROWTH * size
    order = sorted(
        (float(corrected[place]), int(grid.first[place]), int(grid.second[place]), int(place))
        for place in places
        if gaps[place] >= least
    )
    selection: list[Slice] = []
    covered: list[Mask] = []
    for p_value, first, second, pair in order:
        place = next(
            (one for one in (first, second) if gaps[one] >= EXPLAINED_SHARE * gaps[pair]), pair
        )
        conditions = int(grid.first[place]), int(grid.second[place])
        if mask is not None:
            rows = mask(conditions[0]) & mask(conditions[1])
            if any(_overlap(rows, others) >= 0.5 for others in covered):
                continue
            covered.append(rows)
        selection.append(
            Slice(
                conditions=tuple(grid.conditions[one] for one in dict.fromkeys(conditions)),
                rows=int(now.rows[place]),
                share=float(now.rows[place]) / now.all_rows,
                loss=float(now.sums[place] / now.rows[place]),
                other_loss=float(other.sums[place] / other.rows[place]),
                interval=_interval(now, other, place),
                p_value=max(p_value, SMALLEST_P),
            )
        )
        if len(selection) == most:
            break
    return selection


def _overlap(rows: Mask, others: Mask) -> float:
    """Common rows over the rows of the smaller slice."""
    return float((rows & others).sum()) / max(min(int(rows.sum()), int(others.sum())), 1)


def _interval(now: SliceTallies, other: SliceTallies, place: int) -> tuple[float, float]:
    variance = 0.0
    for side in (now, other):
        n = float(side.rows[place])
        mean = float(side.sums[place]) / n
        spread = max(float(side.squares[place]) - n * mean**2, 0.0) / max(n - 1, 1.0)
        # Half an error is added: a share of 0 has an error, too.
        variance += max(spread, 0.25 / n if now.counts_errors else 0.0) / n
    gap = float(now.sums[place] / now.rows[place] - other.sums[place] / other.rows[place])
    half = 1.96 * math.sqrt(variance)
    return gap - half, gap + half
