"""Distances between a reference and a window: debiased, with interval and p-value.

Rows count as independent, and both sides as samples.
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
from driftline.stats.distributions.segments import Segments, segments
from driftline.stats.distributions.side import Side


class Shift(NamedTuple):
    """Distance of a window from its reference.

    The value is None when a side has no rows or the number exceeds the range of floats.
    """

    value: float | None
    interval: Interval | None = None
    """Where the true distance lies with 95% confidence, at least."""
    p_value: float | None = None
    raw: float | None = None
    """The plain distance, with what chance adds to it."""
    cells: int = 0
    """Cells with rows of either side; for `linf_shift`, the cell that changed most."""


def psi_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Population stability index minus its expectation by chance.

    Cells that are empty on both sides are left out. With one cell left the value is 0.
    """
    p, q = _nonempty_shares(ref, cur)
    return _by_law(psi_of(p, q), p, q)


def js_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Jensen-Shannon distance in base 2, by the distribution of PSI.

    For small shifts 8 JSD (nats) equals PSI.
    """
    p, q = _nonempty_shares(ref, cur)
    nats = jensen_shannon_of(p, q)
    return _square_root(_by_law(None if nats is None else 8 * nats, p, q), 8 * math.log(2))


def _by_law(value: float | None, p: list[float], q: list[float]) -> Shift:
    if value is None:
        return Shift(None)
    cells, n, m = len(p), int(sum(p)), int(sum(q))
    if cells < 2:
        return Shift(0.0, (0.0, 0.0), 1.0, 0.0, cells)
    estimate = psi_debiased(value, cells, n, m)
    return Shift(
        estimate, psi_interval(value, cells, n, m), psi_p_value(value, cells, n, m), value, cells
    )


def _square_root(law: Shift, factor: float) -> Shift:
    """Of a distance whose square is a PSI over `factor`, and at most 1."""
    if law.value is None or law.interval is None or law.raw is None:
        return law
    value, low, high, raw = (
        math.sqrt(min(1.0, part / factor)) for part in (law.value, *law.interval, law.raw)
    )
    return law._replace(value=value, interval=(low, high), raw=raw)


def hellinger_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Hellinger distance, by the law of PSI: small shifts give 8 squares of it = PSI."""
    p, q = _nonempty_shares(ref, cur)
    plain = hellinger(p, q)
    return _square_root(_by_law(None if plain is None else 8 * plain**2, p, q), 8)


def ks_shift(ref: Side, cur: Side) -> Shift:
    """KS distance on a grid of cells, with the interval of Dvoretzky, Kiefer and Wolfowitz.

    The interval includes what the grid can't decide.
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
    lines = _shared_segments(ref, cur)
    distance, margin = grid_wasserstein(ref, cur, lines), wasserstein_margin(ref, cur, lines)
    if distance is None or margin is None:
        return Shift(None)
    value, half = distance / ref.scale, margin / ref.scale
    if not math.isfinite(value + half):
        return Shift(None)
    return Shift(value, (max(0.0, value - half), value + half), None, value)


def energy_shift(ref: Side, cur: Side) -> Shift:
    """Energy distance on a grid, in the root of the scale of the reference.

    `raw` is in the root of the unit of the values.
    """
    lines = _shared_segments(ref, cur)
    distance, margin = grid_energy(ref, cur, lines), energy_margin(ref, cur, lines)
    if distance is None or margin is None:
        return Shift(None)
    value, half = distance / math.sqrt(ref.scale), margin / math.sqrt(ref.scale)
    if not math.isfinite(value + half):
        return Shift(None)
    return Shift(value, (max(0.0, value - half), value + half), None, distance)


def cramer_von_mises_shift(ref: Side, cur: Side) -> Shift:
    """Cramér and von Mises' T on a grid, with its p-value.

    `raw` is the distance T (n+m)/(nm), which does not depend on the number of rows.
    """
    t = grid_cramer_von_mises(ref, cur)
    if t is None:
        return Shift(None)
    return Shift(
        t, None, cramer_von_mises_p(t, ref.rows, cur.rows), t * (1 / ref.rows + 1 / cur.rows)
    )


def linf_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """The largest change of a share.

    Its interval is Newcombe's for every cell, at a level that holds for all cells at once.
    """
    pair = shares(ref, cur)
    if pair is None:
        return Shift(None)
    a, b = np.asarray(ref), np.asarray(cur)
    n, m, confidence = int(a.sum()), int(b.sum()), 1 - 0.05 / len(a)
    moves = np.abs(pair[1] - pair[0])
    place = int(np.argmax(moves))
    value, least, most = float(moves[place]), 0.0, 0.0
    for before, after in zip(a.tolist(), b.tolist(), strict=True):
        low, high = newcombe(after, m, before, n, confidence) or (0.0, 0.0)
        least, most = max(least, low, -high), max(most, high, -low)
    return Shift(value, (min(least, value), max(most, value)), None, value, place)


def tvd_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Total variation distance.

    Its interval is 1.96 sqrt(1/n+1/m) times half the sum of sqrt(r(1-r)) to either side, with the
    pooled shares r (the triangle inequality, and Minkowski's).
    """
    value = tvd(ref, cur)
    if value is None:
        return Shift(None)
    a, b = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    n, m = float(a.sum()), float(b.sum())
    mixture = (a + b) / (n + m)
    half = 0.98 * math.sqrt(1 / n + 1 / m) * float(np.sum(np.sqrt(mixture * (1 - mixture))))
    return Shift(value, (max(0.0, value - half), min(1.0, value + half)), None, value, len(a))


def _shared_segments(ref: Side, cur: Side) -> Segments | None:
    """The segments for a distance and its margin; None where there is nothing to compare."""
    return segments(ref, cur) if ref.rows and cur.rows and len(ref.edges) else None


def _nonempty_shares(ref: ArrayLike, cur: ArrayLike) -> tuple[list[float], list[float]]:
    p, q = np.asarray(ref).tolist(), np.asarray(cur).tolist()
    if 0 in p:
        pairs = [pair for pair in zip(p, q, strict=True) if any(pair)]
        return [a for a, _ in pairs], [b for _, b in pairs]
    return p, q
