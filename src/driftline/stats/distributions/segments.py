"""The distribution functions of both sides of a comparison, as lines between the points of a grid.

Values within a cell count as evenly spread. In a cell whose mean is known, they are spread around
that mean, so that one outlier does not stretch the values beside it. Leaves out what lies beyond
the ends of the grid.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from driftline.stats.distributions.side import Side
from driftline.types.arrays import Floats


class Segments(NamedTuple):
    """Segments of the range, with the shares of rows below: lines from `start` to `end`."""

    widths: Floats
    """Shape (S,)."""
    ref_start: Floats
    ref_end: Floats
    cur_start: Floats
    cur_end: Floats


def segments(ref: Side, cur: Side) -> Segments:
    """The segments between the first edge and the last one.

    A cell of a known mean on either side has up to five, of all others each has one.
    """
    f, g = ref.cdf, cur.cdf
    plain = Segments(ref.widths, f[1:-2:2], f[2:-1:2], g[1:-2:2], g[2:-1:2])
    uneven = [~np.isnan(side.centres) for side in (ref, cur) if side.centres is not None]
    if not uneven:
        return plain
    cells = np.flatnonzero(np.logical_or.reduce(uneven))
    if not len(cells):
        return plain
    spans = [(side.spans[0][cells + 1], side.spans[1][cells + 1]) for side in (ref, cur)]
    points = np.sort(
        np.stack([ref.edges[cells], *spans[0], *spans[1], ref.edges[cells + 1]]), axis=0
    )
    pieces = [
        spread_shares(points, span, (side.cdf[2 * cells + 1], side.cdf[2 * cells + 2]))
        for span, side in zip(spans, (ref, cur), strict=True)
    ]
    parts = (np.diff(points, axis=0), *pieces[0], *pieces[1])
    is_plain = np.ones(len(ref.widths), bool)
    is_plain[cells] = False
    others = np.flatnonzero(is_plain)
    return Segments(
        *(
            np.concatenate((line.take(others), part.ravel()))
            for line, part in zip(plain, parts, strict=True)
        )
    )


def spread_shares(
    points: Floats, span: tuple[Floats, Floats], ends: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The shares of rows at the start and the end of the five segments between six points.

    `points` has shape (6, C). The rows of a cell are spread evenly over its `span`, or all at one
    value; `ends` are the shares of rows at its edges. Each has shape (C,).
    """
    low, wide = span[0], span[1] - span[0]
    is_wide = wide > 0
    inside = np.minimum(np.maximum((points - low) / np.where(is_wide, wide, 1.0), 0.0), 1.0)
    shares = ends[0] + (ends[1] - ends[0]) * inside
    if is_wide.all():
        return shares[:-1], shares[1:]
    at_one = ends[0] + (ends[1] - ends[0]) * (points[:-1] >= low)
    return np.where(is_wide, shares[:-1], at_one), np.where(is_wide, shares[1:], at_one)
