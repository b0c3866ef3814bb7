"""Exact sums of floats: what merges to the same bits in any order.

Refuses rounding on the way: a sum is rounded once, when it is read. (Shewchuk 1997, "Adaptive
precision floating-point arithmetic and fast robust geometric predicates"; `math.fsum` does the
adding.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable


class ExactSum:
    """A sum kept as floats that do not overlap, so that nothing of it is lost."""

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
        """Add another sum; it stays as it is."""
        self._parts = [*self._parts, *other._parts]
        if len(self._parts) > 64:
            self._parts = self.partials()

    @property
    def value(self) -> float:
        """The sum, rounded once."""
        return math.fsum(self._parts)

    def partials(self) -> list[float]:
        """The canonical form: each part is the rounded sum of what the parts before it leave
        over.
        """
        rest, parts = list(self._parts), []
        while (head := math.fsum(rest)) != 0.0:
            parts.append(head)
            rest.append(-head)
        return parts
