"""The distribution of PSI and of the Jensen-Shannon divergence by chance.

With h = 1/n + 1/m, PSI/h follows chi-square with B-1 degrees of freedom when nothing changed
(Yurdakul 2018), and noncentral chi-square with noncentrality PSI_true/h after a change (Potgieter
et al. 2023). 8 JSD (nats) behaves as PSI does. n and m are the rows of reference and window;
`cells` is B. Rows count as independent: for clustered rows pass effective row counts. A side
without rows, or fewer than two cells, gives None.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from driftline.stats.basics.estimate import Interval, z_of


class Law(NamedTuple):
    """Mean and standard deviation of PSI when nothing changed."""

    mean: float
    sd: float


def psi_law(cells: int, n: int, m: int) -> Law | None:
    """(B-1) h and sqrt(2(B-1)) h."""
    h = _h(cells, n, m)
    return None if h is None else Law((cells - 1) * h, math.sqrt(2 * (cells - 1)) * h)


def psi_quantile(cells: int, n: int, m: int, level: float) -> float | None:
    """The value that PSI stays below with chance `level` when nothing changed."""
    from scipy.special import chdtri

    h = _h(cells, n, m)
    return None if h is None else float(chdtri(cells - 1, 1 - level)) * h


def psi_critical(cells: int, n: int, m: int, tolerance: float, alpha: float = 0.01) -> float | None:
    """PSI above this shows, at level `alpha`, that the true PSI is above `tolerance`."""
    from scipy.special import chndtrix

    h = _h(cells, n, m)
    if h is None:
        return None
    if tolerance == 0:
        return psi_quantile(cells, n, m, 1 - alpha)
    return float(chndtrix(1 - alpha, cells - 1, tolerance / h)) * h


def psi_p_value(value: float, cells: int, n: int, m: int, tolerance: float = 0.0) -> float | None:
    """P(PSI >= value) when the true PSI is `tolerance`."""
    from scipy.special import chdtrc, chndtr

    h = _h(cells, n, m)
    if h is None:
        return None
    if tolerance <= 0:
        return float(chdtrc(cells - 1, max(value, 0.0) / h))
    below = float(chndtr(value / h, cells - 1, tolerance / h))
    return min(1.0, max(0.0, 1 - below)) if math.isfinite(below) else None


def psi_debiased(value: float, cells: int, n: int, m: int) -> float | None:
    """PSI less what chance adds to it, PSI - (B-1) h, at least 0."""
    h = _h(cells, n, m)
    return None if h is None else max(0.0, value - (cells - 1) * h)


def psi_interval(
    value: float, cells: int, n: int, m: int, confidence: float = 0.95
) -> Interval | None:
    """Interval of the true PSI, from the measured one with its bias.

    It contains the debiased value.
    """
    h = _h(cells, n, m)
    if h is None:
        return None
    low, high = noncentrality_interval(value / h, cells - 1, confidence)
    middle = max(0.0, value - (cells - 1) * h)
    return min(low * h, middle), max(high * h, middle)


EXACT = 50.0
"""Up to this value plus twice the degrees of freedom the distribution is inverted.

Above, its expansion is as exact and faster.
"""


def noncentrality_interval(x: float, df: int, confidence: float = 0.95) -> Interval:
    """Noncentralities at which a noncentral chi-square distribution may give `x`.

    (0, 0) when `x` is small even for noncentrality 0. The probability beyond each end is exact to
    0.0001.
    """
    from scipy.special import chdtr, chndtrinc

    tail = (1 - confidence) / 2
    z = z_of(confidence)
    ends = []
    nearest = float(chdtr(df, x)) if x <= EXACT + 2 * df else 1.0
    for level, quantile in ((1 - tail, z), (tail, -z)):
        end = 0.0 if nearest <= level else math.nan
        if level < nearest < 1:
            end = float(chndtrinc(x, df, level))
        ends.append(end if 0 <= end < math.inf else _noncentrality(x, df, quantile))
    return ends[0], ends[1]


def _noncentrality(x: float, df: int, z: float) -> float:
    # The noncentrality l whose law has its quantile z at x, by Cornish and Fisher's expansion of
    # the quantile up to the fourth
    # cumulant. Newton's steps, from the root of (x - df - l)^2 = z^2 (2 df + 4 l).
    skew, tails, skew_squared = (z * z - 1) / 6, (z**3 - 3 * z) / 24, (2 * z**3 - 5 * z) / 36
    end = max(0.0, x - df + 2 * z * (z - math.sqrt(max(0.0, x - df / 2 + z * z))))
    for _ in range(8):
        variance = 2 * df + 4 * end
        sd = math.sqrt(variance)
        third, fourth = (
            8 * (df + 3 * end) / (variance * sd),
            48 * (df + 4 * end) / (variance * variance),
        )
        step = (
            df + end + sd * (z + third * skew + fourth * tails - third * third * skew_squared) - x
        ) / (1 + 2 * z / sd)
        end = max(0.0, end - step)
        if abs(step) < 1e-9 * x:
            break
    return end


def _h(cells: int, n: int, m: int) -> float | None:
    return 1 / n + 1 / m if cells >= 2 and n > 0 and m > 0 else None
