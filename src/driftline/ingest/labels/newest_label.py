"""Which label counts for each id, by one rule: the newest; of equally new ones the last by URI and
place in the object.

Without a time of its own a label is as new as its object, all of it: then what counts follows from
what is in the store, and not from when somebody looked.

Refuses to count repeats: the same label again changes nothing, whenever and however often it comes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftline.ingest.labels.decode_labels import LabelRows
from driftline.types.records import Hashes

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class NewestLabels:
    """What is known of some ids; labels are added in the order of URIs and places, in any number of
    portions.
    """

    def __init__(self, ids: Hashes) -> None:
        rows = len(ids)
        self.ids = ids
        """Shape (n,), n > 0, sorted, each once; all arrays below are of that shape."""
        self._codes: dict[str, int] = {}
        self.known: Mask = np.zeros(rows, bool)
        """Whether there is a label."""
        self.values: Ints = np.zeros(rows, np.int64)
        """Of the label that counts: a code of `names`, or the bits of a number."""
        self.times: Ints = np.zeros(rows, np.int64)
        """When it was given, microseconds."""
        self.firsts: Ints = np.zeros(rows, np.int64)
        """When the first label was given, microseconds."""
        self.corrected: Mask = np.zeros(rows, bool)
        """Whether there are labels of different values."""
        self.contradicting: Mask = np.zeros(rows, bool)
        """Whether the newest ones, given at one and the same time, differ."""

    @property
    def names(self) -> list[str]:
        """The classes, by code."""
        return list(self._codes)

    def add(self, given: LabelRows, changed: int | None = None) -> Ints:
        """Take in some labels; returns the places of their ids, of those that are among these.

        `changed` is the last change of their object (microseconds), which tells how new they are
        where they don't do so.
        """
        places = np.minimum(np.searchsorted(self.ids, given.hashes), len(self.ids) - 1)
        found = self.ids[places] == given.hashes
        if found.any():
            values = given.values[found]
            if given.names is not None:
                values = np.array(
                    [self._codes.setdefault(name, len(self._codes)) for name in given.names],
                    np.int64,
                )[values]
            times = given.times[found]
            self._add(
                places[found],
                times,
                times if changed is None else np.full(len(times), changed),
                values,
            )
        mine: Ints = places[found]
        return mine

    def _add(self, places: Ints, firsts: Ints, times: Ints, values: Ints) -> None:
        """Labels in the order of places, those of one place in the order of their records."""
        starts = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
        if len(starts) == len(places):
            differ = tied = np.zeros(len(places), bool)
            last = starts
        else:
            order = np.lexsort((times, places))
            times, values = times[order], values[order]
            last = np.append(starts[1:], len(places)) - 1
            sizes = last - starts + 1
            other = values != np.repeat(values[last], sizes)
            firsts = np.minimum.reduceat(firsts[order], starts)
            differ = np.logical_or.reduceat(other, starts)
            tied = np.logical_or.reduceat(other & (times == np.repeat(times[last], sizes)), starts)
        self._merge(places[starts], firsts, times[last], values[last], differ, tied)

    def _merge(
        self, at: Ints, firsts: Ints, times: Ints, values: Ints, differ: Mask, tied: Mask
    ) -> None:
        """One label for each of the places `at`, and what else came with it."""
        known, before = self.known[at], self.times[at]
        other = known & (self.values[at] != values)
        same = known & (times == before)
        newer = ~known | (times >= before)
        self.corrected[at] |= differ | other
        self.contradicting[at] = np.where(
            same,
            self.contradicting[at] | tied | other,
            np.where(newer, tied, self.contradicting[at]),
        )
        self.firsts[at] = np.where(known, np.minimum(self.firsts[at], firsts), firsts)
        self.values[at] = np.where(newer, values, self.values[at])
        self.times[at] = np.where(newer, times, before)
        self.known[at] = True
