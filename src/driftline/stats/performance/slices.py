"""Searches for slices of rows where a model errs more than elsewhere, or more than before.

A slice is what one or two conditions on columns hold for. Its p-value counts all slices that were
looked at: 85% of the level belong to slices of one condition, the rest to those of two. A column of
categories has two parts of it and one of numbers one part: cuts of one column are nearly the same.

Sources: Chung et al. 2019 (Slice Finder); Sagadeeva & Boehm 2021 (SliceLine); Fisher 1922 (exact
test of two shares); Welch 1947 (means of unequal variance).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from driftline.stats.performance.slice_conditions import (
    FEWEST_ROWS,
    SliceCondition,
    make_conditions,
    mask_rows,
)
from driftline.types.arrays import Columns, Floats, Mask

MOST_CONDITIONS = 240
"""Conditions that are combined in pairs."""
WEAK_ROWS = 50
"""The fewest rows of a slice that is compared with the other rows of the same sample."""
PROMISING_ERRORS = 2.0
"""Standard errors from which on the exact test is worth its time."""
EXPLAINED_SHARE = 0.8
"""A slice is named by one of its conditions where that has this share of its effect."""
LEAST_GAP = 0.05
"""The smallest difference of error rates that matters."""
LEAST_GROWTH = 0.2
"""The smallest difference of other losses that matters, as a share of their mean."""
SINGLE_SHARE = 0.85
"""The part of the level that belongs to slices of one condition."""
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
        return bool(np.isin(self.losses, (0.0, 1.0)).all())


def find_weak_slices(sample: LossSample, *, level: float = 0.05, most: int = 5) -> list[Slice]:
    """The slices that err more than the other rows of the same sample, the worst first.

    `level` is the chance that any slice is returned where the loss depends on no column. A slice of
    which another one explains 80% is left out.
    """
    conditions = make_conditions(sample.columns)
    if len(sample.losses) < 2 * WEAK_ROWS or not conditions:
        return []
    masks = mask_rows(sample.columns, conditions)
    tallies = _Tallies.of(masks, sample.losses)
    total = _Total.of(sample.losses)
    other = _Tallies(
        total.rows - tallies.rows, total.sum - tallies.sums, total.squares - tallies.squares
    )
    p = _p_values(tallies, other, is_binary=sample.is_binary, fewest=WEAK_ROWS)
    return _select(conditions, masks, tallies, other, p, level=level, most=most)


def find_worse_slices(
    before: LossSample,
    now: LossSample,
    *,
    level: float = 0.05,
    most: int = 3,
    conditions: Sequence[SliceCondition] | None = None,
) -> list[Slice]:
    """The slices that err more than the same slices did before, the worst first.

    A slice is left out where the other rows may have become as much worse: then all rows did.
    `level` is the chance that any slice is returned where nothing changed. `conditions` are made
    from the rows before if absent.
    """
    if conditions is None:
        conditions = make_conditions(before.columns)
    if not len(before.losses) or not len(now.losses) or not conditions:
        return []
    masks = mask_rows(now.columns, conditions)
    tallies = _Tallies.of(masks, now.losses)
    earlier = _Tallies.of(mask_rows(before.columns, conditions), before.losses)
    is_binary = before.is_binary and now.is_binary
    p = _p_values(tallies, earlier, is_binary=is_binary, fewest=FEWEST_ROWS)
    total, total_before = _Total.of(now.losses), _Total.of(before.losses)
    p = np.maximum(p, _own_change_p(tallies, earlier, total, total_before))
    return _select(conditions, masks, tallies, earlier, p, level=level, most=most)


@dataclass(frozen=True, slots=True)
class _Total:
    rows: float
    sum: float
    squares: float

    @classmethod
    def of(cls, losses: Floats) -> _Total:
        return cls(float(len(losses)), float(losses.sum()), float(losses @ losses))


@dataclass(frozen=True, slots=True)
class _Tallies:
    """Rows, sums and sums of squares of losses, shape (m, m): of both conditions together."""

    rows: Floats
    sums: Floats
    squares: Floats

    @classmethod
    def of(cls, masks: Mask, losses: Floats) -> _Tallies:
        if len(losses) < 2**24 and np.isin(losses, (0.0, 1.0)).all():
            # Counts below 2^24 are exact in 32 bits; the sums need the rows with an error alone.
            ones, errors = masks.astype(np.float32), masks[losses == 1].astype(np.float32)
            sums = (errors.T @ errors).astype(np.float64)
            return cls((ones.T @ ones).astype(np.float64), sums, sums)
        as_numbers = masks.astype(np.float64)
        weighted = as_numbers * losses[:, None]
        return cls(as_numbers.T @ as_numbers, as_numbers.T @ weighted, weighted.T @ weighted)


def _p_values(now: _Tallies, other: _Tallies, *, is_binary: bool, fewest: int) -> Floats:
    """p-values of each pair of conditions that its loss is not larger; 1 for too few rows."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        mean, other_mean = now.sums / now.rows, other.sums / other.rows
        if is_binary:
            pooled = (now.sums + other.sums) / (now.rows + other.rows)
            variance = pooled * (1 - pooled) * (1 / now.rows + 1 / other.rows)
        else:
            own = (now.squares - now.sums * mean) / (now.rows - 1)
            others = (other.squares - other.sums * other_mean) / (other.rows - 1)
            variance = own / now.rows + others / other.rows
        z = (mean - other_mean) / np.sqrt(variance)
    enough = (now.rows >= fewest) & (other.rows >= fewest) & np.isfinite(z)
    z = np.where(enough, z, -math.inf)
    p = np.where(z >= PROMISING_ERRORS, ndtr(-z), 1.0)
    if is_binary:
        rows, places = np.nonzero(np.triu(z >= PROMISING_ERRORS))
        if len(rows):
            p[rows, places] = _fisher(
                now.sums[rows, places],
                now.rows[rows, places],
                other.sums[rows, places],
                other.rows[rows, places],
            )
    return p


def _own_change_p(now: _Tallies, before: _Tallies, total: _Total, total_before: _Total) -> Floats:
    """p-values that each slice changed no more than the other rows, shape (m, m)."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        n, n_before = now.rows, before.rows
        others, others_before = total.rows - n, total_before.rows - n_before
        other = (total.sum - now.sums) / others
        other_before = (total_before.sum - before.sums) / others_before
        shift = other - other_before
        gap = now.sums / n - before.sums / n_before
        # The variance of the slice is that of its mean if it had moved as the others did.
        pooled = (now.sums + before.sums + n_before * shift) / (n + n_before)
        variance = (
            _spread(now, pooled, total) / n
            + _spread(before, pooled - shift, total_before) / n_before
            + _spread_of_others(now, total) / others
            + _spread_of_others(before, total_before) / others_before
        )
        p = ndtr(-(gap - shift) / np.sqrt(variance))
    return np.where(np.isfinite(p), p, 1.0)


def _spread(tallies: _Tallies, mean: Floats, total: _Total) -> Floats:
    """The variance of one loss: that of an error with this mean, or the one of the rows."""
    if total.sum == total.squares:
        return np.asarray(np.clip(mean, 0.0, 1.0) * (1 - np.clip(mean, 0.0, 1.0)) + 1e-9)
    own = tallies.squares / tallies.rows - (tallies.sums / tallies.rows) ** 2
    return np.asarray(np.maximum(own, 0.0) + 1e-300)


def _spread_of_others(tallies: _Tallies, total: _Total) -> Floats:
    rows = total.rows - tallies.rows
    mean = (total.sum - tallies.sums) / rows
    return np.asarray(np.maximum((total.squares - tallies.squares) / rows - mean**2, 0.0))


def _fisher(errors: Floats, rows: Floats, other_errors: Floats, other_rows: Floats) -> Floats:
    """Mid-p values of Fisher's exact test that the first share of errors is not larger."""
    from scipy.special import gammaln

    def choose(n: Floats, k: Floats) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), np.float64)

    total, failures = rows + other_rows, errors + other_errors
    term = np.exp(
        choose(failures, errors) + choose(total - failures, rows - errors) - choose(total, rows)
    )
    p, place = term / 2, errors.copy()
    # Above the mean the terms fall faster than a geometric series.
    while bool((term > 1e-9 * p).any()):
        left = total - failures - rows + place + 1
        term = term * (failures - place) * (rows - place) / ((place + 1) * np.maximum(left, 1))
        p = p + term
        place += 1
    return np.minimum(p, 1.0)


def _correct(conditions: Sequence[SliceCondition], p: Floats) -> Floats:
    """p-values times the number of slices looked at, upper triangle; 1 elsewhere."""
    names = [condition.column for condition in conditions]
    parts = {
        condition.column: 1 if condition.category is None else 2
        for condition in conditions
        if condition.category is not None or condition.low is not None or condition.high is not None
    }
    sizes = {name: names.count(name) for name in names}
    total = sum(parts.get(name, 1) for name in sizes)
    factor = np.array([total * sizes[name] / parts.get(name, 1) for name in names]) / SINGLE_SHARE
    corrected = np.ones_like(p)
    np.fill_diagonal(corrected, np.minimum(np.diag(p) * factor, 1.0))
    columns = np.array(names)
    differs = np.triu(columns[:, None] != columns[None, :], 1)
    single = np.diag(p)
    if len(conditions) > MOST_CONDITIONS:
        # All pairs still count: which ones are looked at depends on the rows.
        kept = np.zeros(len(conditions), bool)
        kept[np.argsort(single, kind="stable")[:MOST_CONDITIONS]] = True
        looked_at = differs & kept[:, None] & kept[None, :]
    else:
        looked_at = differs
    pairs = max(int(differs.sum()), 1)
    corrected[looked_at] = np.minimum(p[looked_at] * pairs / (1 - SINGLE_SHARE), 1.0)
    return corrected


def _select(
    conditions: Sequence[SliceCondition],
    masks: Mask,
    now: _Tallies,
    other: _Tallies,
    p: Floats,
    *,
    level: float,
    most: int,
) -> list[Slice]:
    corrected = _correct(conditions, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = np.nan_to_num(now.sums / now.rows - other.sums / other.rows)
    size = max(abs(float(np.diag(other.sums).sum() / max(np.diag(other.rows).sum(), 1.0))), 1e-12)
    least = LEAST_GAP if 0 <= size <= 1 and _counts_errors(now) else LEAST_GROWTH * size
    candidates = np.argwhere((corrected <= level) & (gaps >= least))
    order = sorted(
        ((float(corrected[i, j]), int(i), int(j)) for i, j in candidates), key=lambda item: item
    )
    selection: list[Slice] = []
    covered: list[Mask] = []
    for p_value, first, second in order:
        first, second = _simplify(first, second, gaps)
        rows = masks[:, first] & masks[:, second]
        if any(_overlap(rows, others) >= 0.5 for others in covered):
            continue
        covered.append(rows)
        places = (first,) if first == second else (first, second)
        cell = first, second
        selection.append(
            Slice(
                conditions=tuple(conditions[place] for place in places),
                rows=int(now.rows[cell]),
                share=float(now.rows[cell]) / len(masks),
                loss=float(now.sums[cell] / now.rows[cell]),
                other_loss=float(other.sums[cell] / other.rows[cell]),
                interval=_interval(now, other, cell),
                p_value=max(p_value, SMALLEST_P),
            )
        )
        if len(selection) == most:
            break
    return selection


def _counts_errors(tallies: _Tallies) -> bool:
    return bool(np.array_equal(tallies.sums, tallies.squares))


def _simplify(first: int, second: int, gaps: Floats) -> tuple[int, int]:
    """One condition alone, where it has most of the effect of the pair."""
    for place in (first, second):
        if first != second and gaps[place, place] >= EXPLAINED_SHARE * gaps[first, second]:
            return place, place
    return first, second


def _overlap(rows: Mask, others: Mask) -> float:
    """Common rows over the rows of the smaller slice."""
    return float((rows & others).sum()) / max(min(int(rows.sum()), int(others.sum())), 1)


def _interval(now: _Tallies, other: _Tallies, cell: tuple[int, int]) -> tuple[float, float]:
    variance = 0.0
    for side in (now, other):
        n = float(side.rows[cell])
        mean = float(side.sums[cell]) / n
        spread = max(float(side.squares[cell]) - n * mean**2, 0.0) / max(n - 1, 1.0)
        # Half an error is added: a share of 0 has an error, too.
        variance += max(spread, 0.25 / n if _counts_errors(now) else 0.0) / n
    gap = float(now.sums[cell] / now.rows[cell] - other.sums[cell] / other.rows[cell])
    half = 1.96 * math.sqrt(variance)
    return gap - half, gap + half
