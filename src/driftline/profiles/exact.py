"""Exact sums of floats, which merge to the same bits in any order.

A sum is rounded once, when it is read. (Shewchuk 1997, "Adaptive precision floating-point
arithmetic and fast robust geometric predicates"; `math.fsum` adds.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from driftline.types.arrays import Floats

MOST = 1e300
"""Size from which a total of powers counts as infinite: those of huge errors are."""


def total_of(values: Floats) -> float:
    """Return the sum of values, shape (n,), cut to MOST in size, so that it is finite."""
    with np.errstate(over="ignore"):
        return max(-MOST, min(MOST, float(values.sum())))


def without_limit(total: float) -> float:
    """Return a total of such sums; one that was cut is infinite."""
    return total if abs(total) < MOST else math.copysign(math.inf, total)


class ExactSum:
    """A sum stored as floats that do not overlap, so that no digit is lost."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterable[float] = ()) -> None:
        self._parts = list(parts)

    def add(self, value: float) -> None:
        """Add one finite float."""
        if value:
            self._parts.append(value)
            if len(self._parts) > 64:
                self._parts = self.partials()

    def merge(self, other: ExactSum) -> None:
        """Add another sum, which does not change."""
        self._parts = [*self._parts, *other._parts]
        if len(self._parts) > 64:
            self._parts = self.partials()

    @property
    def value(self) -> float:
        """The sum, rounded once."""
        return math.fsum(self._parts)

    def partials(self) -> list[float]:
        """The canonical form: each part is the rounded remainder after the parts before it."""
        remainder, parts = list(self._parts), []
        while (head := math.fsum(remainder)) != 0.0:
            parts.append(head)
            remainder.append(-head)
        return parts
