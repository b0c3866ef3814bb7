"""Values that should be unique: the share of repeats, and the number of distinct values.

Counts are exact, or those of the distinct values with the smallest hashes. These are a uniform
sample of all distinct values, each with its exact count (bottom-k; Cohen and Kaplan 2007). No rows
give no value.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from driftline.stats.basics.estimate import Z95, Estimate, Interval
from driftline.stats.basics.proportion import clopper_pearson


class Repeats(NamedTuple):
    """What is known of how often values occur."""

    rows: int
    """Rows with a value."""
    kept: int
    """Distinct values that are counted."""
    repeated: int
    """Of these, how many occur more than once."""
    extra: int
    """Rows with these beyond the first of each."""
    extra_squares: int
    """The sum over them of the squared number of rows beyond the first."""
    reach: float = 1.0
    """The share of all possible hashes that are kept; 1 when every value is."""


def distinct(repeats: Repeats) -> Estimate:
    """Number of distinct values: exact, or the k-minimum-values estimate (k-1)/reach.

    Bar-Yossef et al. (2002). The interval is that of a Poisson process of hashes, whose k-th lies
    at `reach`: gamma quantiles.
    """
    if not repeats.rows:
        return Estimate(None, reason="no values")
    if repeats.reach >= 1:
        return Estimate(
            float(repeats.kept), 0.0, (float(repeats.kept), float(repeats.kept)), repeats.rows
        )
    from scipy.special import gammaincinv

    low, high = (float(gammaincinv(repeats.kept, q)) / repeats.reach for q in (0.025, 0.975))
    value, least, most = (
        (repeats.kept - 1) / repeats.reach,
        float(repeats.kept),
        float(repeats.rows),
    )
    value, low, high = (min(max(number, least), most) for number in (value, low, high))
    return Estimate(value, (high - low) / (2 * Z95), (low, high), repeats.rows)


def repeat_rate(repeats: Repeats) -> Estimate:
    """Share of rows that repeat the value of another row: (rows - distinct values) / rows.

    Exact counts have the interval of Clopper and Pearson; if nothing repeats, the interval is 0 to
    0. Otherwise let e be the rows beyond the first for each distinct value. The rate is e/(1+e).
    The interval of e is that of the share of repeated values times that of the rows beyond the
    first of each. Where few values have very many rows, the count of distinct values may prove more
    repeats than the sample shows; the interval then widens to contain them.
    """
    if not repeats.rows:
        return Estimate(None, reason="no values")
    if repeats.reach >= 1:
        interval = clopper_pearson(repeats.extra, repeats.rows) if repeats.extra else (0.0, 0.0)
        return Estimate(repeats.extra / repeats.rows, None, interval, repeats.rows)
    share = clopper_pearson(repeats.repeated, repeats.kept)
    assert share is not None
    least, most = _excess_interval(repeats)
    value = _rate(repeats.extra / repeats.kept)
    low, high = _rate(share[0] * least), _rate(share[1] * most)
    fewest, many = distinct(repeats).interval or (1.0, 1.0)
    proven, possible = 1 - many / repeats.rows, 1 - fewest / repeats.rows
    if proven > high:
        value, high = max(value, proven), possible
    return Estimate(value, None, (min(low, value), max(high, value)), repeats.rows)


def _excess_interval(repeats: Repeats) -> Interval:
    """The rows beyond the first of a repeated value: the mean's interval, at least 1."""
    if not repeats.repeated:
        return 1.0, 1.0
    mean = repeats.extra / repeats.repeated
    spread = max(repeats.extra_squares / repeats.repeated - mean * mean, 0.0)
    half = Z95 * math.sqrt(spread / max(repeats.repeated - 1, 1))
    return max(1.0, mean - half), max(1.0, mean + half)


def _rate(extra: float) -> float:
    return extra / (1 + extra)
