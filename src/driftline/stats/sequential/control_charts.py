"""The classic control charts, and the average run length of each.

Values are standardised: mean 0 and standard deviation 1 without change; shape (T,), in the order of
time. The average run length (ARL) is the mean number of windows until the first false alarm, for
independent normal windows with known mean and standard deviation. `estimated_rate` adds the effect
of estimating these two.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats

NODES = 64
"""Points of the quadrature: the ARL is exact to six digits for weights down to 0.02."""
LONGEST = 1e12
"""An ARL beyond it is given as this: the equations no longer tell it from for ever."""


def ewma(values: ArrayLike, weight: float = 0.2, start: float = 0.0) -> Floats:
    """The exponentially weighted mean z <- weight x + (1 - weight) z (Roberts 1959); shape (T,)."""
    path = np.empty(len(np.asarray(values)))
    z = start
    for place, x in enumerate(np.asarray(values, dtype=np.float64)):
        z = weight * float(x) + (1 - weight) * z
        path[place] = z
    return path


def ewma_limits(count: int, weight: float = 0.2, width: float = 3.0) -> Floats:
    """Limits around 0 of the first `count` points of `ewma`; shape (count,).

    They are `width` standard deviations of these points.
    """
    t = np.arange(1, count + 1)
    limits: Floats = width * np.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * t)))
    return limits


def cusum(values: ArrayLike, slack: float = 0.5, start: float = 0.0) -> Floats:
    """The upper sum S <- max(0, S + x - slack) (Page 1954); shape (T,).

    For the lower side pass -values.
    """
    path = np.empty(len(np.asarray(values)))
    total = start
    for place, x in enumerate(np.asarray(values, dtype=np.float64)):
        total = max(0.0, total + float(x) - slack)
        path[place] = total
    return path


def page_hinkley(values: ArrayLike, slack: float = 0.005) -> Floats:
    """Rise of the sum of (x - mean so far - slack) above its lowest point; shape (T,).

    Hinkley (1971).
    """
    x = np.asarray(values, dtype=np.float64)
    sums = np.cumsum(x - np.cumsum(x) / np.arange(1, len(x) + 1) - slack)
    return sums - np.minimum.accumulate(sums)


def normal_scores(p: ArrayLike) -> Floats:
    """Upper p-values as values of a chart, of any shape.

    The normal quantile of 1 - p, between -8.2 and 37.
    """
    from scipy.special import ndtri

    scores: Floats = -ndtri(np.clip(np.asarray(p, dtype=np.float64), 1e-300, 1 - 1e-16))
    return scores


def ewma_arl(weight: float = 0.2, width: float = 3.0, mean: float = 0.0, sd: float = 1.0) -> float:
    """Mean number of windows until `ewma` first leaves `ewma_limits`.

    Values have this mean and standard deviation. By the integral equation (Crowder 1987), with the
    widening limits of the first windows.
    """
    points, weights = np.polynomial.legendre.leggauss(NODES)
    spread = weight * sd

    def kernel(to: Floats, source: Floats) -> Floats:
        return _density(to[None, :], (1 - weight) * source[:, None] + weight * mean, spread)

    steps = max(1, math.ceil(math.log(1e-10) / (2 * math.log1p(-weight)))) if weight < 1 else 1
    limits = ewma_limits(steps, weight, width)
    # The mass at each node, quadrature weights included.
    nodes, mass, windows = np.zeros(1), np.ones(1), 0.0
    for limit in limits:
        windows += float(np.sum(mass))
        bounds = limit * points
        mass = mass @ kernel(bounds, nodes) * (limit * weights)
        nodes = bounds
    inner = kernel(nodes, nodes) * (limits[-1] * weights)[None, :]
    return _sound(windows + float(mass @ np.linalg.solve(np.eye(NODES) - inner, np.ones(NODES))))


def cusum_arl(slack: float = 0.5, limit: float = 5.0, mean: float = 0.0, sd: float = 1.0) -> float:
    """Mean number of windows until `cusum` first reaches `limit`.

    Values have this mean and standard deviation. One side, by Page's integral equation; for both
    sides together 1/ARL = 1/ARL(mean) + 1/ARL(-mean).
    """
    from scipy.special import ndtr

    points, weights = np.polynomial.legendre.leggauss(NODES)
    nodes = np.concatenate(([0.0], limit / 2 * (points + 1)))
    drift = mean - slack
    matrix = np.empty((NODES + 1, NODES + 1))
    matrix[:, 0] = ndtr((-nodes - drift) / sd)
    matrix[:, 1:] = _density(nodes[None, 1:], nodes[:, None] + drift, sd) * (limit / 2 * weights)
    return _sound(float(np.linalg.solve(np.eye(NODES + 1) - matrix, np.ones(NODES + 1))[0]))


def estimated_rate(arl: Callable[[float, float], float], windows: int) -> float | None:
    """False alarms per window when mean and standard deviation are estimated from some windows.

    The rate is the average over all estimates. `arl` is the ARL of the chart, given the mean and
    standard deviation of values that were standardised with the estimates; it must treat both signs
    of the mean alike. Exact to half a percent; None below three windows.
    """
    from scipy.special import gammaincinv

    if windows < 3:
        return None
    offsets, chances = np.polynomial.hermite_e.hermegauss(9)
    levels, shares = np.polynomial.legendre.leggauss(20)
    # The estimated variance over the true one is chi-square over its degrees of freedom.
    ratios = 2 * gammaincinv((windows - 1) / 2, (levels + 1) / 2) / (windows - 1)
    rate, total = 0.0, 0.0
    for ratio, share in zip(ratios, shares, strict=True):
        spread = 1 / math.sqrt(ratio)
        for offset, chance in zip(offsets[4:], chances[4:], strict=True):
            weight = float(share * chance) * (1 if offset < 1e-9 else 2)
            rate += weight / arl(float(offset) / math.sqrt(windows) * spread, spread)
            total += weight
    return rate / total


def _sound(arl: float) -> float:
    return arl if 1 <= arl <= LONGEST else LONGEST


def _density(x: Floats, mean: Floats, sd: float) -> Floats:
    density: Floats = np.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * math.sqrt(2 * math.pi))
    return density
