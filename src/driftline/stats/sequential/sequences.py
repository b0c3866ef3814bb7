"""Sequential tests: the wealth of a bet against a claim, and intervals valid at every time.

Values lie in [0, 1] and in the order of time, shape (T,). A wealth of 1/alpha disproves the claim
at level alpha whenever it is reached (Ville 1939). The bet on a value depends on earlier values
only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats


class Centred(NamedTuple):
    """An interval as its middle and what it reaches to either side."""

    centre: float
    half: float


def betting_capital(x: ArrayLike, mean: float, bets: ArrayLike) -> Floats:
    """Wealth after each value against "the mean is at most `mean`", in (0, 1).

    The product of 1 + bet (x - mean). `bets` is one number or has shape (T,), each in [0, 1/mean);
    Waudby-Smith and Ramdas (2024).
    """
    values = np.asarray(x, dtype=np.float64)
    factors: Floats = 1 + np.asarray(bets, dtype=np.float64) * (values - mean)
    return factors.cumprod()


def hoeffding_capital(x: ArrayLike, mean: float, bets: ArrayLike) -> Floats:
    """Wealth exp(sum of bet (x - mean) - bet^2/8) against the same claim.

    For bets of any size from 0 on; Hoeffding (1963).
    """
    values, bet = np.asarray(x, dtype=np.float64), np.asarray(bets, dtype=np.float64)
    return np.exp(np.minimum(np.cumsum(bet * (values - mean) - bet**2 / 8), 700.0))


def plug_in_bets(x: ArrayLike, alpha: float = 0.05, most: float = 0.5) -> Floats:
    """The bet on each value, from the spread of the values before it, at most `most`.

    sqrt(2 ln(2/alpha) / (var i ln(1+i))). Against "the mean is at most m", `most` = 1/(2m) is
    usual.
    """
    values = np.asarray(x, dtype=np.float64)
    i = np.arange(1, len(values) + 1)
    variance = _before(values)[1]
    return np.minimum(np.sqrt(2 * math.log(2 / alpha) / (variance * i * np.log1p(i))), most)


def empirical_bernstein(x: ArrayLike, alpha: float = 0.05, most: float = 0.5) -> Centred | None:
    """Interval for the mean, valid at all times with probability 1 - alpha.

    Waudby-Smith and Ramdas (2024), predictable plug-in, from all values so far. It adapts to the
    spread, and may exceed [0, 1] for few values. None without values.
    """
    values = np.asarray(x, dtype=np.float64)
    if not len(values):
        return None
    bets = plug_in_bets(values, alpha, most)
    total = float(np.sum(bets))
    cost = 4 * (values - _before(values)[0]) ** 2 * (-np.log1p(-bets) - bets) / 4
    return Centred(
        float(np.sum(bets * values)) / total, (math.log(2 / alpha) + float(np.sum(cost))) / total
    )


def asymptotic_half(
    t: float, sd: float = 1.0, alpha: float = 0.05, best_at: float = 1000.0
) -> float | None:
    """Half the width of an interval for a mean that is valid at all times.

    From t values with standard deviation `sd`; narrowest for its level at `best_at` values;
    Waudby-Smith et al. (2024). For large t only, because it relies on the central limit theorem.
    None without values.
    """
    if t <= 0:
        return None
    log = -2 * math.log(alpha)
    rho2 = (log + math.log(log + 1)) / best_at
    room = t * rho2 + 1
    return sd * math.sqrt(2 * room / (t * t * rho2) * math.log(math.sqrt(room) / alpha))


def cdf_half(t: float, alpha: float = 0.05) -> float | None:
    """Distance of the distribution of t values from the true one, valid at all times.

    0.85 sqrt((ln ln(e t) + 0.8 ln(1612/alpha)) / t), Howard and Ramdas (2022). None without values.
    """
    return (
        0.85 * math.sqrt((math.log(1 + math.log(t)) + 0.8 * math.log(1612 / alpha)) / t)
        if t >= 1
        else None
    )


def dkw_half(n: float, alpha: float = 0.05) -> float | None:
    """The same distance at one time that was fixed before.

    sqrt(ln(2/alpha) / (2n)), Massart (1990). None without values.
    """
    return math.sqrt(math.log(2 / alpha) / (2 * n)) if n >= 1 else None


def _before(values: Floats) -> tuple[Floats, Floats]:
    # Mean and variance of what came before each value, begun with 1/2 and 1/4 as one value seen in
    # advance.
    i = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (i + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (i + 1)
    return np.concatenate(([0.5], means[:-1])), np.concatenate(([0.25], variances[:-1]))
