"""How the rows of a segment are chosen where the values of one column do not say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRule:
    """Makes a column of segments of other columns: of bands, of several columns, or a condition."""

    columns: tuple[str, ...] = ()
    """One numeric column with `bands`; or columns whose values are combined."""
    bands: tuple[float, ...] = ()
    """The limits of the bands, rising; a value at a limit is in the upper band."""
    where: str = ""
    """A condition in the language of the check `rules`; its segments are `yes` and `no`."""


def band_names(bands: Sequence[float]) -> list[str]:
    """The name of each band, lowest first: `below 18`, `18 to 30`, `30 or more`."""
    limits = [f"{limit:.15g}" for limit in bands]
    between = [f"{low} to {high}" for low, high in pairwise(limits)]
    return [f"below {limits[0]}", *between, f"{limits[-1]} or more"]
