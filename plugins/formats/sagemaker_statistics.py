"""SageMaker's `statistics.json`: the baseline of a data quality monitor as the rows of a reference.

Refuses to invent what the file does not hold: a feature without a distribution is an empty column,
and is told as a reject.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from pydantic import Field

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import json_values, rows_from_statistics

if TYPE_CHECKING:
    import pyarrow as pa

REST = "(not listed)"
"""Stands for the values beyond those that the file lists."""


class SageMakerStatistics(Format):
    """The statistics that SageMaker Model Monitor made of a baseline: columns rebuilt one by one,
    not the rows they came from.

    Numbers come from the KLL sketch: below its k (2,048) these are all values of the baseline,
    exactly; beyond it a quantile is off by about 0.1% of the rows. Without a sketch they are spread
    evenly within each bucket. Categories come from the list of values; rows with values that are
    not listed are one category, `(not listed)`. Missing values stay missing. Of more than a million
    rows a million are made, in proportion. Columns are independent: no performance, nothing
    multivariate.
    """

    type = "sagemaker_statistics"

    rename: dict[str, str] = Field(default_factory=dict)
    """Features that the records call otherwise, such as `Churn: prediction` where the baseline's
    first column is what the model predicts.
    """

    @classmethod
    def holds_statistics(cls, document: Any, content: bytes) -> bool:
        """Whether a file holds such statistics."""
        return isinstance(document, dict) and "dataset" in document

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """All rows of the baseline; features are columns by their names, in the order of the
        file.
        """
        data = rows_from_statistics.whole(stream)
        try:
            document = next(json_values.documents(data), None)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        features, rows = _at(document, "features"), _count(_at(document, "dataset", "item_count"))
        if not isinstance(features, list) or rows is None:
            raise Unreadable(
                "is no statistics.json of SageMaker: it has no `features` or no `dataset.item_count`"
            )
        summaries = []
        for place, feature in enumerate(features):
            name = _at(feature, "name")
            if not isinstance(name, str):
                ctx.reject(place, "a feature without a name", json_values.text(feature))
                continue
            summary, why = _summary(feature, self.rename.get(name, name))
            if why:
                ctx.reject(place, f"{name}: {why}", name)
            summaries.append(summary)
        if rows:
            yield from rows_from_statistics.rebuild(summaries, rows, ctx.fields)


def _summary(feature: Any, name: str) -> tuple[rows_from_statistics.Summary, str]:
    """What the file says of a feature, and why its values can't be had."""
    whole = _at(feature, "inferred_type") == "Integral"
    for kind, read in (("numerical_statistics", _numbers), ("string_statistics", _categories)):
        found = _at(feature, kind)
        if isinstance(found, dict):
            present = _count(_at(found, "common", "num_present")) or 0
            values = read(found, present, whole) if present else None
            why = "" if values or not present else "the file holds no distribution of its values"
            return rows_from_statistics.Summary(name, present, values), why
    return rows_from_statistics.Summary(name, 0, None), "the file holds no statistics of it"


def _numbers(found: Any, present: int, whole: bool) -> rows_from_statistics.Values | None:
    low, high = _finite(_at(found, "min")), _finite(_at(found, "max"))
    kll = _at(found, "distribution", "kll")
    levels = _at(kll, "sketch", "data")
    points: list[tuple[float, float, float]] = []
    for level, items in enumerate(levels if isinstance(levels, list) else ()):
        points += [
            (v, v, 2.0**level)
            for item in (items if isinstance(items, list) else ())
            if (v := _finite(item)) is not None
        ]
    if not points:
        for bucket in _list(_at(kll, "buckets")):
            ends = _finite(_at(bucket, "lower_bound")), _finite(_at(bucket, "upper_bound"))
            count = _finite(_at(bucket, "count"))
            if (
                ends[0] is not None
                and ends[1] is not None
                and ends[0] <= ends[1]
                and count is not None
                and count > 0
            ):
                points.append((ends[0], ends[1], count))
    if not points:
        return None
    table = np.array(sorted(points))
    if low is not None and high is not None and low > high:
        low = high = None
    return rows_from_statistics.Numbers(table[:, 0], table[:, 1], table[:, 2], low, high, whole)


def _categories(found: Any, present: int, whole: bool) -> rows_from_statistics.Values | None:
    counts: dict[str, float] = {}
    for bucket in _list(_at(found, "distribution", "categorical", "buckets")):
        value, count = _at(bucket, "value"), _finite(_at(bucket, "count"))
        if value is not None and count is not None and count > 0:
            counts[json_values.text(value)] = counts.get(json_values.text(value), 0.0) + count
    if not counts:
        return None
    rest = present - sum(counts.values())
    if rest > 0:
        counts[REST] = counts.get(REST, 0.0) + rest
    return rows_from_statistics.Categories(list(counts), np.array(list(counts.values())))


def _at(node: Any, *path: str) -> Any:
    """The value at a path; None where there is none, whatever stands there instead."""
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _finite(value: Any) -> float | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or abs(value) > 1e300
        or math.isnan(value)
    ):
        return None
    return float(value)


def _count(value: Any) -> int | None:
    number = _finite(value)
    return None if number is None or number < 0 else round(number)


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [SageMakerStatistics]
