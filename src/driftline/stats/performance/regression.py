"""Regression metrics and their intervals, from sums over rows with error e = prediction - label.

Errors are in the unit of the label. Intervals of MAE, RMSE and R2 are computed on the log scale,
with Student's t, so that none leaves its range. A metric that does not exist is an `Estimate`
without value, with the reason. The input merges; rows are not needed.
"""

from __future__ import annotations

import math

from driftline.stats.basics.estimate import Estimate, log_interval, t_of

NO_ROWS = "no labelled rows"


def mae(n: int, abs_e: float, e2: float) -> Estimate:
    """Mean of |e|; standard error sd(|e|)/sqrt(n), ddof 1."""
    if n < 1:
        return Estimate(None, reason=NO_ROWS)
    mean = abs_e / n
    return _positive(mean, _se(n, mean, e2 / n), n)


def rmse(n: int, e2: float, e4: float) -> Estimate:
    """Root of the mean of e^2; standard error sd(e^2)/(2 RMSE sqrt(n)), ddof 1."""
    if n < 1:
        return Estimate(None, reason=NO_ROWS)
    mean = e2 / n
    root = math.sqrt(mean)
    # Scaled, so that the fourth power of a huge error can't overflow.
    se = (
        _se(n, 1.0, e4 / n / mean / mean) * root / 2
        if root > 0 and math.isfinite(e4)
        else (0.0 if root == 0 else None)
    )
    return (
        Estimate(root, None, None, n, "the error's fourth power is too large")
        if se is None
        else _positive(root, se, n)
    )


def bias(n: int, e: float, e2: float) -> Estimate:
    """Mean of e: above 0 when the model predicts too much."""
    if n < 1:
        return Estimate(None, reason=NO_ROWS)
    mean = e / n
    if n < 2:
        return Estimate(mean, None, None, n)
    se = _se(n, mean, e2 / n)
    half = t_of(n - 1) * se
    return Estimate(mean, se, (mean - half, mean + half), n)


def wape(abs_e: float, abs_y: float) -> float | None:
    """Sum of |e| over the sum of |label|; None when every label is 0."""
    return abs_e / abs_y if abs_y > 0 else None


def mse(n: int, e2: float, e4: float) -> Estimate:
    """Mean of e^2; standard error sd(e^2)/sqrt(n), ddof 1."""
    if n < 1:
        return Estimate(None, reason=NO_ROWS)
    mean = e2 / n
    if not math.isfinite(e4) or not math.isfinite(mean):
        value = mean if math.isfinite(mean) else None
        return Estimate(value, None, None, n, "the error's fourth power is too large")
    return _positive(mean, _se(n, mean, e4 / n), n)


def mean_loss(n: int, total: float, squares: float, empty: str = NO_ROWS) -> Estimate:
    """Mean of a loss that is never below 0, from its sum and the sum of its squares.

    For MAPE, sMAPE, MSLE and pinball loss; `empty` is the reason when n is 0.
    """
    if n < 1:
        return Estimate(None, reason=empty)
    return _positive(total / n, _se(n, total / n, squares / n), n)


def root_mean_loss(n: int, total: float, squares: float, empty: str = NO_ROWS) -> Estimate:
    """Root of such a mean, as in RMSLE; its standard error is that of the mean over twice it."""
    mean = mean_loss(n, total, squares, empty)
    if mean.value is None or mean.se is None or not mean.value > 0:
        return mean
    root = math.sqrt(mean.value)
    ends = mean.interval
    interval = None if ends is None else (math.sqrt(ends[0]), math.sqrt(ends[1]))
    return Estimate(root, mean.se / (2 * root), interval, n)


def r2(n: int, e2: float, e4: float, y: float, y2: float) -> Estimate:
    """R2: 1 - sum of e^2 / sum of (label - mean label)^2.

    `y` and `y2` are the sums of the label and of its square, both after subtracting any one centre.
    The standard error is that of the delta method: sd(e^2) for the error, a normal distribution for
    the variance of the labels (2/(n-1) on the log scale).
    """
    if n < 2:
        return Estimate(None, reason="needs two labelled rows")
    spread = y2 - y * y / n
    # A spread within rounding error of the sums is that of a constant.
    if not spread > 1e-14 * y2:
        return Estimate(None, reason="all labels are the same")
    residual_share = e2 / spread
    if not math.isfinite(residual_share):
        return Estimate(None, reason="the errors are too large to compare with the labels")
    error = rmse(n, e2, e4)
    if residual_share == 0 or error.se is None or error.value is None:
        return Estimate(1 - residual_share, None, None, n, error.reason)
    se = residual_share * math.hypot(2 * error.se / error.value, math.sqrt(2 / (n - 1)))
    ends = log_interval(residual_share, se, t_of(n - 1))
    return Estimate(1 - residual_share, se, None if ends is None else (1 - ends[1], 1 - ends[0]), n)


def _se(n: int, mean: float, mean_square: float) -> float:
    variance = max(0.0, mean_square - mean * mean) * n / (n - 1) if n > 1 else mean * mean
    return math.sqrt(variance / n)


def _positive(value: float, se: float, n: int) -> Estimate:
    if n < 2:
        return Estimate(value, None, None, n)
    return Estimate(value, se, log_interval(value, se, t_of(n - 1)) if value > 0 else (0.0, 0.0), n)
