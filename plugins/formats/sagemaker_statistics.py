"""Makes a reference from SageMaker's `statistics.json`, the baseline of a data quality monitor.

A feature without a distribution is an empty column, and is reported as a reject.
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


class SageMakerStatistics(Format):
    """Statistics of a Model Monitor baseline: columns rebuilt one by one, not the original rows.

    Numbers come from the KLL sketch. Up to its k (2,048) these are exactly the values of the
    baseline; beyond it a quantile is off by about 0.1% of the rows. Without a sketch the numbers
    are spread evenly within each bucket. Categories come from the list of values; rows with other
    values are one category, `(not listed)`. Missing values stay missing. At most a million rows are
    made, in proportion. Columns are independent: performance and multivariate checks are not
    possible.
    """

    type = "sagemaker_statistics"

    rename: dict[str, str] = Field(default_factory=dict)
    """Names of features in the records, where they differ from the file.

    For example `Churn: prediction`, where the baseline has the prediction in its column `Churn`.
    """

    @classmethod
    def holds_statistics(cls, document: Any, content: bytes) -> bool:
        """Whether a file holds such statistics."""
        return isinstance(document, dict) and "dataset" in document

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return all rows of the baseline, with a column for each feature."""
        data = rows_from_statistics.read_statistics(stream)
        try:
            document = next(json_values.parse_documents(data), None)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        features, rows = _at(document, "features"), _count(_at(document, "dataset", "item_count"))
        if not isinstance(features, list) or rows is None:
            raise Unreadable(
                "is no statistics.json of SageMaker: "
                "it has no `features` or no `dataset.item_count`"
            )
        summaries = []
        for place, feature in enumerate(features):
            name = _at(feature, "name")
            if not isinstance(name, str):
                ctx.reject(place, "a feature without a name", json_values.to_text(feature))
                continue
            summary, problem = _summarise(feature, self.rename.get(name, name))
            if problem:
                ctx.reject(place, f"{name}: {problem}", name)
            summaries.append(summary)
        if rows:
            yield from rows_from_statistics.rebuild_rows(summaries, rows, ctx.fields)


def _summarise(feature: Any, name: str) -> tuple[rows_from_statistics.Summary, str]:
    """Return the summary of a feature, and the reason where its values are not known."""
    integers_only = _at(feature, "inferred_type") == "Integral"
    for kind, read in (("numerical_statistics", _numbers), ("string_statistics", _categories)):
        statistics = _at(feature, kind)
        if isinstance(statistics, dict):
            present = _count(_at(statistics, "common", "num_present")) or 0
            values = read(statistics, present, integers_only) if present else None
            problem = (
                "" if values or not present else "the file holds no distribution of its values"
            )
            return rows_from_statistics.Summary(name, present, values), problem
    return rows_from_statistics.Summary(name, 0, None), "the file holds no statistics of it"


def _numbers(
    statistics: Any, present: int, integers_only: bool
) -> rows_from_statistics.Values | None:
    low, high = _finite(_at(statistics, "min")), _finite(_at(statistics, "max"))
    kll = _at(statistics, "distribution", "kll")
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
    return rows_from_statistics.Numbers(
        low=table[:, 0],
        high=table[:, 1],
        weights=table[:, 2],
        minimum=low,
        maximum=high,
        integers_only=integers_only,
    )


def _categories(
    statistics: Any, present: int, integers_only: bool
) -> rows_from_statistics.Values | None:
    buckets = _list(_at(statistics, "distribution", "categorical", "buckets"))
    pairs = [(_at(bucket, "value"), _finite(_at(bucket, "count"))) for bucket in buckets]
    return rows_from_statistics.categories_from_counts(pairs, present)


def _at(node: Any, *path: str) -> Any:
    """Return the value at a path, or None."""
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
    """Register the format of this file."""
    return [SageMakerStatistics]
