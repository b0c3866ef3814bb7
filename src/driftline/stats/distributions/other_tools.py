"""Distances as other tools define them; `docs/other-tools.md` names the tools.

Leaves out what needs the rows: permutations, kernels, ranks across both sides. Histograms are made
from a profile. They are exact where each value is an edge of its grid; elsewhere the values of a
cell count as evenly spread. `ref` and `cur` are counts of shape (C,), cell for cell, unless they
are a `Side`, which must have rows. Where the mean of a cell is known, the values are spread around
it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.distributions.binned import js_divergence, shares
from driftline.stats.distributions.side import Side
from driftline.types.arrays import Floats


def histogram(side: Side, edges: Floats) -> Floats:
    """Count the rows in [e1, e2), [e2, e3), ..., the last bin with its end.

    `edges` rise and have shape (k+1,). The result has shape (k,).
    """
    below = rows_below(side, edges)
    below[-1] = rows_below(side, np.nextafter(edges[-1:], np.inf))[0]
    return np.diff(below)


def rows_below(side: Side, points: Floats) -> Floats:
    """Rows with a value below each of `points`; shape (k,)."""
    place = np.searchsorted(side.edges, points)
    before = np.concatenate(([0], side.cumulative))[2 * place]
    low, wide = side.spans[0][place], (side.spans[1] - side.spans[0])[place]
    at_one = (points > low).astype(np.float64)
    inside: Floats = np.clip(np.divide(points - low, wide, out=at_one, where=wide > 0), 0, 1)
    rows: Floats = before + inside * side.counts[2 * place]
    return rows


def sturges_edges(ref: Side, cur: Side) -> Floats:
    """Edges of ceil(log2(n + m) + 1) equal-width bins over the range of both sides.

    Sturges (1926), as numpy computes them.
    """
    low, high = min(ref.minimum, cur.minimum), max(ref.maximum, cur.maximum)
    return _linear(low, high, math.ceil(math.log2(ref.rows + cur.rows) + 1))


def joint_edges(ref: Side, cur: Side) -> Floats:
    """Edges of ceil(log2(rows of the smaller side) + 1) equal-width bins over the range of both."""
    low, high = min(ref.minimum, cur.minimum), max(ref.maximum, cur.maximum)
    bins = math.ceil(math.log2(min(ref.rows, cur.rows)) + 1)
    width = (high - low) / bins
    return np.array(
        [low + place * width for place in range(bins + 1)] if low < high else [low, low]
    )


def doane_edges(ref: Side) -> Floats:
    """Edges of equal-width bins over the range of the reference, more of them with more skew.

    Doane (1976), as numpy computes them.
    """
    n, skew = ref.rows, _skewness(ref)
    wide = math.sqrt(6 * (n - 2) / ((n + 1) * (n + 3))) if n > 2 else 0.0
    bins = (
        math.ceil(1 + math.log2(n) + math.log2(1 + abs(skew) / wide))
        if wide and ref.variance
        else 1
    )
    return _linear(ref.minimum, ref.maximum, bins)


def _linear(low: float, high: float, bins: int) -> Floats:
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def _skewness(side: Side) -> float:
    if not side.variance or not len(side.edges):
        return 0.0
    sd = math.sqrt(side.variance * (side.rows - 1) / side.rows)
    z = (side.edges - side.mean) / sd
    middles, widths = (z[1:] + z[:-1]) / 2, np.diff(z)
    total = float(
        side.counts[1::2] @ z**3 + side.counts[2:-1:2] @ (middles**3 + middles * widths**2 / 4)
    )
    # Beyond the edges, halfway to the extreme.
    for rows, edge, end in (
        (side.counts[0], z[0], side.minimum),
        (side.counts[-1], z[-1], side.maximum),
    ):
        total += int(rows) * float((edge + (end - side.mean) / sd) / 2) ** 3
    return total / side.rows


def with_leftover(side: Side, edges: Floats) -> Floats:
    """The histogram, and the rows outside of `edges` as one bin more; shape (k+1,)."""
    counts = histogram(side, edges)
    return np.append(counts, max(0.0, side.rows - float(counts.sum())))


def by_value(ref: Side, cur: Side) -> tuple[Floats, Floats]:
    """Rows of both sides by value, each of shape (C,).

    A cell of the grid that holds rows counts as one value.
    """
    mask = ref.counts + cur.counts > 0
    return ref.counts[mask].astype(np.float64), cur.counts[mask].astype(np.float64)


def filled_psi(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Population stability index in nats, with a small share in place of 0.

    It is 0.0001, or a millionth of the smallest share of that side if that share is at most 0.0001.
    The shares then sum to more than 1. None without rows.
    """
    pair = _positive_shares(ref, cur)
    return None if pair is None else float(np.sum((pair[0] - pair[1]) * np.log(pair[0] / pair[1])))


def filled_kl(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """KL(ref || cur) in nats of the same shares, made to sum to 1; None without rows."""
    pair = _positive_shares(ref, cur)
    if pair is None:
        return None
    p, q = (side / side.sum() for side in pair)
    return max(0.0, float(np.sum(p * np.log(p / q))))


def _positive_shares(ref: ArrayLike, cur: ArrayLike) -> tuple[Floats, Floats] | None:
    pair = shares(ref, cur)
    if pair is None:
        return None
    smallest = [float(side[side > 0].min()) for side in pair]
    fill = [least / 1e6 if least <= 1e-4 else 1e-4 for least in smallest]
    return np.where(pair[0] > 0, pair[0], fill[0]), np.where(pair[1] > 0, pair[1], fill[1])


def laplace_psi(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """PSI of (count + 1)/(n + C), in nats; None without rows."""
    a, b = (np.asarray(side, dtype=np.float64) for side in (ref, cur))
    if not a.sum() > 0 or not b.sum() > 0:
        return None
    p, q = (a + 1) / (a.sum() + len(a)), (b + 1) / (b.sum() + len(b))
    return float(np.sum((q - p) * np.log(q / p)))


def fit_p_value(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """P-value of Pearson's chi-square of fit to the shares of the reference, as if they were exact.

    0 where the reference has no rows in a cell of the window. Cells that are empty on both sides do
    not count. None without rows.
    """
    from scipy.special import chdtrc

    a, b = np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)
    if not a.sum() > 0 or not b.sum() > 0:
        return None
    cells = int(np.count_nonzero(a + b))
    if cells < 2:
        return 1.0
    if np.any((a == 0) & (b > 0)):
        return 0.0
    expected = a[a > 0] * b.sum() / a.sum()
    return float(chdtrc(cells - 1, float(np.sum((b[a > 0] - expected) ** 2 / expected))))


def yates_chi_square(ref: ArrayLike, cur: ArrayLike) -> tuple[float, int] | None:
    """Pearson's chi-square of two rows of counts, and its degrees of freedom.

    Two columns get Yates' correction. Cells that are empty on both sides do not count. None with
    fewer than two columns, or without rows.
    """
    table = np.array([ref, cur], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not np.all(table.sum(axis=1) > 0):
        return None
    expected = table.sum(axis=1)[:, None] * table.sum(axis=0) / table.sum()
    apart = np.abs(table - expected)
    if table.shape[1] == 2:
        apart = apart - np.minimum(0.5, apart)
    return float(np.sum(apart**2 / expected)), table.shape[1] - 1


def aligned_divergence(
    ref: Side, cur: Side, bins: int = 10, strays: tuple[Sequence[float], Sequence[float]] = ((), ())
) -> float:
    """Jensen-Shannon divergence in bits of two histograms with different edges.

    Each side has equal-width bins over its own range. The bins are cut at the edges of both sides,
    with rows evenly spread in each bin. A side of one value is compared by value. `strays` are
    further cells of both sides.
    """
    spans = [
        np.linspace(side.minimum, side.maximum, bins + 1) if side.maximum > side.minimum else None
        for side in (ref, cur)
    ]
    union = np.unique(
        np.concatenate([np.empty(0), *(edges for edges in spans if edges is not None)])
    )
    points = sorted(
        {side.minimum for side, edges in zip((ref, cur), spans, strict=True) if edges is None}
    )
    cells = []
    for side, edges, stray in zip((ref, cur), spans, strays, strict=True):
        if edges is None:
            bulk, alone = (
                np.zeros(max(len(union) - 1, 0)),
                [float(side.rows * (side.minimum == point)) for point in points],
            )
        else:
            upto = np.concatenate(([0.0], np.cumsum(histogram(side, edges))))
            bulk, alone = np.diff(np.interp(union, edges, upto)), [0.0] * len(points)
        cells.append(np.concatenate((bulk, alone, stray)))
    return min(1.0, js_divergence(cells[0], cells[1]) or 0.0)
