"""The dictionary of measurements: what the numbers of many windows share, written once.

A block of numbers names each of its measurements by its place in the dictionary.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

MOST_ENTRIES = 20_000
"""A dictionary of this size takes no more entries; then a new one begins."""
MOST_BASES = 8
"""Entries of a series that differ in the value of the reference alone."""


class SeriesEntry(NamedTuple):
    """What a measurement has in common with those of the same series in other windows."""

    check: str
    name: str
    labels: str
    """JSON with sorted keys."""
    unit: str
    keys: tuple[str, ...]
    """Names of its details, in order."""
    is_number: tuple[bool, ...]
    """Of each detail, whether it is a float; all others are kept as JSON."""
    was: float | None = None
    """The value in the reference; None where it has none, or the block has it.

    A frozen reference has the same value in all windows; that of a moving one differs in each.
    """


class SeriesDictionary:
    """Entries in the order in which they first occurred; an entry keeps its place for good."""

    def __init__(self, entries: Iterable[SeriesEntry] = ()) -> None:
        """Make a dictionary of these entries."""
        self.entries: list[SeriesEntry] = list(entries)
        self._places = {entry: place for place, entry in enumerate(self.entries)}
        self._bases = Counter(map(_without_base, self.entries))
        self._was = np.empty(0)

    @property
    def is_full(self) -> bool:
        """Whether a new dictionary has to begin before the next window is written."""
        return len(self.entries) >= MOST_ENTRIES

    def place(self, entry: SeriesEntry) -> int:
        """The place of an entry, which is added if it is new.

        The entry at that place has no `was` if the series has had many: then the block has it.
        """
        place = self._places.get(entry)
        if place is not None:
            return place
        plain = _without_base(entry)
        if entry.was is not None and self._bases[plain] >= MOST_BASES:
            return self.place(plain)
        place = self._places[entry] = len(self.entries)
        self.entries.append(entry)
        self._bases[plain] += 1
        return place

    @property
    def was(self) -> NDArray[np.float64]:
        """The value in the reference of each entry; NaN for none, shape (entries,)."""
        if len(self._was) != len(self.entries):
            values = (math.nan if entry.was is None else entry.was for entry in self.entries)
            self._was = np.array(list(values), np.float64)
        return self._was

    def dump(self) -> bytes:
        """The dictionary as compressed JSON."""
        return zlib.compress(msgspec.json.encode(self.entries))

    @classmethod
    def load(cls, content: bytes) -> SeriesDictionary:
        """The dictionary that `dump` wrote."""
        return cls(_decoder.decode(zlib.decompress(content)))


def _without_base(entry: SeriesEntry) -> SeriesEntry:
    return entry if entry.was is None else entry._replace(was=None)


_decoder = msgspec.json.Decoder(list[SeriesEntry])
