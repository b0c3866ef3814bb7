"""The dictionary of measurements: what the numbers of many windows share, written once.

A block of numbers names each of its measurements by its place in the dictionary.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

MOST_ENTRIES = 20_000
"""A dictionary of this size takes no more entries; then a new one begins."""


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


class SeriesDictionary:
    """Entries in the order in which they first occurred; an entry keeps its place for good."""

    def __init__(self, entries: Iterable[SeriesEntry] = ()) -> None:
        """Make a dictionary of these entries."""
        self.entries: list[SeriesEntry] = list(entries)
        self._places = {entry: place for place, entry in enumerate(self.entries)}

    @property
    def is_full(self) -> bool:
        """Whether a new dictionary has to begin before the next window is written."""
        return len(self.entries) >= MOST_ENTRIES

    def place(self, entry: SeriesEntry) -> int:
        """The place of an entry, which is added if it is new."""
        place = self._places.setdefault(entry, len(self.entries))
        if place == len(self.entries):
            self.entries.append(entry)
        return place

    def dump(self) -> bytes:
        """The dictionary as compressed JSON."""
        return zlib.compress(msgspec.json.encode(self.entries))

    @classmethod
    def load(cls, content: bytes) -> SeriesDictionary:
        """The dictionary that `dump` wrote."""
        return cls(_decoder.decode(zlib.decompress(content)))


_decoder = msgspec.json.Decoder(list[SeriesEntry])
