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
        _shares_at(points, span, (side.cdf[2 * cells + 1], side.cdf[2 * cells + 2]))
        for span, side in zip(spans, (ref, cur), strict=True)
    ]
    parts = (np.diff(points, axis=0), *pieces[0], *pieces[1])
    keep = np.ones(len(ref.widths), bool)
    keep[cells] = False
    return Segments(
        *(
            np.concatenate((line[keep], part.ravel()))
            for line, part in zip(plain, parts, strict=True)
        )
    )


def _shares_at(
    points: Floats, span: tuple[Floats, Floats], ends: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The shares of rows at the start and the end of the five segments between six points.

    `points` has shape (6, C). The rows of a cell are spread evenly over its `span`, or all at one
    value; `ends` are the shares of rows at its edges. Each has shape (C,).
    """
    low, wide = span[0], span[1] - span[0]
    safe = np.where(wide > 0, wide, 1.0)
    at_one = (points[:-1] >= low).astype(np.float64)
    shares = []
    for place in (points[:-1], points[1:]):
        inside = np.where(wide > 0, np.clip((place - low) / safe, 0, 1), at_one)
        shares.append(ends[0] + (ends[1] - ends[0]) * inside)
    return shares[0], shares[1]
