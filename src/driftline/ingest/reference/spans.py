"""The weeks or months of a reference whose rows have times: a profile of each.

They show how far the rows of the reference themselves move, by season or by chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.batch import Batch
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.types.times import DAY_MICROS

WEEK = 7 * DAY_MICROS
LEAST_LENGTH = 8 * DAY_MICROS
"""The least time between the first and the last row of a reference that carries time."""
MOST_WEEKS, WEEKS_OF_MONTH, MOST_SPANS = 26, 4, 60
"""The most spans of one week; the least weeks of longer ones; the most spans of all."""
LEAST_ROWS = 100
"""Spans with fewer rows are left out: they would show chance only."""


@dataclass(slots=True)
class TimeRange:
    """First and last time of rows, microseconds."""

    first: int = 0
    """0 without a time."""
    last: int = 0

    def add(self, times: NDArray[np.int64] | None) -> None:
        """Add the times of some rows, shape (rows,); 0 is no time."""
        times = None if times is None else times[times > 0]
        if times is None or not len(times):
            return
        first, last = int(times.min()), int(times.max())
        self.first = min(self.first, first) if self.first else first
        self.last = max(self.last, last)

    @property
    def span_length(self) -> int:
        """The length of the spans that it is divided into, microseconds; 0 where it is short.

        A week; of more than 26 weeks four, or as many as give 60 spans.
        """
        if self.last - self.first < LEAST_LENGTH:
            return 0
        weeks = math.ceil((self.last - self.first) / WEEK)
        if weeks <= MOST_WEEKS:
            return WEEK
        return max(WEEKS_OF_MONTH, math.ceil(weeks / MOST_SPANS)) * WEEK


class SpanProfiles:
    """Profiles of the spans of a reference."""

    def __init__(self, spec: ProfileSpec, collectors: Collectors, times: TimeRange) -> None:
        self._spec, self._collectors, self._times = spec, collectors, times
        self._by_place: dict[int, Profile] = {}

    def update(self, batch: Batch, times: NDArray[np.int64] | None) -> None:
        """Add rows with their times, shape (rows,); rows without a time are left out."""
        length = self._times.span_length
        if times is None or not length:
            return
        from driftline.ingest.columns.canonical import take_rows  # loads pyarrow

        places = np.where(times > 0, (times - self._times.first) // length, -1)
        for place in np.unique(places[places >= 0]).tolist():
            if place not in self._by_place:
                self._by_place[place] = Profile(self._spec, self._collectors)
            self._by_place[place].update(take_rows(batch, np.flatnonzero(places == place)))

    def profiles(self) -> tuple[Profile, ...]:
        """The profiles of spans with enough rows, oldest first; empty for fewer than two."""
        profiles = tuple(
            profile for _, profile in sorted(self._by_place.items()) if profile.rows >= LEAST_ROWS
        )
        return profiles if len(profiles) > 1 else ()
