"""Distances between two profiles of a numeric column, counted on one grid.

Both sides must have the same grid. A side without rows gives None. `lines` are the segments of both
sides, for a caller that has them already.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from driftline.stats.distributions.segments import Segments, segments
from driftline.stats.distributions.side import ONE_VALUE, End, Side
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


def grid_wasserstein(ref: Side, cur: Side, lines: Segments | None = None) -> float | None:
    """Wasserstein distance W1 in the unit of the values.

    Values within an open cell count as evenly spread, in wide cells around their mean (see
    `segments`), tails by their mean. The error is below the width of a cell times its mass, and 0
    in a tail beyond the edges. Where a profile has no sums of its tails, the mean of all values and
    the extremes separate them: within a few percent for tails, within a third where most of the
    rows lie there.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    lines = lines or segments(ref, cur)
    start, end = lines.ref_start - lines.cur_start, lines.ref_end - lines.cur_end
    mean = (np.abs(start) + np.abs(end)) / 2
    crossing = np.flatnonzero(start * end < 0)
    mean[crossing] = (start[crossing] ** 2 + end[crossing] ** 2) / (4 * mean[crossing])
    inner = float(lines.widths @ mean)
    (below, above), (below_was, above_was) = cur.tail_means, ref.tail_means
    return inner + abs(below - below_was) + abs(above - above_was)


def wasserstein_margin(ref: Side, cur: Side, lines: Segments | None = None) -> float | None:
    """Largest error of the measured W1, with 95% confidence.

    1.96 sqrt(1/n+1/m) times the integral of sqrt(H(1-H)) with the pooled H: the triangle
    inequality, and Minkowski's inequality on the Brownian bridge.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    n, m, edges = ref.rows, cur.rows, ref.edges
    lines = lines or segments(ref, cur)
    start, end = (np.sqrt(spread) for spread in _pooled_spreads(lines, n, m))
    spread = float(lines.widths @ (start + end))
    wide = (ref.cumulative + cur.cumulative) / (n + m)
    wide *= 1 - wide
    np.sqrt(wide, out=wide)
    spread += max(0.0, float(edges[0]) - min(ref.minimum, cur.minimum)) * float(wide[0])
    spread += max(0.0, max(ref.maximum, cur.maximum) - float(edges[-1])) * float(wide[-2])
    return 1.96 * math.sqrt(1 / n + 1 / m) * spread / 2


def grid_energy(ref: Side, cur: Side, lines: Segments | None = None) -> float | None:
    """Energy distance as scipy defines it, in the root of the unit of the values.

    The root of 2 times the integral of (F - G) squared. Between the edges it is as exact as
    `grid_wasserstein`. Beyond them, the extreme counts on its own, and the other rows of a tail as
    gamma of their mean and variance. In a profile without these sums tails count as exponential, or
    as evenly spread where they are too short for that: within 3%, and within a third where most
    rows lie beyond both ends.
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    lines = lines or segments(ref, cur)
    apart = lines.ref_start - lines.cur_start, lines.ref_end - lines.cur_end
    inner = float(lines.widths @ _mean_square_of_line(*apart))
    sizes = zip(_sizes(ref), _sizes(cur), strict=True)
    ends = zip(ref.ends, cur.ends, sizes, strict=True)
    return math.sqrt(2 * (inner + sum(_beyond(*end) for end in ends)))


def energy_margin(ref: Side, cur: Side, lines: Segments | None = None) -> float | None:
    """Largest error of the measured energy distance, with 95% confidence.

    1.96 times the root of 2 (1/n+1/m) times the integral of H(1-H) with the pooled H (Minkowski;
    Szekely and Bakirov 2003 for the factor).
    """
    if not ref.rows or not cur.rows or not len(ref.edges):
        return None
    n, m, edges = ref.rows, cur.rows, ref.edges
    spread = (ref.cumulative + cur.cumulative) / (n + m)
    spread *= 1 - spread
    lines = lines or segments(ref, cur)
    start, end = _pooled_spreads(lines, n, m)
    total = float(lines.widths @ (start + end))
    total += max(0.0, float(edges[0]) - min(ref.minimum, cur.minimum)) * float(spread[0])
    total += max(0.0, max(ref.maximum, cur.maximum) - float(edges[-1])) * float(spread[-2])
    return 1.96 * math.sqrt((1 / n + 1 / m) * total)


def grid_cramer_von_mises(ref: Side, cur: Side) -> float | None:
    """Anderson's (1962) T, nm/(n+m) times the integral of (F - G) squared, within a thousandth.

    The integral is over the pooled distribution. Values within an open cell count as evenly spread,
    unless all are one value. At a value that many rows share, F and G are halfway up their steps,
    so that equal distributions give 0 whatever their ties.
    """
    if not ref.rows or not cur.rows:
        return None
    n, m = ref.rows, cur.rows
    apart = ref.cdf - cur.cdf
    before = np.concatenate(([0.0], apart[:-1]))
    square = _mean_square_of_line(before, apart)
    is_step = np.ones(len(square), bool)
    is_step[::2] = _has_one_value(ref, cur)
    square[is_step] = ((before + apart)[is_step] / 2) ** 2
    return n * m / (n + m) ** 2 * float((ref.counts + cur.counts) @ square)


def _has_one_value(ref: Side, cur: Side) -> NDArray[np.bool_]:
    """Whether all rows of both sides in an open cell have one value; shape (E+1,)."""
    is_empty, is_other_empty = ref.counts[::2] == 0, cur.counts[::2] == 0
    is_one = (ref.has_one_value | is_empty) & (cur.has_one_value | is_other_empty)
    gaps = np.abs(ref.spans[0] - cur.spans[0])
    widths = np.diff(ref.edges, prepend=ref.minimum, append=max(ref.maximum, cur.maximum))
    is_same = is_empty | is_other_empty | (gaps <= ONE_VALUE * np.abs(widths))
    return np.asarray(is_one & is_same, bool)


def _pooled_spreads(lines: Segments, n: int, m: int) -> tuple[Floats, Floats]:
    starts = (n * lines.ref_start + m * lines.cur_start) / (n + m)
    ends = (n * lines.ref_end + m * lines.cur_end) / (n + m)
    return np.maximum(starts * (1 - starts), 0.0), np.maximum(ends * (1 - ends), 0.0)


def _sizes(side: Side) -> tuple[float, float]:
    # The integral of the squared share of a tail's rows above a distance, for both tails.
    sizes = []
    tails = side.tails
    squares = (None, None) if tails is None else (tails.below_squares, tails.above_squares)
    counts = int(side.counts[0]), int(side.counts[-1])
    for (_, mean, far), rows, total in zip(side.ends, counts, squares, strict=True):
        sizes.append(
            max(mean / 2, (4 * mean - far) / 3) if total is None else _size(rows, mean, far, total)
        )
    return sizes[0], sizes[1]


def _size(rows: int, mean: float, far: float, squares: float) -> float:
    # Exact for one and two rows. The largest one may be an outlier; the others count as gamma, of
    # their mean and variance: exponential ones, and a normal group far away, are special cases.
    if rows < 2:
        return mean
    rest = max((mean * rows - far) / (rows - 1), 0.0)
    alone, both = 1 / rows, (rows - 1) / rows
    size = alone**2 * far + 2 * alone * both * rest
    variance = max((squares - far * far) / (rows - 1) - rest * rest, 0.0)
    if not rest:
        return size
    gini = _gamma_gini(variance / rest / rest) * (1 - 1 / (rows - 1))
    return size + both**2 * rest * (1 - gini)


def _gamma_gini(squared_variation: float) -> float:
    # Gini's coefficient of a gamma distribution (McDonald and Jensen 1979).
    if squared_variation < 1e-9:
        return math.sqrt(squared_variation / math.pi)
    shape = 1 / squared_variation
    return math.exp(math.lgamma(shape + 0.5) - math.lgamma(shape + 1)) / math.sqrt(math.pi)


def _beyond(ref: End, cur: End, sizes: tuple[float, float]) -> float:
    # The integral of the squared difference of two tails of these sizes: exact where one is empty,
    # and for exponential ones.
    (share, mean, _), (share_now, mean_now, _) = ref, cur
    size, size_now = sizes
    total = share**2 * size + share_now**2 * size_now
    if mean > 0 and mean_now > 0:
        alike = 2 * math.sqrt(mean) * math.sqrt(mean_now) / (mean + mean_now)
        total -= 2 * share * share_now * math.sqrt(size) * math.sqrt(size_now) * alike
    return max(0.0, total)


def _mean_square_of_line(start: Floats, end: Floats) -> Floats:
    mean: Floats = (start * start + start * end + end * end) / 3
    return mean
