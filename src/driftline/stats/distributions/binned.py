"""Distances between two distributions counted on the same cells: quantile bins or categories.

`ref` and `cur` are counts of shape (B,), each 0 or more, cell for cell. The caller chooses the
cells. A side without rows gives None.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats


def shares(ref: ArrayLike, cur: ArrayLike) -> tuple[Floats, Floats] | None:
    """Shares p of `ref` and q of `cur`; None when either has no rows."""
    a, b = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    n, m = float(a.sum()), float(b.sum())
    return (a / n, b / m) if n > 0 and m > 0 else None


def jeffreys_shares(ref: ArrayLike, cur: ArrayLike) -> tuple[Floats, Floats] | None:
    """Shares (count + 1/2)/(n + B/2), never 0; None when either side has no rows."""
    a, b = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    n, m, half = float(a.sum()), float(b.sum()), len(a) / 2
    return ((a + 0.5) / (n + half), (b + 0.5) / (m + half)) if n > 0 and m > 0 else None


def psi(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Population stability index: sum of (q - p) ln(q/p) in nats, with Jeffreys' shares.

    Symmetric in the shares. Siddiqi (2006). None without rows.
    """
    return psi_of(*_lists(ref, cur))


def psi_raw(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Population stability index on raw shares.

    None without rows, and when a cell is empty on one side only: there it is infinite.
    """
    pair = shares(ref, cur)
    if pair is None or np.any((pair[0] > 0) != (pair[1] > 0)):
        return None
    p, q = (side[pair[0] > 0] for side in pair)
    return float(np.sum((q - p) * np.log(q / p)))


def psi_filled(ref: ArrayLike, cur: ArrayLike, fill: float = 0.0001) -> float | None:
    """Population stability index with `fill` in place of each empty share.

    Many tools compute it like this. The shares are not renormalised, so one empty cell can outweigh
    all others. Use it to compare with those tools. None without rows.
    """
    pair = shares(ref, cur)
    if pair is None:
        return None
    p, q = (np.where(side > 0, side, fill) for side in pair)
    return float(np.sum((q - p) * np.log(q / p)))


def kl_divergence(p_counts: ArrayLike, q_counts: ArrayLike) -> float | None:
    """KL(p || q), the sum of p ln(p/q) in nats, on raw shares.

    None without rows, and when q is 0 in a cell where p is not: there it is infinite.
    """
    pair = shares(p_counts, q_counts)
    if pair is None or np.any((pair[0] > 0) & (pair[1] == 0)):
        return None
    p, q = (side[pair[0] > 0] for side in pair)
    return max(0.0, float(np.sum(p * np.log(p / q))))


def js_divergence(ref: ArrayLike, cur: ArrayLike, base: Literal["e", "2"] = "2") -> float | None:
    """Jensen-Shannon divergence KL(p||m)/2 + KL(q||m)/2 with m = (p+q)/2.

    In bits for base 2 (at most 1), in nats for base e.
    """
    nats = jensen_shannon_of(*_lists(ref, cur))
    return None if nats is None else nats / (math.log(2) if base == "2" else 1.0)


def js_distance(ref: ArrayLike, cur: ArrayLike, base: Literal["e", "2"] = "2") -> float | None:
    """Square root of the Jensen-Shannon divergence: a metric, in [0, 1] for base 2.

    The function `jensenshannon` of scipy computes the same, with base e by default.
    """
    divergence = js_divergence(ref, cur, base)
    return None if divergence is None else math.sqrt(divergence)


def hellinger(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """The root of half the sum of (sqrt p - sqrt q) squared, in [0, 1]; None without rows."""
    pair = shares(ref, cur)
    return (
        None
        if pair is None
        else math.sqrt(float(np.sum((np.sqrt(pair[0]) - np.sqrt(pair[1])) ** 2)) / 2)
    )


def tvd(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Total variation distance, half the sum of |p - q|: the share of rows that changed their cell.

    None without rows.
    """
    pair = shares(ref, cur)
    return None if pair is None else float(np.sum(np.abs(pair[0] - pair[1]))) / 2


def linf(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """The largest |p - q| of any cell; None without rows."""
    pair = shares(ref, cur)
    return None if pair is None else float(np.max(np.abs(pair[0] - pair[1])))


def psi_of(ref: list[float], cur: list[float]) -> float | None:
    """`psi`, cell by cell: for the ten or fifty of a column that is faster than arrays are."""
    n, m, half = sum(ref), sum(cur), len(ref) / 2
    if not n > 0 or not m > 0:
        return None
    total = 0.0
    for a, b in zip(ref, cur, strict=True):
        p, q = (a + 0.5) / (n + half), (b + 0.5) / (m + half)
        total += (q - p) * math.log(q / p)
    return total


def jensen_shannon_of(ref: list[float], cur: list[float]) -> float | None:
    """`js_divergence` in nats, cell by cell."""
    n, m = sum(ref), sum(cur)
    if not n > 0 or not m > 0:
        return None
    total = 0.0
    for a, b in zip(ref, cur, strict=True):
        p, q = a / n, b / m
        middle = (p + q) / 2
        total += (p * math.log(p / middle) if p else 0.0) + (q * math.log(q / middle) if q else 0.0)
    return max(0.0, total / 2)


def _lists(ref: ArrayLike, cur: ArrayLike) -> tuple[list[float], list[float]]:
    return np.asarray(ref, dtype=np.float64).tolist(), np.asarray(cur, dtype=np.float64).tolist()
