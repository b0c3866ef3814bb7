"""Counts categories within a bound, with the same result in any order.

Beyond the bound, the known categories and those with the smallest hashes are kept. Such a category
was kept in every part in which it occurred, so its merged count is exact; all others are counted
together. (Bottom-k sampling, Cohen & Kaplan 2007; the distinct count is the k-minimum-values
estimate, Bar-Yossef 2002.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

BOUND = 10_000


def name_hash(name: str) -> int:
    """A hash of 64 bits that is the same on every machine."""
    return int.from_bytes(
        blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


class BoundedCounter:
    """Counts by name: exact for the known names and up to `bound` others."""

    __slots__ = ("_bound", "_counts", "_known", "_limit", "total")

    def __init__(self, known: frozenset[str] = frozenset(), bound: int = BOUND) -> None:
        self._known = known
        self._bound = bound
        self._counts: dict[str, int] = {}
        self._limit: int | None = None
        """Unknown names with a greater hash were dropped; None while nothing was dropped."""
        self.total = 0
        """All rows, those of dropped names too."""

    def add(self, counts: Iterable[tuple[str, int]]) -> None:
        """Add counts of (name, rows)."""
        totals, limit, known_names = self._counts, self._limit, self._known
        for name, count in counts:
            self.total += count
            if limit is None or name in known_names or name_hash(name) <= limit:
                totals[name] = totals.get(name, 0) + count
        if len(totals) > 2 * (self._bound + len(known_names)):
            self._prune()

    def merge(self, other: BoundedCounter) -> None:
        """Add another counter with the same known names and bound."""
        if other._limit is not None and (self._limit is None or other._limit < self._limit):
            self._limit = other._limit
            self._drop()
        other_rows = other.total - sum(other._counts.values())
        self.add(other._counts.items())
        self.total += other_rows

    def counts(self) -> dict[str, int]:
        """Rows by name, most frequent first, ties by name."""
        self._prune()
        return dict(sorted(self._counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def other(self) -> int:
        """Rows of names beyond the bound."""
        self._prune()
        return self.total - sum(self._counts.values())

    @property
    def distinct(self) -> int:
        """The number of distinct names; an estimate once names were dropped."""
        self._prune()
        if self._limit is None:
            return len(self._counts)
        unknown = sum(1 for name in self._counts if name not in self._known)
        return len(self._counts) - unknown + round((self._bound - 1) / ((self._limit + 1) / 2**64))

    def state(self) -> tuple[dict[str, int], int, int | None]:
        """Counts in the order of names, total, limit: the canonical form."""
        self._prune()
        return dict(sorted(self._counts.items())), self.total, self._limit

    def restore(self, counts: Mapping[str, int], total: int, limit: int | None) -> None:
        """The inverse of `state`."""
        self._counts, self.total, self._limit = dict(counts), total, limit

    def _prune(self) -> None:
        if len(self._counts) <= self._bound:
            return
        hashes = sorted(name_hash(name) for name in self._counts if name not in self._known)
        if len(hashes) > self._bound:
            self._limit = hashes[self._bound - 1]
            self._drop()

    def _drop(self) -> None:
        limit = self._limit
        assert limit is not None
        self._counts = {
            name: count
            for name, count in self._counts.items()
            if name in self._known or name_hash(name) <= limit
        }
