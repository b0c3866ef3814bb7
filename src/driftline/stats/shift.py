"""A distance between a reference and a window as people need it: debiased, with its interval and its p-value.

Refuses to be clever about dependence: rows count as independent, and both sides as samples.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.binned import js_divergence, psi, shares
from driftline.stats.estimate import Interval
from driftline.stats.grid import Side, grid_ks, grid_wasserstein, wasserstein_margin
from driftline.stats.ks import ks_margin, ks_p_value
from driftline.stats.proportion import clopper_pearson, newcombe
from driftline.stats.psi_law import psi_debiased, psi_interval, psi_p_value
from driftline.stats.sample import Floats


class Shift(NamedTuple):
    """How far a window has moved; value None when a side has no rows or the number is beyond floats."""

    value: float | None
    interval: Interval | None = None
    """Where the true distance lies with 95% confidence, at least."""
    p_value: float | None = None
    raw: float | None = None
    """The plain distance, with what chance adds to it."""
    cells: int = 0
    """The cells that hold rows of either side; for `linf_shift`, the place of the cell that moved most."""


def psi_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """PSI less what chance adds; cells empty on both sides are left out, and with one cell left nothing can have moved."""
    p, q = _occupied(ref, cur)
    value, cells, n, m = psi(p, q), len(p), int(p.sum()), int(q.sum())
    if value is None:
        return Shift(None)
    if cells < 2:
        return Shift(0.0, (0.0, 0.0), 1.0, 0.0, cells)
    debiased = psi_debiased(value, cells, n, m)
    return Shift(debiased, psi_interval(value, cells, n, m), psi_p_value(value, cells, n, m), value, cells)


def js_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """Jensen-Shannon distance in base 2, by the law of PSI: small shifts give 8 JSD (nats) = PSI."""
    p, q = _occupied(ref, cur)
    nats, cells, n, m = js_divergence(p, q, "e"), len(p), int(p.sum()), int(q.sum())
    if nats is None:
        return Shift(None)
    if cells < 2:
        return Shift(0.0, (0.0, 0.0), 1.0, 0.0, cells)
    low, high = psi_interval(8 * nats, cells, n, m) or (0.0, 0.0)
    value = psi_debiased(8 * nats, cells, n, m) or 0.0
    value, low, high, raw = (math.sqrt(min(1.0, part / 8 / math.log(2))) for part in (value, low, high, 8 * nats))
    return Shift(value, (low, high), psi_p_value(8 * nats, cells, n, m), raw, cells)


def ks_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """KS distance on a grid of cells, with the interval of Dvoretzky, Kiefer and Wolfowitz and what the grid leaves open."""
    distance = grid_ks(ref, cur)
    n, m = int(np.sum(ref)), int(np.sum(cur))
    margin = ks_margin(n, m)
    if distance is None or margin is None:
        return Shift(None)
    value, open_part = distance
    interval = (max(0.0, value - margin), min(1.0, value + open_part + margin))
    return Shift(value, interval, ks_p_value(value, n, m), value, len(np.asarray(ref)))


def wasserstein_shift(edges: Floats, ref: Side, cur: Side, scale: float) -> Shift:
    """W1 on a grid in units of `scale`, which is above 0; None too where that ratio is beyond floats."""
    distance, margin = grid_wasserstein(edges, ref, cur), wasserstein_margin(edges, ref, cur)
    if distance is None or margin is None:
        return Shift(None)
    with np.errstate(all="ignore"):
        value, half = float(np.float64(distance) / scale), float(np.float64(margin) / scale)
    if not math.isfinite(value + half):
        return Shift(None)
    return Shift(value, (max(0.0, value - half), value + half), None, value)


def linf_shift(ref: ArrayLike, cur: ArrayLike) -> Shift:
    """The largest change of a share; its interval is Newcombe's of every cell, at a level that holds for all at once."""
    both = shares(ref, cur)
    if both is None:
        return Shift(None)
    a, b = np.asarray(ref), np.asarray(cur)
    n, m, confidence = int(a.sum()), int(b.sum()), 1 - 0.05 / len(a)
    place = int(np.argmax(np.abs(both[1] - both[0])))
    value = float(np.abs(both[1] - both[0])[place])
    lows, highs = [], []
    for before, after in zip(a, b, strict=True):
        low, high = newcombe(int(after), m, int(before), n, confidence) or (0.0, 0.0)
        lows.append(max(low, -high, 0.0))
        highs.append(max(high, -low))
    return Shift(value, (min(max(lows), value), max(max(highs), value)), None, value, place)


def news_shift(new: int, rows: int, reference_rows: int, once: int = 0) -> Shift:
    """Share of rows in categories that the reference lacks, beyond what it lets expect, with its exact interval.

    A reference of M rows in which `once` categories stand once lets expect a share of once/M of unseen ones (Good 1953),
    give or take 3 sqrt(once)/M: a long tail always brings names that were never seen. Without such categories it only says
    that the share is below 3/M (rule of three): the interval reaches down to 0 unless its lower end is above that. `raw` is
    the whole share.
    """
    interval = clopper_pearson(new, rows)
    if interval is None or reference_rows <= 0:
        return Shift(None)
    low, high = interval
    tail, wide = once / reference_rows, 3 * math.sqrt(once) / reference_rows
    proven = low - tail - wide if low > tail + wide + 3 / reference_rows else 0.0
    return Shift(max(0.0, new / rows - tail), (proven, max(proven, high - tail)), None, new / rows)


def _occupied(ref: ArrayLike, cur: ArrayLike) -> Floats:
    both = np.array([np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)])
    kept: Floats = both[:, both.sum(axis=0) > 0]
    return kept
