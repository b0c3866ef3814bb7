"""Distances between two profiles of a numeric column, counted on one grid.

Both sides must have the same grid. A side without rows gives None.
"""

from __future__ import annotations

import math

import numpy as np

from driftline.stats.distributions.side import Side
from driftline.types.arrays import Floats


def grid_ks(ref: Side, cur: Side) -> tuple[float, float] | None:
    """The KS distance at the edges, and how much the distance over all values can exceed it.

    The first is never above the true distance; the second is the largest cell mass between edges
    that is not already compared, at most the reference's mass in one cell (0.1% on quantile edges)
    where the reference has rows.
    """
    if not ref.rows or not cur.rows:
        return None
    f, g = ref.cdf, cur.cdf
    apart = f - g
    distance = max(float(apart.max()), -float(apart.min()), 0.0)
    # Inside an open cell the CDFs rise from one end to the other in any order: |F-G| reaches at
    # most these.
    reach = max(float(np.max(a[2::2] - b[1::2], initial=a[0])) for a, b in ((f, g), (g, f)))
    return min(1.0, distance), max(0.0, min(1.0, reach) - distance)


def rescaled_ks(ref: Side, cur: Side, factor: float, offset: float = 0.0) -> float | None:
    """KS distance, at the edges, between the rescaled reference and the window.

    Each value of the reference is multiplied by `factor` (above 0), and `offset` is added. The
    result is never above the true distance: where the grid can't decide, the sides count as equal.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    points = (ref.edges - offset) / factor
    near = 1e-9 * np.abs(points)
    below, upto = (np.searchsorted(ref.edges, points + side * near, "right") for side in (-1, 1))
    least = np.concatenate(([0.0], ref.cdf[1::2]))[below]
    most, now = ref.cdf[0::2][upto], cur.cdf[1::2]
    return float(np.max(np.maximum(least - now, now - most), initial=0.0))


def grid_wasserstein(ref: Side, cur: Side) -> float | None:
    """Wasserstein distance W1 in the unit of the values.

    Values within an open cell count as evenly spread, tails by their mean where it is known. The
    error is below the width of a cell times its mass, and 0 in one tail beyond the edges. Where
    rows lie beyond both ends at once, mean and extremes separate them: within a few percent for
    tails, within a third where most of the rows lie there.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    apart = ref.cdf - cur.cdf
    # Between two edges F - G runs from its value at the lower edge to its value just below the
    # upper one.
    start, end, size = apart[1:-2:2], apart[2:-1:2], np.abs(apart)
    mean = (size[1:-2:2] + size[2:-1:2]) / 2
    crossing = np.flatnonzero(start * end < 0)
    mean[crossing] = (start[crossing] ** 2 + end[crossing] ** 2) / (4 * mean[crossing])
    inner = float(ref.widths @ mean)
    (below, above), (below_was, above_was) = _tails(cur), _tails(ref)
    return inner + abs(below - below_was) + abs(above - above_was)


def wasserstein_margin(ref: Side, cur: Side) -> float | None:
    """Largest error of the measured W1, with 95% confidence.

    1.96 sqrt(1/n+1/m) times the integral of sqrt(H(1-H)) with the pooled H: the triangle
    inequality, and Minkowski's inequality on the Brownian bridge.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    n, m, edges = ref.rows, cur.rows, ref.edges
    wide = (ref.cumulative + cur.cumulative) / (n + m)
    wide *= 1 - wide
    np.sqrt(wide, out=wide)
    spread = float(ref.widths @ (wide[1:-2:2] + wide[2:-1:2]))
    spread += max(0.0, float(edges[0]) - min(ref.minimum, cur.minimum)) * float(wide[0])
    spread += max(0.0, max(ref.maximum, cur.maximum) - float(edges[-1])) * float(wide[-2])
    return 1.96 * math.sqrt(1 / n + 1 / m) * spread / 2


def grid_energy(ref: Side, cur: Side) -> float | None:
    """Energy distance as scipy defines it, in the root of the unit of the values.

    The root of 2 times the integral of (F - G) squared. Between the edges it is as exact as
    `grid_wasserstein`. Beyond them, tails count as exponential with the known mean and extreme, or
    as evenly spread where they are too short for that: within 3%, and within a third where most
    rows lie beyond both ends.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    apart = ref.cdf - cur.cdf
    inner = float(ref.widths @ _mean_square_of_line(apart[1:-2:2], apart[2:-1:2]))
    return math.sqrt(
        2 * (inner + sum(_beyond(*pair) for pair in zip(_ends(ref), _ends(cur), strict=True)))
    )


def energy_margin(ref: Side, cur: Side) -> float | None:
    """Largest error of the measured energy distance, with 95% confidence.

    1.96 times the root of 2 (1/n+1/m) times the integral of H(1-H) with the pooled H (Minkowski;
    Szekely and Bakirov 2003 for the factor).
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    n, m, edges = ref.rows, cur.rows, ref.edges
    spread = (ref.cumulative + cur.cumulative) / (n + m)
    spread *= 1 - spread
    total = float(ref.widths @ (spread[1:-2:2] + spread[2:-1:2]))
    total += max(0.0, float(edges[0]) - min(ref.minimum, cur.minimum)) * float(spread[0])
    total += max(0.0, max(ref.maximum, cur.maximum) - float(edges[-1])) * float(spread[-2])
    return 1.96 * math.sqrt((1 / n + 1 / m) * total)


def grid_cramer_von_mises(ref: Side, cur: Side) -> float | None:
    """Anderson's (1962) T, nm/(n+m) times the integral of (F - G) squared, within a thousandth.

    The integral is over the pooled distribution. Values within an open cell count as evenly spread.
    At a value that many rows share, F and G are halfway up their steps, so that equal distributions
    give 0 whatever their ties.
    """
    if not ref.rows or not cur.rows:
        return None
    n, m = ref.rows, cur.rows
    apart = ref.cdf - cur.cdf
    before = np.concatenate(([0.0], apart[:-1]))
    square = _mean_square_of_line(before, apart)
    square[1::2] = ((before + apart)[1::2] / 2) ** 2
    return n * m / (n + m) ** 2 * float((ref.counts + cur.counts) @ square)


def kurtosis(side: Side) -> float | None:
    """Fourth central moment over the squared variance.

    It is rather too large where rows lie beyond the edges or in wide cells. None where nothing
    varies.
    """
    if not side.rows or not side.variance or not len(side.edges):
        return None
    sd, rows = math.sqrt(side.variance), side.rows
    # Edges far beyond what varies overflow; the total is then no number.
    with np.errstate(over="ignore", invalid="ignore"):
        z = (side.edges - side.mean) / sd
        widths = np.diff(z)
        middles = z[:-1] + widths / 2
        within = middles**4 + middles**2 * widths**2 / 2 + widths**4 / 80
        total = float(side.counts[1::2] @ z**4 + side.counts[2:-1:2] @ within) / rows
        ends = zip(_ends(side), (z[0], z[-1]), (-1, 1), strict=True)
        for (mass, reach, far), edge, sign in ends:
            # Of all tails with this mean and extreme, the one with rows at both ends has the
            # largest fourth moment.
            if mass > 0 and far > 0:
                beyond = edge + sign * far / sd
                total += float(mass * ((1 - reach / far) * edge**4 + reach / far * beyond**4))
    return total if math.isfinite(total) else None


def _tails(side: Side) -> tuple[float, float]:
    # Mean distance beyond the first and the last edge. Exponential tails reach as far as they do
    # with these means; then what
    # the mean of all values says is shared out among them, which makes a tail exact when the other
    # one is empty.
    edges, counts, rows = side.edges, side.counts, side.rows
    if not counts[0] and not counts[-1]:
        return 0.0, 0.0
    ends = (int(counts[0]) / rows, int(counts[-1]) / rows)
    reach = (float(edges[0]) - side.minimum, side.maximum - float(edges[-1]))
    most = [end * far if end > 0 else 0.0 for end, far in zip(ends, reach, strict=True)]
    below, above = (
        top / (math.log(max(end * rows, 1)) * 0.85 + 1) for top, end in zip(most, ends, strict=True)
    )
    if below + above > 0:
        middles = (edges[:-1] + edges[1:]) / 2
        inner_mean = float(
            np.sum(counts[1::2] / rows * edges) + np.sum(counts[2:-1:2] / rows * middles)
        )
        inner_mean += ends[0] * float(edges[0]) + ends[1] * float(edges[-1])
        gap = side.mean - inner_mean - (above - below)
        weight = above / (below + above)
        below, above = below - gap * (1 - weight), above + gap * weight
    return min(max(below, 0.0), most[0]), min(max(above, 0.0), most[1])


End = tuple[float, float, float]
"""What lies beyond one end of the grid: its share, its mean distance from the end, its largest."""


def _ends(side: Side) -> tuple[End, End]:
    shares = int(side.counts[0]) / side.rows, int(side.counts[-1]) / side.rows
    reach = (float(side.edges[0]) - side.minimum, side.maximum - float(side.edges[-1]))
    below, above = (
        (share, tail / share if share else 0.0, far if share else 0.0)
        for share, tail, far in zip(shares, _tails(side), reach, strict=True)
    )
    return below, above


def _beyond(ref: End, cur: End) -> float:
    # The integral of the squared difference of two tails: exact for exponential ones, and for one
    # that is spread evenly.
    (share, mean, far), (share_now, mean_now, far_now) = ref, cur
    size, size_now = (
        max(average / 2, (4 * average - most) / 3)
        for average, most in ((mean, far), (mean_now, far_now))
    )
    total = share**2 * size + share_now**2 * size_now
    if mean > 0 and mean_now > 0:
        alike = 2 * math.sqrt(mean) * math.sqrt(mean_now) / (mean + mean_now)
        total -= 2 * share * share_now * math.sqrt(size) * math.sqrt(size_now) * alike
    return max(0.0, total)


def _mean_square_of_line(start: Floats, end: Floats) -> Floats:
    mean: Floats = (start * start + start * end + end * end) / 3
    return mean
