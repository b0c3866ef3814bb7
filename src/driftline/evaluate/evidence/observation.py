"""Streams as the evidence engine takes them: one number in one window, and how it is judged.

Does not judge.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.evaluate.evidence.trail import Stream
from driftline.types.arrays import Floats
from driftline.types.family import Family

SHARES: Mapping[str, float] = {
    Family.PERFORMANCE: 0.25,
    Family.DRIFT: 0.25,
    Family.QUALITY: 0.20,
    Family.SERVICE: 0.10,
    Family.FAIRNESS: 0.04,
    Family.BUSINESS: 0.04,
}
"""Share of the alarm budget of a model, by family.

What is left to 1 belongs to the checks whose rule `p_value` names a `budget` of its own.
Estimates without labels are part of performance; labels and plain statistics, also those of
numbers from outside, of data quality.
"""


@dataclass(slots=True, kw_only=True)  # Not frozen: a window makes hundreds of them.
class Observation:
    """One stream's number in one window, and how the stream is judged."""

    stream: Stream
    level: float
    """The number on the scale where its spread is even; NaN when there is none."""
    size: float
    """The number on the scale where changes are compared with the tolerance."""
    least_sd: float = 0.0
    """Standard deviation of the level that the number of rows alone makes."""
    tolerance: float = 0.0
    """Effects below it do not matter; on the scale of `size`."""
    above: bool = True
    """Whether changes upwards are watched."""
    below: bool = True
    """Whether changes downwards are watched."""
    family: str = Family.DRIFT.value
    """Key of `SHARES`."""
    weight: float = 1.0
    """Weight within its family, relative to the other streams."""
    cusum: bool = False
    """Whether a CUSUM, R = max(1, R) e, adds up the evidence instead of Shiryaev-Roberts."""
    shared_by_versions: bool = False
    """Whether the stream is the same for every model version: a feature is, a prediction is not."""
    rows: float = 1.0
    """Rows that the number rests on."""
    size_error: float = 0.0
    """Standard error of the size that the number of rows makes."""
    neutral: float = math.nan
    """The size where window and reference agree; NaN where there is no reference."""
    reference_low: float = math.nan
    """The smallest size that the weeks or months of the reference have; NaN without times."""
    reference_high: float = math.nan
    """The largest such size."""
    obvious: float = math.inf
    """Distance from `neutral`, or from the usual size, that is a change if two windows have it."""
    is_additive: bool = True
    """Whether the size of a day is the mean over its windows, weighted by rows."""
    is_share: bool = False
    """Whether `size` is the `log_odds` of a share; `obvious` is a distance of shares then."""
    column: str = ""
    """The column that the stream is about; the streams of one column divide its weight."""


class StreamNumbers(NamedTuple):
    """The numbers of J streams in one window, shape (J,) each; see `Observation`."""

    level: Floats
    size: Floats
    least_sd: Floats
    rows: Floats
    size_error: Floats
    neutral: Floats

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> StreamNumbers:
        """The numbers of these observations, in their order."""
        return cls(
            np.array([observation.level for observation in observations]),
            np.array([observation.size for observation in observations]),
            np.array([observation.least_sd for observation in observations]),
            np.array([observation.rows for observation in observations]),
            np.array([observation.size_error for observation in observations]),
            np.array([observation.neutral for observation in observations]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """How J streams are judged together; the same for every window."""

    streams: tuple[Stream, ...]
    tolerance: Floats
    """Shape (J,)."""
    sides: NDArray[np.bool_]
    """Which sides are watched, shape (2, J)."""
    family: NDArray[np.int64]
    """Index into `shares` of each stream's family, shape (J,)."""
    shares: Floats
    """Share of the alarm budget, shape (families,)."""
    budget_of_family: NDArray[np.int64]
    """Number of the alarm budget of each family, shape (families,)."""
    budget: NDArray[np.int64]
    """Number of the alarm budget of each stream, shape (J,); a model has one budget."""
    weight: Floats
    """Weight within the family, shape (J,)."""
    cusum: NDArray[np.bool_]
    """Shape (J,)."""
    shared_by_versions: tuple[bool, ...]
    """Length J."""
    obvious: Floats
    """Shape (J,)."""
    is_additive: NDArray[np.bool_]
    """Shape (J,)."""
    is_share: NDArray[np.bool_]
    """Shape (J,)."""
    reference_low: Floats
    """Shape (J,)."""
    reference_high: Floats
    """Shape (J,)."""

    def distance(self, size: Floats, neutral: Floats) -> Floats:
        """How far sizes lie from the reference, shape (J,); NaN without a reference.

        Positive above it. It is 0 within the range that the weeks or months of the reference have
        themselves; where its rows have no times, that is `neutral` alone.
        """
        low = np.where(np.isnan(self.reference_low), neutral, self.reference_low)
        high = np.where(np.isnan(self.reference_high), neutral, self.reference_high)
        nearest = np.minimum(np.maximum(size, np.minimum(low, neutral)), np.maximum(high, neutral))
        distance: Floats = size - nearest
        return distance

    @property
    def has_range(self) -> NDArray[np.bool_]:
        """Whether the reference has a range of its own, shape (J,)."""
        has_range: NDArray[np.bool_] = self.reference_low < self.reference_high
        return has_range

    @classmethod
    def of(cls, observations: Sequence[Observation], budgets: Sequence[int] | None = None) -> Panel:
        """A panel of the streams of one window.

        `budgets` numbers the alarm budget of each stream; without it all share one.
        """
        numbers = np.array(budgets if budgets is not None else [0] * len(observations), np.int64)
        keys = [
            (int(number), observation.family)
            for number, observation in zip(numbers, observations, strict=True)
        ]
        families = {key: index for index, key in enumerate(dict.fromkeys(keys))}
        return cls(
            streams=tuple(observation.stream for observation in observations),
            tolerance=np.array([observation.tolerance for observation in observations]),
            sides=np.array(
                [
                    [observation.above for observation in observations],
                    [observation.below for observation in observations],
                ]
            ),
            family=np.array([families[key] for key in keys], np.int64),
            shares=np.array([SHARES[name] for _, name in families]),
            budget_of_family=np.array([number for number, _ in families], np.int64),
            budget=numbers,
            weight=_weights(observations),
            cusum=np.array([observation.cusum for observation in observations]),
            shared_by_versions=tuple(
                observation.shared_by_versions for observation in observations
            ),
            obvious=np.array([observation.obvious for observation in observations]),
            is_additive=np.array([observation.is_additive for observation in observations]),
            is_share=np.array([observation.is_share for observation in observations]),
            reference_low=np.array([observation.reference_low for observation in observations]),
            reference_high=np.array([observation.reference_high for observation in observations]),
        )


def _weights(observations: Sequence[Observation]) -> Floats:
    """The weight of each stream within its family, shape (J,).

    The weight of a column is divided among its measurements, and that of a measurement among its
    streams: a column with many categories weighs as much as any other.
    """
    columns = [
        (each.family, each.stream.version, each.stream.segment, each.column)
        for each in observations
    ]
    measurements = [
        (*column, each.stream.check, each.stream.name)
        for column, each in zip(columns, observations, strict=True)
    ]
    stream_count = Counter(measurements)
    measurement_count = Counter(measurement[:4] for measurement in stream_count)
    return np.array(
        [
            each.weight / stream_count[measurement] / measurement_count[column]
            for each, column, measurement in zip(observations, columns, measurements, strict=True)
        ]
    )
