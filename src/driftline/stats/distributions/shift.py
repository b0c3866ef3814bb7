"""A distance between a reference and a window as people need it: debiased, with its interval and
its p-value.

Refuses to be clever about dependence: rows count as independent, and both sides as samples.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.basics.estimate import Interval
from driftline.stats.basics.proportion import newcombe
from driftline.stats.distributions.binned import hellinger, jensen_shannon_of, psi_of, shares, tvd
from driftline.stats.distributions.distance import cramer_von_mises_p
from driftline.stats.distributions.grid import (
    energy_margin,
    grid_cramer_von_mises,
    grid_energy,
    grid_ks,
    grid_wasserstein,
    wasserstein_margin,
)
from driftline.stats.distributions.ks import ks_margin, ks_p_value
from driftline.stats.distributions.psi_law import psi_debiased, psi_interval, psi_p_value
from driftline.stats.distributions.side import Side


class Shift(NamedTuple):
    """How far a window has moved; value None when a side has no rows or the number is beyond
    floats.
    """

    value: float | None
    interval: Interval | None = None
    """Where the true distance lies with 95% confidence, at least."""
    p_value: float | None = None
    raw: float | None = None
    """The plain distance, with what chance adds to it."""
    cells: int = 0
    """The cells that hold rows of either side; for `linf_shift`, the place of the cell that moved
    most.
    """


def psi_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """PSI less what chance adds; cells empty on both sides are left out, and with one cell left
    nothing can have moved.
    """
    p, q = _occupied(ref, cur)
    return _by_law(psi_of(p, q), p, q)


def js_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Jensen-Shannon distance in base 2, by the law of PSI: small shifts give 8 JSD (nats) =
    PSI.
    """
    p, q = _occupied(ref, cur)
    nats = jensen_shannon_of(p, q)
    return _rooted(_by_law(None if nats is None else 8 * nats, p, q), 8 * math.log(2))


def _by_law(value: float | None, p: list[float], q: list[float]) -> Shift:
    if value is None:
        return Shift(None)
    cells, n, m = len(p), int(sum(p)), int(sum(q))
    if cells < 2:
        return Shift(0.0, (0.0, 0.0), 1.0, 0.0, cells)
    debiased = psi_debiased(value, cells, n, m)
    return Shift(
        debiased, psi_interval(value, cells, n, m), psi_p_value(value, cells, n, m), value, cells
    )


def _rooted(law: Shift, factor: float) -> Shift:
    """Of a distance whose square is a PSI over `factor`, and at most 1."""
    if law.value is None or law.interval is None or law.raw is None:
        return law
    value, low, high, raw = (
        math.sqrt(min(1.0, part / factor)) for part in (law.value, *law.interval, law.raw)
    )
    return law._replace(value=value, interval=(low, high), raw=raw)


def hellinger_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Hellinger distance, by the law of PSI: small shifts give 8 squares of it = PSI."""
    p, q = _occupied(ref, cur)
    plain = hellinger(p, q)
    return _rooted(_by_law(None if plain is None else 8 * plain**2, p, q), 8)


def ks_shift(ref: Side, cur: Side) -> Shift:
    """KS distance on a grid of cells, with the interval of Dvoretzky, Kiefer and Wolfowitz and what
    the grid leaves open.
    """
    distance = grid_ks(ref, cur)
    margin = ks_margin(ref.rows, cur.rows)
    if distance is None or margin is None:
        return Shift(None)
    value, open_part = distance
    interval = (max(0.0, value - margin), min(1.0, value + open_part + margin))
    return Shift(value, interval, ks_p_value(value, ref.rows, cur.rows), value, len(ref.counts))


def wasserstein_shift(ref: Side, cur: Side) -> Shift:
    """W1 on a grid in the reference's scale; None too where that ratio is beyond floats."""
    distance, margin = grid_wasserstein(ref, cur), wasserstein_margin(ref, cur)
    if distance is None or margin is None:
        return Shift(None)
    value, half = distance / ref.scale, margin / ref.scale
    if not math.isfinite(value + half):
        return Shift(None)
    return Shift(value, (max(0.0, value - half), value + half), None, value)


def energy_shift(ref: Side, cur: Side) -> Shift:
    """Energy distance on a grid in the root of the reference's scale; `raw` in the root of the
    values' unit.
    """
    distance, margin = grid_energy(ref, cur), energy_margin(ref, cur)
    if distance is None or margin is None:
        return Shift(None)
    value, half = distance / math.sqrt(ref.scale), margin / math.sqrt(ref.scale)
    if not math.isfinite(value + half):
        return Shift(None)
    return Shift(value, (max(0.0, value - half), value + half), None, distance)


def cramer_von_mises_shift(ref: Side, cur: Side) -> Shift:
    """Cramér and von Mises' T on a grid with its p-value; `raw` is the distance behind it, T
    (n+m)/(nm), for any rows.
    """
    t = grid_cramer_von_mises(ref, cur)
    if t is None:
        return Shift(None)
    return Shift(
        t, None, cramer_von_mises_p(t, ref.rows, cur.rows), t * (1 / ref.rows + 1 / cur.rows)
    )


def linf_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """The largest change of a share; its interval is Newcombe's of every cell, at a level that
    holds for all at once.
    """
    both = shares(ref, cur)
    if both is None:
        return Shift(None)
    a, b = np.asarray(ref), np.asarray(cur)
    n, m, confidence = int(a.sum()), int(b.sum()), 1 - 0.05 / len(a)
    moves = np.abs(both[1] - both[0])
    place = int(np.argmax(moves))
    value, least, most = float(moves[place]), 0.0, 0.0
    for before, after in zip(a.tolist(), b.tolist(), strict=True):
        low, high = newcombe(after, m, before, n, confidence) or (0.0, 0.0)
        least, most = max(least, low, -high), max(most, high, -low)
    return Shift(value, (min(least, value), max(most, value)), None, value, place)


def tvd_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Total variation distance; its interval is 1.96 sqrt(1/n+1/m) times half the sum of
    sqrt(r(1-r)) to either side, with the pooled shares r (the triangle inequality, and
    Minkowski's).
    """
    value = tvd(ref, cur)
    if value is None:
        return Shift(None)
    a, b = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    n, m = float(a.sum()), float(b.sum())
    pooled = (a + b) / (n + m)
    half = 0.98 * math.sqrt(1 / n + 1 / m) * float(np.sum(np.sqrt(pooled * (1 - pooled))))
    return Shift(value, (max(0.0, value - half), min(1.0, value + half)), None, value, len(a))


def _occupied(ref: ArrayLike, cur: ArrayLike) -> tuple[list[float], list[float]]:
    p, q = np.asarray(ref).tolist(), np.asarray(cur).tolist()
    if 0 in p:
        kept = [pair for pair in zip(p, q, strict=True) if any(pair)]
        return [a for a, _ in kept], [b for _, b in kept]
    return p, q
