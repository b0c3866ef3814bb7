"""The range that the weeks or months of a reference have themselves, for each measurement.

A season of the reference is usual: a window inside its range is as the reference is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from driftline.evaluate.evidence.unusual_rule import REFERENCE_HIGH, REFERENCE_LOW
from driftline.types.labels import labels_json
from driftline.types.records import JudgedMeasurement

Z = 1.96
"""Standard errors on each side of a 95% interval."""
SeriesKey = tuple[str, str, str]
"""Check, measurement, and labels as JSON with sorted keys."""


@dataclass(frozen=True, slots=True)
class ReferenceRange:
    """The smallest and the largest value over the spans of a reference, less what chance adds."""

    low: float
    high: float


def series_of(row: JudgedMeasurement) -> SeriesKey:
    """The series of a measurement, whatever its version and segment."""
    return row.check, row.measurement.name, labels_json(row.measurement.labels)


def find_ranges(
    spans: Iterable[Sequence[JudgedMeasurement]],
) -> dict[SeriesKey, ReferenceRange]:
    """The range of each series that is compared with the reference.

    `spans` holds the measurements of each span of the reference, compared with the whole of it.
    """
    values: dict[SeriesKey, list[tuple[float, float]]] = {}
    for rows in spans:
        for row in rows:
            rule, m = row.past_rule, row.measurement
            if rule is None or rule.obvious is None or m.value is None:
                continue
            low, high = m.interval or (m.value, m.value)
            values.setdefault(series_of(row), []).append((m.value, (high - low) / (2 * Z)))
    return {series: _range(pairs) for series, pairs in values.items() if len(pairs) > 1}


def _range(pairs: Sequence[tuple[float, float]]) -> ReferenceRange:
    """The range of the values once each is drawn to their mean by as much as it owes to chance.

    The James-Stein estimate: the variance between spans is that of the values less the mean of
    their squared standard errors (Efron and Morris 1975, "Data Analysis Using Stein's Estimator").
    """
    value, error = np.array(pairs, np.float64).T
    mean = value.mean()
    between = max(0.0, float(value.var(ddof=1)) - float((error**2).mean()))
    share = between / (between + error**2) if between > 0 else np.zeros(len(value))
    drawn = mean + share * (value - mean)
    return ReferenceRange(float(drawn.min()), float(drawn.max()))


def add_ranges(
    rows: Iterable[JudgedMeasurement], ranges: Mapping[SeriesKey, ReferenceRange]
) -> None:
    """Add the ends of its range to the details of each row of a series with a range."""
    # Most measurements have none: their series need no key.
    names = {(check, name) for check, name, _ in ranges}
    for row in rows:
        m = row.measurement
        if m.value is None or (row.check, m.name) not in names:
            continue
        usual_range = ranges.get(series_of(row))
        if usual_range is not None:
            row.measurement = m.with_detail(
                {REFERENCE_LOW: usual_range.low, REFERENCE_HIGH: usual_range.high}
            )
