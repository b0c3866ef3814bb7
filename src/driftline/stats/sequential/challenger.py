"""Compares a challenger with a champion by their losses, valid however often one looks.

The interval of the difference is an asymptotic confidence sequence: it holds at all times together,
from 200 rows on. It promotes once the challenger is proven to be better, and keeps the champion
once it is proven that the challenger gains less than what matters.

Source: Waudby-Smith et al. 2024 (time-uniform central limit theory).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.sequential.sequences import asymptotic_half
from driftline.types.arrays import Mask

LEVEL = 0.08
"""The chance that the interval ever misses the difference: 4% on each side."""
BEST_AT = 5_000.0
"""Rows at which the interval is narrowest for its level."""
FEWEST_ROWS = 200
"""Rows, of each side where they are not paired, before anything is decided."""
FEWEST_ERRORS = 25
"""Rows on which a side or a pair differs, before anything is decided: the normal law needs them."""
MOST_ROWS = 1e12
LARGEST = 1e150
"""Losses of this size and above are left out: their squares are no numbers."""


class ChallengeVerdict(StrEnum):
    """What to do with the challenger."""

    PROMOTE = "promote"
    KEEP = "keep"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossDifference:
    """Mean loss of the champion less that of the challenger; above 0 the latter is better."""

    value: float
    variance: float
    """Variance of `value`."""
    rows: int
    """Pairs, or rows of the side that has fewer."""
    events: int
    """Pairs that differ, or losses above 0 of the side with more: that one has the noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The comparison so far."""

    verdict: ChallengeVerdict
    difference: float | None
    """Mean loss of the champion less that of the challenger; None without rows."""
    interval: tuple[float, float] | None
    """Where the difference lies, at all times together, with 4% on each side."""
    rows: int
    rows_needed: int | None
    """Further rows that a verdict probably needs; None where no number of rows brings one."""
    reason: str = ""


def is_usable_loss(losses: ArrayLike) -> Mask:
    """Which losses, of shape (n,), are numbers that can be compared: finite and below 1e150."""
    return np.abs(np.asarray(losses, np.float64)) < LARGEST


def paired_difference_of(champion: ArrayLike, challenger: ArrayLike) -> LossDifference | None:
    """The difference on the same rows; both losses have shape (n,). None without rows.

    Pairs with a loss that `is_usable_loss` rejects are left out.
    """
    first, second = np.asarray(champion, np.float64), np.asarray(challenger, np.float64)
    is_usable = is_usable_loss(first) & is_usable_loss(second)
    d = first[is_usable] - second[is_usable]
    n = len(d)
    if not n:
        return None
    variance = float(d.var(ddof=1)) / n if n > 1 else math.inf
    return LossDifference(
        value=float(d.mean()), variance=variance, rows=n, events=int(np.count_nonzero(d))
    )


def unpaired_difference_of(champion: ArrayLike, challenger: ArrayLike) -> LossDifference | None:
    """The difference on rows of their own, of shapes (n,) and (m,). None where a side has none.

    Losses that `is_usable_loss` rejects are left out.
    """
    sides = [np.asarray(side, np.float64) for side in (champion, challenger)]
    first, second = (side[is_usable_loss(side)] for side in sides)
    if not len(first) or not len(second):
        return None
    variance = sum(
        float(side.var(ddof=1)) / len(side) if len(side) > 1 else math.inf
        for side in (first, second)
    )
    return LossDifference(
        value=float(first.mean() - second.mean()),
        variance=variance,
        rows=min(len(first), len(second)),
        events=max(int(np.count_nonzero(side)) for side in (first, second)),
    )


def judge_challenger(
    difference: LossDifference | None, *, least_gain: float = 0.01, level: float = LEVEL
) -> Challenge:
    """Judge a challenger by all rows so far.

    `least_gain` is the difference of mean losses from which on the challenger is worth it; it has
    the unit of the losses. `level` is the chance that the interval ever misses the difference.
    Promotes where the challenger is proven to be better at all, unless it is proven to gain less
    than `least_gain`.
    """
    if difference is None:
        return Challenge(
            verdict=ChallengeVerdict.WAIT,
            difference=None,
            interval=None,
            rows=0,
            rows_needed=None,
            reason="there are no rows to compare",
        )
    d = difference
    spread = math.sqrt(d.variance * d.rows) if math.isfinite(d.variance) else math.inf
    half = asymptotic_half(d.rows, spread, level, BEST_AT) if math.isfinite(spread) else None
    interval = None if half is None else (d.value - half, d.value + half)
    if d.rows < FEWEST_ROWS or d.events < FEWEST_ERRORS or half is None:
        few = max(FEWEST_ROWS - d.rows, 0)
        if not few:
            share = d.events / d.rows
            few = math.ceil((FEWEST_ERRORS - d.events) / share) if share > 0 else 0
        reason = "too few rows" if d.rows < FEWEST_ROWS else "too few rows differ"
        return Challenge(
            verdict=ChallengeVerdict.WAIT,
            difference=d.value,
            interval=interval,
            rows=d.rows,
            rows_needed=few or None,
            reason=reason,
        )
    verdict, needed = ChallengeVerdict.WAIT, None
    reason = "the rows do not decide yet"
    if d.value + half < least_gain:
        verdict, reason = ChallengeVerdict.KEEP, "the challenger gains too little, or is worse"
    elif d.value - half > 0:
        verdict, reason = ChallengeVerdict.PROMOTE, "the challenger is better"
    else:
        gap = max(d.value, least_gain - d.value)
        needed = _rows_needed(gap, spread, d.rows, level)
    return Challenge(
        verdict=verdict,
        difference=d.value,
        interval=interval,
        rows=d.rows,
        rows_needed=needed,
        reason=reason,
    )


def rows_to_promote(gain: float, variance: float, *, level: float = LEVEL) -> int | None:
    """Rows after which the interval excludes 0 if the estimate is `gain`; None for no gain.

    `variance` is that of the difference of one row, or of one row of each side.
    """
    return _rows_needed(gain, math.sqrt(variance), 0, level)


def _rows_needed(gap: float, spread: float, rows: int, level: float) -> int | None:
    """Further rows until half of the interval is `gap`; None where that takes too many."""
    if gap <= 0 or spread <= 0:
        return None

    def is_enough(count: float) -> bool:
        half = asymptotic_half(count, spread, level, BEST_AT)
        return half is not None and half <= gap

    high = float(max(rows, FEWEST_ROWS))
    while not is_enough(high):
        high *= 2
        if high > MOST_ROWS:
            return None
    low = high / 2
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return max(math.ceil(high) - rows, 1)
