"""The change of mean and spread between a reference and a window.

The unit is always the standard deviation of the reference, so that windows can be compared.
"""

from __future__ import annotations

import math

from driftline.stats.basics.estimate import Z95, t_of
from driftline.stats.distributions.shift import Shift
from driftline.stats.distributions.side import Side


def mean_shift(ref: Side, cur: Side) -> Shift:
    """(mean of the window - mean of the reference) / sd of the reference: Glass's delta, signed.

    The interval has the errors of both means (Welch) and of the reference's sd, d^2/(2(n-1))
    (Hedges and Olkin 1985); the p-value is Welch's. A window of one row counts as varying like the
    reference. None where a side has no rows, where the reference does not vary, and where the
    number is beyond floats.
    """
    from scipy.special import stdtr

    n, m = ref.rows, cur.rows
    if n < 2 or m < 1 or not ref.variance:
        return Shift(None)
    if (n, ref.mean, ref.variance) == (m, cur.mean, cur.variance):
        return Shift(0.0, (0.0, 0.0), 1.0, 0.0)
    scale = math.sqrt(ref.variance)
    spread = cur.variance / ref.variance if cur.variance is not None else 1.0
    value = (cur.mean - ref.mean) / scale
    a, b = 1 / n, spread / m
    if not math.isfinite(value * value + b):
        return Shift(None)
    share = a / (a + b)
    df = 1 / (share**2 / (n - 1) + (1 - share) ** 2 / max(m - 1, 1))
    half = t_of(df) * math.sqrt(a + b + value**2 / (2 * (n - 1)))
    return Shift(
        value,
        (value - half, value + half),
        min(1.0, 2 * float(stdtr(df, -abs(value) / math.sqrt(a + b)))),
        value,
    )


def spread_shift(ref: Side, cur: Side) -> Shift:
    """ln(sd of the window / sd of the reference): 0.69 is twice as wide.

    The interval has the errors of both, (k - (n-3)/(n-1))/(4n) with the kurtosis k (delta method).
    None where a side has no two rows or does not vary.
    """
    if ref.rows < 2 or cur.rows < 2 or not ref.variance or not cur.variance:
        return Shift(None)
    value, errors = math.log(cur.variance / ref.variance) / 2, 0.0
    if (ref.rows, ref.mean, ref.variance) == (cur.rows, cur.mean, cur.variance):
        return Shift(0.0, (0.0, 0.0), 1.0, 0.0)
    for side in (ref, cur):
        n, heavy = side.rows, side.kurtosis
        if heavy is None:
            return Shift(value, None, None, value)
        errors += max(heavy - (n - 3) / (n - 1), 1 / n) / (4 * n)
    half = Z95 * math.sqrt(errors)
    return Shift(value, (value - half, value + half), None, value)
