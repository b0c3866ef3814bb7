"""Chooses the label that counts for each id: the newest one.

Of equally new labels, the last by URI and place in the object counts. A label without a time of its
own is as new as its object, so that the result depends on the store and not on when it was read.
The same label again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftline.ingest.labels.decode_labels import LabelRows
from driftline.types.arrays import Hashes, Ints, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidates:
    """One label for each of some ids, all arrays of shape (m,)."""

    at: Ints
    """Places of the ids among `NewestLabels.ids`."""
    firsts: Ints
    times: Ints
    values: Ints
    differ: Mask
    """Whether the labels of the id differ."""
    tied: Mask
    """Whether its newest labels have one time and differ."""


class NewestLabels:
    """The labels of some ids; add labels in the order of URIs and places, in any portions."""

    def __init__(self, ids: Hashes) -> None:
        rows = len(ids)
        self.ids = ids
        """Shape (n,), n > 0, sorted, distinct; all arrays below have this shape."""
        self._codes: dict[str, int] = {}
        self.has_label: Mask = np.zeros(rows, bool)
        self.values: Ints = np.zeros(rows, np.int64)
        """The label that counts: a code of `names`, or the bits of a float64."""
        self.times: Ints = np.zeros(rows, np.int64)
        """When it was set, microseconds."""
        self.firsts: Ints = np.zeros(rows, np.int64)
        """When the first label was set, microseconds."""
        self.is_corrected: Mask = np.zeros(rows, bool)
        """Whether there are labels of different values."""
        self.is_contradictory: Mask = np.zeros(rows, bool)
        """Whether the newest labels, of one and the same time, differ."""

    @property
    def names(self) -> list[str]:
        """The classes, by code."""
        return list(self._codes)

    def add(self, labels: LabelRows, object_time: int | None = None) -> Ints:
        """Add some labels; returns the places of their ids, int64, of those among `ids`.

        `object_time` is the last change of their object (microseconds), for labels without a time.
        """
        places = np.minimum(np.searchsorted(self.ids, labels.hashes), len(self.ids) - 1)
        matches = self.ids[places] == labels.hashes
        matched_places: Ints = places[matches]
        if len(matched_places):
            values = labels.values[matches]
            if labels.names is not None:
                values = np.array(
                    [self._codes.setdefault(name, len(self._codes)) for name in labels.names],
                    np.int64,
                )[values]
            firsts = labels.times[matches]
            times = firsts if object_time is None else np.full(len(firsts), object_time)
            self._merge(_reduce(matched_places, firsts, times, values))
        return matched_places

    def _merge(self, new: _Candidates) -> None:
        at = new.at
        has_label, old_times = self.has_label[at], self.times[at]
        differs = has_label & (self.values[at] != new.values)
        same_time = has_label & (new.times == old_times)
        is_newer = ~has_label | (new.times >= old_times)
        self.is_corrected[at] |= new.differ | differs
        self.is_contradictory[at] = np.where(
            same_time,
            self.is_contradictory[at] | new.tied | differs,
            np.where(is_newer, new.tied, self.is_contradictory[at]),
        )
        self.firsts[at] = np.where(has_label, np.minimum(self.firsts[at], new.firsts), new.firsts)
        self.values[at] = np.where(is_newer, new.values, self.values[at])
        self.times[at] = np.where(is_newer, new.times, old_times)
        self.has_label[at] = True


def _reduce(places: Ints, firsts: Ints, times: Ints, values: Ints) -> _Candidates:
    """One label per place; the arguments have shape (k,), sorted by place, then by record."""
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
    if len(starts) == len(places):
        differ = tied = np.zeros(len(places), bool)
        last = starts
    else:
        order = np.lexsort((times, places))
        times, values = times[order], values[order]
        last = np.append(starts[1:], len(places)) - 1
        sizes = last - starts + 1
        differs = values != np.repeat(values[last], sizes)
        same_time = times == np.repeat(times[last], sizes)
        firsts = np.minimum.reduceat(firsts[order], starts)
        differ = np.logical_or.reduceat(differs, starts)
        tied = np.logical_or.reduceat(differs & same_time, starts)
    return _Candidates(
        at=places[starts],
        firsts=firsts,
        times=times[last],
        values=values[last],
        differ=differ,
        tied=tied,
    )
