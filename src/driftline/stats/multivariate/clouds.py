"""Distances between two clouds of vectors, from samples of rows of shape (n, d) and (m, d).

All rows are finite. All three distances are the squared distance of two means, each in its own
space, so they share one distribution. Without change it is a weighted sum of chi-squares,
approximated by g times a chi-square with the same mean and variance (Satterthwaite 1946; for
kernels Gretton et al. 2009); after a change it is the noncentral form. `value` has the expectation
by chance subtracted, `raw` has not. Fewer than two rows on a side give a `Shift` without value.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Z95
from driftline.stats.distributions.psi_law import noncentrality_interval
from driftline.stats.distributions.shift import Shift
from driftline.types.arrays import Floats

FEATURES = 256
"""Numbers that stand for a row in place of a Gaussian kernel."""
CLEAR = 3.0
"""Standard errors from the origin at which a mean has a direction."""


class Shrunk(NamedTuple):
    """A covariance matrix that can be inverted."""

    matrix: Floats
    """Shape (d, d)."""
    share: float
    """How much of it is the mean variance times the identity, 0 to 1."""


def shrunk_covariance(rows: ArrayLike) -> Shrunk | None:
    """The covariance (ddof 0), shrunk to a multiple of the identity (Ledoit and Wolf 2004).

    The error of the covariance decides how far. None below two rows.
    """
    x = _rows(rows)
    if len(x) < 2:
        return None
    n, d = x.shape
    x = x - x.mean(axis=0)
    sample: Floats = x.T @ x / n
    level, norm = float(np.trace(sample)) / d, float(np.sum(sample * sample))
    spread = norm / d - level**2
    error = (float(np.mean(np.sum(x * x, axis=1) ** 2)) - norm) / (n * d)
    share = min(1.0, max(0.0, error / spread)) if spread > 0 else 1.0
    return Shrunk((1 - share) * sample + share * level * np.eye(d), share)


def mahalanobis_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Mahalanobis distance of the means, by the shrunk covariance of the reference.

    It is in standard deviations of the reference in the direction of the difference. No value where
    the reference does not vary.
    """
    x, y = _rows(ref), _rows(cur)
    shrunk = shrunk_covariance(x)
    if shrunk is None or len(y) < 2 or not shrunk.matrix.any():
        return Shift(None)
    values, axes = np.linalg.eigh(shrunk.matrix)
    whiten, centre = axes / np.sqrt(np.maximum(values, 1e-12 * values[-1])), x.mean(axis=0)
    x, y = (x - centre) @ whiten, (y - centre) @ whiten
    # The matrix fits its own rows too well, and other rows lie too far out by it: by as much as
    # leaving each of its rows out
    # would move that row (Sherman and Morrison 1950).
    squares = np.sum(x * x, axis=1)
    alone = squares / np.maximum(1 - (1 - shrunk.share) / len(x) * squares, 1e-3)
    excess = float(alone.mean() / squares.mean())
    unsure = math.sqrt(2 * excess * (1 - shrunk.share) / len(x))
    shift = _apart(
        y.mean(axis=0) / math.sqrt(excess),
        _covariance(x),
        len(x),
        _covariance(y) / excess,
        len(y),
        unsure,
    )
    low, high = shift.interval or (0.0, 0.0)
    value, raw = math.sqrt(shift.value or 0.0), math.sqrt(shift.raw or 0.0)
    return shift._replace(value=value, interval=(math.sqrt(low), math.sqrt(high)), raw=raw)


def cosine_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """1 - cosine of the angle between the means.

    No value where a mean is so near the origin that its direction is random.
    """
    x, y = _rows(ref), _rows(cur)
    if min(len(x), len(y)) < 2:
        return Shift(None)
    a, b = x.mean(axis=0), y.mean(axis=0)
    sizes = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    errors = (math.sqrt(float(np.sum(side.var(axis=0, ddof=1))) / len(side)) for side in (x, y))
    if not all(size > CLEAR * error for size, error in zip(sizes, errors, strict=True)):
        return Shift(None)
    # Of means of length 1 the squared distance is twice the cosine distance, and only what lies
    # across them moves them.
    a, b = a / sizes[0], b / sizes[1]
    x, y = (x - np.outer(x @ a, a)) / sizes[0], (y - np.outer(y @ b, b)) / sizes[1]
    shift = _apart(b - a, _covariance(x), len(x), _covariance(y), len(y))
    low, high = shift.interval or (0.0, 0.0)
    return shift._replace(
        value=(shift.value or 0.0) / 2, interval=(low / 2, high / 2), raw=(shift.raw or 0.0) / 2
    )


def fourier_shift(
    ref: ArrayLike, cur: ArrayLike, variance: float, rng: np.random.Generator
) -> Shift:
    """Squared maximum mean discrepancy for k = exp(-d^2/(2 variance)), by random features.

    256 random Fourier features (Rahimi and Recht 2007) come from `rng`; with the same seed the
    numbers can be compared. No value without a bandwidth.
    """
    x, y = _rows(ref), _rows(cur)
    if min(len(x), len(y)) < 2 or not variance > 0:
        return Shift(None)
    waves = rng.normal(size=(x.shape[1], FEATURES // 2)) / math.sqrt(variance)
    x, y = (
        np.concatenate((np.cos(side @ waves), np.sin(side @ waves)), axis=1)
        / math.sqrt(FEATURES // 2)
        for side in (x, y)
    )
    return _apart(y.mean(axis=0) - x.mean(axis=0), _covariance(x), len(x), _covariance(y), len(y))


def _apart(way: Floats, ref: Floats, n: int, cur: Floats, m: int, unsure: float = 0.0) -> Shift:
    """Squared length of the vector `way` between two means.

    `unsure` is the relative error of the measure itself.
    """
    from scipy.special import chdtrc

    raw = float(way @ way)
    a, b = ref / n, cur / m
    noise = a + b
    by_chance = float(np.trace(noise))
    if not raw > 0 or not by_chance > 0:
        return Shift(raw, (raw, raw), 0.0 if raw > 0 else 1.0, raw)
    # Of a covariance from n rows the squared norm is too large by tr^2/(n - 1).
    square = (
        float(np.sum(noise * noise))
        - float(np.trace(a)) ** 2 / (n - 1)
        - float(np.trace(b)) ** 2 / (m - 1)
    )
    square = max(square, by_chance**2 / len(way))
    df = max(1, round(by_chance**2 / square))
    p_value = float(chdtrc(df, raw / (by_chance / df)))
    # Along the way the means may be less sure than on average.
    df = max(1, round(by_chance / max(square / by_chance, float(way @ noise @ way) / raw)))
    scale, value = by_chance / df, max(0.0, raw - by_chance)
    low, high = (end * scale for end in noncentrality_interval(raw / scale, df))
    extra = Z95 * unsure * value
    low = value - math.hypot(max(0.0, value - low), extra)
    return Shift(
        value, (max(0.0, low), value + math.hypot(max(0.0, high - value), extra)), p_value, raw
    )


def _covariance(rows: Floats) -> Floats:
    rows = rows - rows.mean(axis=0)
    covariance: Floats = rows.T @ rows / (len(rows) - 1)
    return covariance


def _rows(rows: ArrayLike) -> Floats:
    array = np.asarray(rows, np.float64)
    return array if array.ndim == 2 else array.reshape(len(array), -1)
