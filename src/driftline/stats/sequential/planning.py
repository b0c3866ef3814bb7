"""What can be seen: the smallest change a test finds at given rows, and the rows it takes to find a
given one.

`alpha` is the two-sided level, `power` the chance to find the change. Refuses to call rows
independent for you: give effective rows where rows of one window resemble each other.
"""

from __future__ import annotations

import math

from driftline.stats.distributions.psi_law import noncentrality_interval, psi_critical

NUMERIC_ROWS = 100
"""Rows of a window below which the distribution of a numeric column is not judged."""
ROWS_PER_CATEGORY = 5
"""Rows per category below which shares are not judged."""
EVENTS = 10
"""Events expected in a window below which a rate is not judged."""
ROWS_PER_CLASS = 10
"""Positives, and negatives, below which an AUC is not judged."""
ROWS_PER_GROUP = 30
"""Rows of a group below which its disparity is not judged."""


def rows_for_rate(
    before: float, after: float, alpha: float = 0.001, power: float = 0.9
) -> int | None:
    """Rows in which a rate that moves from `before` to `after`, both in (0, 1), is found; None when
    it doesn't move.

    (z_alpha sqrt(p0 q0) + z_power sqrt(p1 q1))^2 / (p1 - p0)^2, rounded up; `before` counts as
    known.
    """
    if before == after or not (0 < before < 1 and 0 < after < 1):
        return None
    level, found = _quantiles(alpha, power)
    spread = level * math.sqrt(before * (1 - before)) + found * math.sqrt(after * (1 - after))
    return math.ceil((spread / (after - before)) ** 2)


def detectable_mean(
    n: float, m: float, wobble: float = 0.0, alpha: float = 0.001, power: float = 0.9
) -> float | None:
    """The smallest shift of a mean, in standard deviations, that n rows of reference and m of a
    window show.

    `wobble` is how much means of good windows differ beyond their rows, in the same unit: no number
    of rows gets below it.
    """
    if n <= 0 or m <= 0:
        return None
    return sum(_quantiles(alpha, power)) * math.sqrt(1 / n + 1 / m + wobble**2)


def detectable_psi(
    cells: int, n: int, m: int, tolerance: float = 0.0, alpha: float = 0.01, power: float = 0.9
) -> float | None:
    """The smallest true PSI that the test against `tolerance` at level `alpha` (one-sided) finds
    with `power`, above 1/2.
    """
    critical = psi_critical(cells, n, m, tolerance, alpha)
    if critical is None:
        return None
    h = 1 / n + 1 / m
    return noncentrality_interval(critical / h, cells - 1, 2 * power - 1)[1] * h


def design_effect(rows: float, correlation: float) -> float:
    """How many times too many a window's rows are when any two of them correlate: 1 + (rows - 1)
    correlation (Kish 1965).

    The correlation is tau^2/(tau^2 + sigma^2), of the variance between windows and within.
    """
    return 1 + max(rows - 1, 0.0) * correlation


def effective_rows(rows: float, correlation: float) -> float:
    """Independent rows that tell as much: rows over `design_effect`, never more than
    1/correlation.
    """
    return rows / design_effect(rows, correlation)


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    from scipy.special import ndtri

    return -float(ndtri(alpha / 2)), float(ndtri(power))
