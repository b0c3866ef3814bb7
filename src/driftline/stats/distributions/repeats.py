"""Values that should occur once: how many rows repeat another one, and how many distinct ones there
are.

Refuses rates without rows: no rows give no value. Counts may be exact, or of the distinct values
with the smallest hashes, which are a uniform sample of all distinct values, each with its exact
count (bottom-k; Cohen and Kaplan 2007).
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


def distinct(seen: Repeats) -> Estimate:
    """How many distinct values there are: exact, or the k-minimum-values estimate (k-1)/reach
    (Bar-Yossef et al. 2002).

    The interval is that of a Poisson process of hashes, whose k-th lies at `reach`: gamma
    quantiles.
    """
    if not seen.rows:
        return Estimate(None, reason="no values")
    if seen.reach >= 1:
        return Estimate(float(seen.kept), 0.0, (float(seen.kept), float(seen.kept)), seen.rows)
    from scipy.special import gammaincinv

    low, high = (float(gammaincinv(seen.kept, q)) / seen.reach for q in (0.025, 0.975))
    value, least, most = (seen.kept - 1) / seen.reach, float(seen.kept), float(seen.rows)
    value, low, high = (min(max(number, least), most) for number in (value, low, high))
    return Estimate(value, (high - low) / (2 * Z95), (low, high), seen.rows)


def repeat_rate(seen: Repeats) -> Estimate:
    """The share of rows that repeat a value that stands in another row already: (rows - distinct
    values) / rows.

    Exact counts have the interval of Clopper and Pearson; that nothing repeats is a fact, with the
    interval 0 to 0. Otherwise with e rows beyond the first for each distinct value the rate is
    e/(1+e), and the interval of e is that of the share of repeated values times that of the rows
    beyond the first of each; where the count of distinct values proves more repeats than the sample
    shows, because few values have very many, it widens to hold these.
    """
    if not seen.rows:
        return Estimate(None, reason="no values")
    if seen.reach >= 1:
        interval = clopper_pearson(seen.extra, seen.rows) if seen.extra else (0.0, 0.0)
        return Estimate(seen.extra / seen.rows, None, interval, seen.rows)
    share = clopper_pearson(seen.repeated, seen.kept)
    assert share is not None
    least, most = _each(seen)
    value = _rate(seen.extra / seen.kept)
    low, high = _rate(share[0] * least), _rate(share[1] * most)
    fewest, many = distinct(seen).interval or (1.0, 1.0)
    proven, possible = 1 - many / seen.rows, 1 - fewest / seen.rows
    if proven > high:
        value, high = max(value, proven), possible
    return Estimate(value, None, (min(low, value), max(high, value)), seen.rows)


def _each(seen: Repeats) -> Interval:
    """The rows beyond the first of a repeated value: the mean's interval, at least 1."""
    if not seen.repeated:
        return 1.0, 1.0
    mean = seen.extra / seen.repeated
    spread = max(seen.extra_squares / seen.repeated - mean * mean, 0.0)
    half = Z95 * math.sqrt(spread / max(seen.repeated - 1, 1))
    return max(1.0, mean - half), max(1.0, mean + half)


def _rate(extra: float) -> float:
    return extra / (1 + extra)
