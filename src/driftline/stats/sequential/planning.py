"""Sample sizes: the smallest detectable change at given rows, and the rows for a given change.

`alpha` is the two-sided level, `power` the probability of detection. Where rows of one window
correlate, pass effective rows.
"""

from __future__ import annotations

import math

from driftline.stats.distributions.psi_law import noncentrality_interval, psi_critical


def rows_for_rate(
    before: float, after: float, alpha: float = 0.001, power: float = 0.9
) -> int | None:
    """Rows that detect a rate that moves from `before` to `after`, both in (0, 1).

    (z_alpha sqrt(p0 q0) + z_power sqrt(p1 q1))^2 / (p1 - p0)^2, rounded up; `before` counts as
    known. None when the rate does not move.
    """
    if before == after or not (0 < before < 1 and 0 < after < 1):
        return None
    level, power_quantile = _quantiles(alpha, power)
    spread = level * math.sqrt(before * (1 - before)) + power_quantile * math.sqrt(
        after * (1 - after)
    )
    return math.ceil((spread / (after - before)) ** 2)


def detectable_mean(
    n: float, m: float, wobble: float = 0.0, alpha: float = 0.001, power: float = 0.9
) -> float | None:
    """The smallest detectable shift of a mean, in standard deviations.

    For n rows of the reference and m of a window. `wobble` is the spread of the means of good
    windows beyond that of their rows, in the same unit: no number of rows detects less.
    """
    if n <= 0 or m <= 0:
        return None
    return sum(_quantiles(alpha, power)) * math.sqrt(1 / n + 1 / m + wobble**2)


def detectable_psi(
    cells: int, n: int, m: int, tolerance: float = 0.0, alpha: float = 0.01, power: float = 0.9
) -> float | None:
    """The smallest true PSI that the test against `tolerance` detects with `power` (above 1/2).

    `alpha` is the one-sided level.
    """
    critical = psi_critical(cells, n, m, tolerance, alpha)
    if critical is None:
        return None
    h = 1 / n + 1 / m
    return noncentrality_interval(critical / h, cells - 1, 2 * power - 1)[1] * h


def design_effect(rows: float, correlation: float) -> float:
    """Factor by which correlated rows exceed independent ones: 1 + (rows - 1) correlation.

    Kish (1965). The correlation is tau^2/(tau^2 + sigma^2), with the variances between windows and
    within.
    """
    return 1 + max(rows - 1, 0.0) * correlation


def effective_rows(rows: float, correlation: float) -> float:
    """Equivalent number of independent rows: rows over `design_effect`, at most 1/correlation."""
    return rows / design_effect(rows, correlation)


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    from scipy.special import ndtri

    return -float(ndtri(alpha / 2)), float(ndtri(power))
