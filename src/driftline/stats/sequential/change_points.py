"""Dates lasting changes of the mean and of the spread of a whole series.

A season and a steady trend are removed first, single outliers are cut, and the noise is measured
with its autocorrelation. Segments are then split where a split explains more than noise does
(binary segmentation); the interval of a date holds the likeliest places. A random walk has no level
that lasts: of its changes only those count that are larger than a walk of this length makes.

Sources: Vostrikova 1981 (binary segmentation); Smith 1975 (probabilities of the place of a change);
Lo & MacKinlay 1988 (ratio of variances of a random walk).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from driftline.stats.sequential.periods import find_period
from driftline.types.arrays import Floats

FEWEST = 5
"""The least number of values on each side of a change."""
LEAST_VALUES = 2 * FEWEST
STRICTNESS = 1.15
"""The factor on the bound sqrt(2 log n) of the greatest of n noise sums."""
CREDIBLE_SHARE = 0.95
"""The probability of the places in the interval of a date."""
CREDIBLE_SHARE_OF_ONE = 0.9
"""The same where a change is known to be near the end: 95% of the intervals hold it (simulated)."""
WALK_CORRELATION = 0.5
"""The correlation of neighbours within levels, from which on a series may be a random walk."""
SHARP_STEPS = 5.0
"""Standard deviations of the steps of a random walk that a sharp change exceeds."""
WALK_QUANTILE = 0.3
"""Quantile of distances by which their spreads are compared."""
WALK_SHARE = 0.35
"""A variance that grows with the lag by this share of a random walk's is that of one."""
WALK_BOUND = 0.65
"""The largest step between two means of a random walk, per value and step, in 19 of 20 series."""
OUTLIER = 5.0
"""Standard deviations from the median of five neighbours."""
HUGE = 1e100
ROUNDING = 1e-9
"""A spread below this share of the values is rounding error."""
"""Larger values, and those below 1 / HUGE, are scaled: their squares would not be finite, or 0."""
SEASONS = 3
"""The most seasons that are removed one after the other."""
LOG_SQUARE_SD = 2.2214
"""The standard deviation of the logarithm of a squared normal error: pi / sqrt(2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A lasting change: the first value of the new segment, and where it may lie."""

    place: int
    low: int
    high: int
    """`low` and `high` hold the true place at 95%."""
    kind: Literal["mean", "spread"]
    before: float
    """Mean or spread (sd) of the segment before."""
    after: float
    """Mean or spread (sd) of the segment after."""


def find_change_points(values: Floats) -> list[ChangePoint]:
    """Return the lasting changes of a series, in time order.

    Arguments: `values`, shape (n,), finite, in time order and at equal steps. The result is empty
    for fewer than 10 values and for a constant series. Means and spreads have the unit of `values`.
    """
    values = np.asarray(values, np.float64)
    size = float(np.abs(values).max(initial=0.0))
    if len(values) < LEAST_VALUES or size <= 0:
        return []
    if 1 / HUGE <= size <= HUGE:
        return _find(values)
    return [
        replace(change, before=change.before * size, after=change.after * size)
        for change in _find(values / size)
    ]


def _find(values: Floats) -> list[ChangePoint]:
    if not np.ptp(values) > 0:
        return []
    rest = _without_season(_without_trend(values))
    # What is left of a series without noise is rounding error.
    noise = max(_noise(rest), ROUNDING * float(np.abs(values).max()))
    if np.ptp(rest) <= noise:
        return []
    clean = _without_outliers(rest, noise)
    factor = 1.0
    places: list[int] = []
    for strictness in (2.0, 1.5, 1.0):
        # The largest steps come first: without them slope and autocorrelation are not known.
        places = _split(clean, noise * factor * strictness)
        clean = clean - _common_slope(clean, places) * np.arange(len(clean))
        factor = _autocorrelation_factor(clean - _levels(clean, places))
    places = _split(clean, noise * factor)
    if _correlation(clean - _levels(clean, places)) > WALK_CORRELATION:
        walk = _walk_step(clean)
        if walk > 0:
            sharp = [place for place in places if _is_sharp(clean, place, walk)]
            places = sorted({*sharp, *_split(clean, noise * factor, walk)})
    levels = _levels(clean, places)
    changes = [
        _describe(clean, values, place, _neighbours(places, place, len(clean)), noise * factor)
        for place in places
    ]
    sizes = np.log(np.maximum((clean - levels) ** 2, (noise / 50) ** 2))
    for place in _split(sizes, LOG_SQUARE_SD * factor):
        if all(abs(place - other) > 2 * FEWEST for other in places):
            changes.append(_describe_spread(sizes, clean - levels, place, LOG_SQUARE_SD * factor))
    return sorted(changes, key=lambda change: change.place)


def _without_trend(values: Floats) -> Floats:
    """Subtract a steady slope: the median step over a twentieth of the series."""
    n = len(values)
    lag = max(1, n // 20)
    steps = values[lag:] - values[:-lag]
    step = float(np.median(steps))
    spread = float(np.median(np.abs(steps - step))) * 1.4826
    off = steps - step
    total = float(off @ off)
    correlation = min(max(float(off[:-1] @ off[1:]) / total, 0.0), 0.999) if total > 0 else 0.0
    independent = max(len(steps) * (1 - correlation) / (1 + correlation), 4.0)
    if abs(step) <= 3 * spread * 1.2533 / math.sqrt(independent):
        return values
    trend: Floats = values - step / lag * np.arange(n)
    return trend


def _without_season(values: Floats) -> Floats:
    """Subtract the median of each phase, for each period that there is: of a day, of a week."""
    shorter = 0
    for _ in range(SEASONS):
        period = find_period(values)
        if period is None:
            break
        if shorter and period > 1.5 * shorter:
            # A week has whole days, and a year whole weeks: noise blurs the longer period.
            period = round(period / shorter) * shorter
        values = _without_period(values, period)
        shorter = period
    return values


def _without_period(values: Floats, period: int) -> Floats:
    n = len(values)
    whole = n // period * period
    level = np.repeat(np.median(values[:whole].reshape(-1, period), axis=1), period)
    level = np.concatenate((level, np.full(n - whole, level[-1])))
    phases = np.arange(n) % period
    off = values - level
    season = np.array([np.median(off[phases == phase]) for phase in range(period)])
    rest: Floats = values - season[phases]
    return rest


def _noise(values: Floats) -> float:
    """The standard deviation of the noise, from differences: steps between levels are few."""
    steps = np.abs(np.diff(values))
    noise = float(np.median(steps)) / (0.6745 * math.sqrt(2))
    if noise <= 0:
        noise = float(np.mean(np.minimum(steps, np.quantile(steps, 0.95)))) / math.sqrt(2)
    return max(noise, 1e-300)


def _without_outliers(values: Floats, noise: float) -> Floats:
    """Replace values far from the median of five neighbours by that median."""
    padded = np.pad(values, 2, mode="edge")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.where(np.abs(values - medians) > OUTLIER * noise, medians, values)


def _walk_step(values: Floats) -> float:
    """The standard deviation of the steps of a random walk; 0 where the series is none."""
    n = len(values)
    lag = max(n // 20, 10)
    if n < 4 * LEAST_VALUES:
        return 0.0
    steps = np.abs(np.diff(values))
    # Low quantiles: distances across a lasting change say nothing of the noise.
    step = float(np.quantile(steps, WALK_QUANTILE))
    far = float(np.quantile(np.abs(values[lag:] - values[:-lag]), WALK_QUANTILE))
    if step <= 0 or far**2 < WALK_SHARE * lag * step**2:
        return 0.0
    return float(np.median(steps)) / 0.6745


def _is_sharp(values: Floats, place: int, walk: float) -> bool:
    """Whether the series jumps at a place by more than steps of this size do."""
    near = range(max(place - 2, 1), min(place + 3, len(values)))
    return any(abs(values[at] - values[at - 1]) > SHARP_STEPS * walk for at in near)


def _split(values: Floats, noise: float, walk: float = 0.0) -> list[int]:
    """The first places of all segments but the first one, in order.

    `walk` is the standard deviation of the steps of a random walk that the noise is, or 0.
    """
    n = len(values)
    bound = STRICTNESS * math.sqrt(2 * math.log(max(n, 3)))
    sums = np.concatenate(([0.0], np.cumsum(values - values.mean())))
    places: list[int] = []
    segments = [(0, n)]
    while segments:
        begin, end = segments.pop()
        if end - begin < LEAST_VALUES:
            continue
        place, size = _best_split(sums, begin, end)
        if size > max(bound * noise, WALK_BOUND * walk * (end - begin)):
            places.append(place)
            segments += [(begin, place), (place, end)]
    return _refine(sums, sorted(places), n, bound * noise)


def _best_split(sums: Floats, begin: int, end: int) -> tuple[int, float]:
    """The split of [begin, end) that explains most, and the size of the step it explains.

    The size is in units of the values, scaled as a sum of noise: sd 1 for noise of sd 1.
    """
    cuts = np.arange(begin + FEWEST, end - FEWEST + 1)
    left, right = cuts - begin, end - cuts
    below = (sums[cuts] - sums[begin]) / left
    above = (sums[end] - sums[cuts]) / right
    sizes = np.abs(above - below) * np.sqrt(left * right / (end - begin))
    best = int(sizes.argmax())
    return int(cuts[best]), float(sizes[best])


def _refine(sums: Floats, places: list[int], n: int, bound: float) -> list[int]:
    """Place each split anew between its neighbours, and drop what no longer explains enough."""
    for _ in range(3):
        refined: list[int] = []
        for number in range(len(places)):
            begin = refined[-1] if refined else 0
            end = places[number + 1] if number + 1 < len(places) else n
            if end - begin < LEAST_VALUES:
                continue
            best, size = _best_split(sums, begin, end)
            if size > bound and best > begin:
                refined.append(best)
        if refined == places:
            break
        places = refined
    return places


def _levels(values: Floats, places: list[int]) -> Floats:
    ends = [0, *places, len(values)]
    return np.concatenate(
        [np.full(end - begin, values[begin:end].mean()) for begin, end in pairwise(ends)]
    )


def _common_slope(values: Floats, places: list[int]) -> float:
    """The slope that all segments share, where it is more than noise; else 0."""
    above = below = 0.0
    ends = [0, *places, len(values)]
    rest = values - _levels(values, places)
    for begin, end in pairwise(ends):
        at = np.arange(end - begin) - (end - begin - 1) / 2
        above += float(at @ rest[begin:end])
        below += float(at @ at)
    if below <= 0:
        return 0.0
    slope = above / below
    error = float(rest.std()) / math.sqrt(below)
    return slope if abs(slope) > 3 * error else 0.0


def _correlation(rest: Floats) -> float:
    """The correlation of neighbours."""
    total = float(rest @ rest)
    return float(rest[:-1] @ rest[1:]) / total if total > 0 else 0.0


def _autocorrelation_factor(rest: Floats) -> float:
    """How much wider sums of this noise spread than those of independent noise."""
    if len(rest) < 2 * LEAST_VALUES or not np.ptp(rest) > 0:
        return 1.0
    correlation = min(max(_correlation(rest), 0.0), 0.9)
    # Differences of such noise are smaller than those of independent noise of the same spread.
    inflation = 1 / math.sqrt(1 - correlation)
    return inflation * math.sqrt((1 + correlation) / (1 - correlation))


def _neighbours(places: list[int], place: int, n: int) -> tuple[int, int]:
    number = places.index(place)
    return (
        places[number - 1] if number else 0,
        places[number + 1] if number + 1 < len(places) else n,
    )


def date_change(values: Floats) -> tuple[int, int, int] | None:
    """The place of the one lasting change of the mean that a series has, and its interval.

    Arguments: `values`, shape (n,), finite, in time order and at equal steps. Returns the first
    value after the change, and the first and last place where it may be, together at 95%. None for
    fewer than 4 values and for a constant series.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    if n < 4 or not np.ptp(values) > 0:
        return None
    rest = (values - np.median(values)) / float(np.ptp(values))
    weights = _place_weights(rest, 1.0, None)
    place = int(weights.argmax()) + 1
    left = np.concatenate((rest[:place] - rest[:place].mean(), rest[place:] - rest[place:].mean()))
    weights = _place_weights(rest, _sum_factor(left), None)
    low, high = _credible_span(weights, CREDIBLE_SHARE_OF_ONE)
    return place, min(low, place), max(high, place)


def _sum_factor(rest: Floats) -> float:
    """How much wider sums of this noise spread than those of independent noise of its spread."""
    total = float(rest @ rest)
    if len(rest) < 8 or total <= 0:
        return 1.0
    correlation = float(rest[:-1] @ rest[1:]) / total + 1 / len(rest)
    correlation = min(max(correlation, 0.0), 0.9)
    return math.sqrt((1 + correlation) / (1 - correlation))


def _place_weights(values: Floats, factor: float, noise: float | None) -> Floats:
    """Probabilities that the change is before values 1, 2, ..., n-1, from a flat prior.

    The means, and the spread where `noise` is None, are integrated out (Smith 1975).
    """
    n = len(values)
    sums = np.cumsum(values)[:-1]
    total = float(values.sum())
    cuts = np.arange(1, n)
    between = sums**2 / cuts + (total - sums) ** 2 / (n - cuts)
    inside = np.maximum(float(values @ values) - between, 1e-12 * max(float(values @ values), 1.0))
    if noise is None:
        logs = -(n - 2) / 2 / factor**2 * np.log(inside)
    else:
        logs = -inside / (2 * noise**2)
    logs = logs - np.log(cuts * (n - cuts)) / 2
    weights: Floats = np.exp(logs - logs.max())
    weights /= weights.sum()
    return weights


def _credible_span(weights: Floats, share: float = CREDIBLE_SHARE) -> tuple[int, int]:
    """The first and the last of the likeliest places, from 1, that have `share` together."""
    order = np.argsort(-weights, kind="stable")
    # Whole places overshoot: the number of places whose sum is nearest.
    count = int(np.abs(np.cumsum(weights[order]) - share).argmin()) + 1
    chosen = order[:count]
    return int(chosen.min()) + 1, int(chosen.max()) + 1


def _interval(values: Floats, place: int, span: tuple[int, int], noise: float) -> tuple[int, int]:
    """The places where the change may be, at 95%."""
    begin, end = span
    part = values[begin:end]
    low, high = _credible_span(_place_weights(part - part.mean(), 1.0, noise))
    return min(begin + low, place), max(begin + high, place)


def _describe(
    clean: Floats, values: Floats, place: int, span: tuple[int, int], noise: float
) -> ChangePoint:
    low, high = _interval(clean, place, span, noise)
    return ChangePoint(
        place=place,
        low=low,
        high=high,
        kind="mean",
        before=float(values[span[0] : place].mean()),
        after=float(values[place : span[1]].mean()),
    )


def _describe_spread(sizes: Floats, rest: Floats, place: int, noise: float) -> ChangePoint:
    low, high = _interval(sizes, place, (0, len(sizes)), noise)
    return ChangePoint(
        place=place,
        low=low,
        high=high,
        kind="spread",
        before=float(rest[:place].std()),
        after=float(rest[place:].std()),
    )
