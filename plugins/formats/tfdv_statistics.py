"""Statistics of TensorFlow Data Validation, which Vertex AI's monitoring uses too: a baseline as
the rows of a reference.

Reads `DatasetFeatureStatisticsList` as JSON (protobuf's mapping, names in camelCase or snake_case),
as the message itself and as a TFRecord with one. Refuses weights, custom and cross statistics,
features with several values a row, and sharded files.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import json_values, rows_from_statistics

if TYPE_CHECKING:
    import pyarrow as pa

REST = "(not listed)"
"""Stands for the values beyond those that the file lists."""

_COMMON = {1: "num_non_missing", 2: "num_missing", 4: "max_num_values"}
_HISTOGRAM = {
    1: "num_nan",
    3: ("buckets", {1: "low_value", 2: "high_value", 4: "sample_count"}),
    4: "type",
}
_NUMERIC = {1: ("common_stats", _COMMON), 5: "min", 7: "max", 8: ("histograms", _HISTOGRAM)}
_STRING = {
    1: ("common_stats", _COMMON),
    3: ("top_values", {2: "value", 3: "frequency"}),
    5: (
        "rank_histogram",
        {1: ("buckets", {1: "low_rank", 2: "high_rank", 4: "label", 5: "sample_count"})},
    ),
}
_OTHER = {1: ("common_stats", _COMMON)}
_FEATURE = {
    1: "name", 2: "type", 3: ("num_stats", _NUMERIC), 4: ("string_stats", _STRING), 5: ("bytes_stats", _OTHER),
    7: ("struct_stats", _OTHER), 8: ("path", {1: "step"}),
}  # fmt: skip
_LIST = {1: ("datasets", {1: "name", 2: "num_examples", 3: ("features", _FEATURE)})}
"""Field numbers of tensorflow_metadata's statistics.proto, as far as they are read."""
_MANY = frozenset({"datasets", "features", "histograms", "buckets", "top_values", "step"})
_TEXT = frozenset({"name", "value", "label", "step"})


class TfdvStatistics(Format):
    """Statistics that TensorFlow Data Validation made of a dataset: columns rebuilt one by one, not
    the rows they came from.

    Numbers are spread evenly within each bucket of the histogram that has the most of them; where
    two have as many, of the quantiles. Categories come from the rank histogram, or from the top
    values; rows with values that are not listed are one category, `(not listed)`. Of more than a
    million rows a million are made. Columns are independent: no performance, nothing multivariate.
    """

    type = "tfdv_statistics"

    dataset: str = ""
    """The dataset or slice of the file to take; the first one when empty."""

    @classmethod
    def holds_statistics(cls, document: Any, content: bytes) -> bool:
        """Whether a file holds such statistics."""
        if document is None:
            # A message of TensorFlow's begins with its first dataset, a TFRecord with the length of
            # one.
            return content[:1] == b"\n" or content[4:8] == b"\0\0\0\0"
        return isinstance(document, dict) and "datasets" in document and "dataset" not in document

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """All rows of the baseline; features are columns by their names, paths joined by dots."""
        data = rows_from_statistics.whole(stream)
        datasets = [one for one in _list(_document(data), "datasets") if isinstance(one, dict)]
        chosen = next((one for one in datasets if self.dataset in ("", one.get("name", ""))), None)
        if chosen is None:
            names = ", ".join(repr(one.get("name", "")) for one in datasets[:5])
            raise Unreadable(
                f"has no dataset {self.dataset!r}; there are: {names}"
                if names
                else "has no dataset in it"
            )
        summaries = []
        for place, feature in enumerate(_list(chosen, "features")):
            steps = _list(feature.get("path") if isinstance(feature, dict) else None, "step")
            name = ".".join(map(json_values.text, steps)) or (
                feature.get("name") if isinstance(feature, dict) else None
            )
            if not isinstance(name, str):
                ctx.reject(place, "a feature without a name", json_values.text(feature))
                continue
            summary, why = _summary(feature, name)
            if why:
                ctx.reject(place, f"{name}: {why}", name)
            summaries.append(summary)
        rows = round(_number(chosen, "num_examples") or 0)
        if rows > 0:
            yield from rows_from_statistics.rebuild(summaries, rows, ctx.fields)


def _summary(feature: dict[str, Any], name: str) -> tuple[rows_from_statistics.Summary, str]:
    """What the file says of a feature, and why its values can't be had."""
    kinds = ("num_stats", "string_stats", "bytes_stats", "struct_stats")
    found: dict[str, Any] = next(
        (feature[kind] for kind in kinds if isinstance(feature.get(kind), dict)), {}
    )
    common = found.get("common_stats")
    present = max(0, round(_number(common, "num_non_missing") or 0))
    if not present:
        return rows_from_statistics.Summary(name, 0, None), ""
    if (_number(common, "max_num_values") or 0) > 1:
        return rows_from_statistics.Summary(name, present, None), "has several values a row"
    whole = feature.get("type", "INT") in ("INT", 0)
    values = _numbers(found, whole) if "num_stats" in feature else _categories(found, present)
    return rows_from_statistics.Summary(
        name, present, values
    ), "" if values else "the file holds no distribution of its values"


def _numbers(found: dict[str, Any], whole: bool) -> rows_from_statistics.Values | None:
    low, high = (
        _number(found, "min", endless=True) or 0.0,
        _number(found, "max", endless=True) or 0.0,
    )
    best: list[tuple[float, float, float]] = []
    for histogram in _list(found, "histograms"):
        cells = []
        for bucket in _list(histogram, "buckets"):
            begin = max(_number(bucket, "low_value", endless=True) or 0.0, low)
            end = min(_number(bucket, "high_value", endless=True) or 0.0, high)
            count = _number(bucket, "sample_count") or 0.0
            if count > 0 and begin <= end and math.isfinite(begin) and math.isfinite(end):
                cells.append((begin, end, count))
        quantiles = isinstance(histogram, dict) and histogram.get("type") in ("QUANTILES", 1)
        if len(cells) > len(best) or (cells and quantiles and len(cells) == len(best)):
            best = cells
    if not best:
        return None
    table = np.array(sorted(best))
    known = math.isfinite(low) and math.isfinite(high)
    ends = (low, high) if known else (None, None)
    return rows_from_statistics.Numbers(
        table[:, 0], table[:, 1], table[:, 2], ends[0], ends[1], whole
    )


def _categories(found: dict[str, Any], present: int) -> rows_from_statistics.Values | None:
    ranked = [
        (one.get("label", ""), _number(one, "sample_count"))
        for one in _dicts(found.get("rank_histogram"), "buckets")
    ]
    top = [(one.get("value", ""), _number(one, "frequency")) for one in _dicts(found, "top_values")]
    listed = max(ranked, top, key=lambda pairs: sum(count or 0.0 for _, count in pairs))
    counts: dict[str, float] = {}
    for value, count in listed:
        if count is not None and count > 0:
            counts[json_values.text(value)] = counts.get(json_values.text(value), 0.0) + count
    if not counts:
        return None
    rest = present - sum(counts.values())
    if rest > 0:
        counts[REST] = counts.get(REST, 0.0) + rest
    return rows_from_statistics.Categories(list(counts), np.array(list(counts.values())))


def _document(data: bytes) -> dict[str, Any]:
    if data.lstrip()[:1] == b"{":
        try:
            document = next(json_values.documents(data), None)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        return _snake(document) if isinstance(document, dict) else {}
    try:
        return _message(_framed(data), _LIST)
    except (struct.error, ValueError, IndexError, OverflowError):
        raise Unreadable(
            "is neither JSON nor a message or TFRecord of TensorFlow's statistics"
        ) from None


def _snake(node: Any) -> Any:
    """The same document with the names that the proto has."""
    if isinstance(node, dict):
        return {
            "".join(f"_{c.lower()}" if c.isupper() else c for c in name): _snake(value)
            for name, value in node.items()
        }
    return [_snake(item) for item in node] if isinstance(node, list) else node


def _framed(data: bytes) -> memoryview:
    """The message within a TFRecord; the data itself where it is none."""
    view = memoryview(data)
    if len(data) > 16:
        (length,) = struct.unpack_from("<Q", data)
        if length == len(data) - 16:
            return view[12 : 12 + length]
        if data[:1] != b"\n" and length < len(data) - 16:
            raise Unreadable(
                "has several records: merge sharded statistics into one with TFDV first"
            )
    return view


def _message(view: memoryview, fields: dict[int, Any]) -> dict[str, Any]:
    """A protobuf message as a dictionary; unknown fields are passed over. Raises ValueError,
    IndexError or struct.error.
    """
    made: dict[str, Any] = {}
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        value: Any
        match key & 7:
            case 0:
                value, at = _varint(view, at)
            case 1:
                value, at = struct.unpack_from("<d", view, at)[0], at + 8
            case 2:
                size, at = _varint(view, at)
                if size > len(view) - at:
                    raise ValueError("ends within a field")
                value, at = view[at : at + size], at + size
            case 5:
                value, at = struct.unpack_from("<f", view, at)[0], at + 4
            case other:
                raise ValueError(f"wire type {other}")
        told = fields.get(key >> 3)
        if told is None:
            continue
        name, below = told if isinstance(told, tuple) else (told, None)
        if isinstance(value, memoryview) != (below is not None or name in _TEXT):
            raise ValueError(f"{name} is of another type")
        if below is not None:
            value = _message(value, below)
        elif name in _TEXT:
            value = bytes(value).decode("utf-8", "replace")
        if name in _MANY:
            made.setdefault(name, []).append(value)
        else:
            made[name] = value
    return made


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number that is too long")


def _list(node: Any, name: str) -> list[Any]:
    value = node.get(name) if isinstance(node, dict) else None
    return value if isinstance(value, list) else []


def _dicts(node: Any, name: str) -> list[dict[str, Any]]:
    return [item for item in _list(node, name) if isinstance(item, dict)]


def _number(node: Any, name: str, *, endless: bool = False) -> float | None:
    """A number, which JSON writes as text where it has 64 bits or is infinite; None where there is
    no usable one.
    """
    value = node.get(name) if isinstance(node, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) or (abs(number) > 1e300 and not endless) else number


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [TfdvStatistics]
