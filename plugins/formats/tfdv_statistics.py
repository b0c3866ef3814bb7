"""Makes a reference from statistics of TensorFlow Data Validation, also those of Vertex AI.

Reads `DatasetFeatureStatisticsList` as JSON (names in camelCase or snake_case), as the protobuf
message, and as a TFRecord with one message. Does not read weights, custom and cross statistics,
features with several values in a row, and sharded files.
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
    1: "name", 2: "type", 3: ("num_stats", _NUMERIC), 4: ("string_stats", _STRING),
    5: ("bytes_stats", _OTHER),
    7: ("struct_stats", _OTHER), 8: ("path", {1: "step"}),
}  # fmt: skip
_LIST = {1: ("datasets", {1: "name", 2: "num_examples", 3: ("features", _FEATURE)})}
"""Numbers of the fields of tensorflow_metadata's statistics.proto that are read."""
_MANY = frozenset({"datasets", "features", "histograms", "buckets", "top_values", "step"})
_TEXT = frozenset({"name", "value", "label", "step"})


class TfdvStatistics(Format):
    """Statistics of a dataset by TensorFlow Data Validation: columns rebuilt one by one.

    These are not the original rows. Numbers are spread evenly within each bucket of the histogram
    with the most buckets; of two such histograms the quantiles are used. Categories come from the
    rank histogram, or from the top values; rows with other values are one category, `(not listed)`.
    At most a million rows are made. Columns are independent: performance and multivariate checks
    are not possible.
    """

    type = "tfdv_statistics"

    dataset: str = ""
    """The dataset or slice of the file to read; the first one when empty."""

    @classmethod
    def holds_statistics(cls, document: Any, content: bytes) -> bool:
        """Whether a file holds such statistics."""
        if document is None:
            # A message of TensorFlow's begins with its first dataset, a TFRecord with the length of
            # one.
            return content[:1] == b"\n" or content[4:8] == b"\0\0\0\0"
        return isinstance(document, dict) and "datasets" in document and "dataset" not in document

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return all rows of the baseline; a nested feature has its names joined by dots."""
        data = rows_from_statistics.read_statistics(stream)
        datasets = _dicts(_document(data), "datasets")
        dataset = next((d for d in datasets if self.dataset in ("", d.get("name", ""))), None)
        if dataset is None:
            names = ", ".join(repr(dataset.get("name", "")) for dataset in datasets[:5])
            raise Unreadable(
                f"has no dataset {self.dataset!r}; there are: {names}"
                if names
                else "has no dataset in it"
            )
        summaries = []
        for place, feature in enumerate(_list(dataset, "features")):
            steps = _list(feature.get("path") if isinstance(feature, dict) else None, "step")
            name = ".".join(map(json_values.to_text, steps)) or (
                feature.get("name") if isinstance(feature, dict) else None
            )
            if not isinstance(name, str):
                ctx.reject(place, "a feature without a name", json_values.to_text(feature))
                continue
            summary, problem = _summarise(feature, name)
            if problem:
                ctx.reject(place, f"{name}: {problem}", name)
            summaries.append(summary)
        rows = round(_number(dataset, "num_examples") or 0)
        if rows > 0:
            yield from rows_from_statistics.rebuild_rows(summaries, rows, ctx.fields)


def _summarise(feature: dict[str, Any], name: str) -> tuple[rows_from_statistics.Summary, str]:
    """Return the summary of a feature, and the reason where its values are not known."""
    kinds = ("num_stats", "string_stats", "bytes_stats", "struct_stats")
    statistics: dict[str, Any] = next(
        (feature[kind] for kind in kinds if isinstance(feature.get(kind), dict)), {}
    )
    common = statistics.get("common_stats")
    present = max(0, round(_number(common, "num_non_missing") or 0))
    if not present:
        return rows_from_statistics.Summary(name, 0, None), ""
    if (_number(common, "max_num_values") or 0) > 1:
        return rows_from_statistics.Summary(name, present, None), "has several values a row"
    integers_only = feature.get("type", "INT") in ("INT", 0)
    values = (
        _numbers(statistics, integers_only)
        if "num_stats" in feature
        else _categories(statistics, present)
    )
    return rows_from_statistics.Summary(
        name, present, values
    ), "" if values else "the file holds no distribution of its values"


def _numbers(statistics: dict[str, Any], integers_only: bool) -> rows_from_statistics.Values | None:
    low, high = (
        _number(statistics, "min", allow_infinite=True) or 0.0,
        _number(statistics, "max", allow_infinite=True) or 0.0,
    )
    best: list[tuple[float, float, float]] = []
    for histogram in _list(statistics, "histograms"):
        cells = []
        for bucket in _list(histogram, "buckets"):
            begin = max(_number(bucket, "low_value", allow_infinite=True) or 0.0, low)
            end = min(_number(bucket, "high_value", allow_infinite=True) or 0.0, high)
            count = _number(bucket, "sample_count") or 0.0
            if count > 0 and begin <= end and math.isfinite(begin) and math.isfinite(end):
                cells.append((begin, end, count))
        quantiles = isinstance(histogram, dict) and histogram.get("type") in ("QUANTILES", 1)
        if len(cells) > len(best) or (cells and quantiles and len(cells) == len(best)):
            best = cells
    if not best:
        return None
    table = np.array(sorted(best))
    has_range = math.isfinite(low) and math.isfinite(high)
    return rows_from_statistics.Numbers(
        low=table[:, 0],
        high=table[:, 1],
        weights=table[:, 2],
        minimum=low if has_range else None,
        maximum=high if has_range else None,
        integers_only=integers_only,
    )


def _categories(statistics: dict[str, Any], present: int) -> rows_from_statistics.Values | None:
    ranks = [
        (bucket.get("label", ""), _number(bucket, "sample_count"))
        for bucket in _dicts(statistics.get("rank_histogram"), "buckets")
    ]
    top = [
        (item.get("value", ""), _number(item, "frequency"))
        for item in _dicts(statistics, "top_values")
    ]
    pairs = max(ranks, top, key=lambda pairs: sum(count or 0.0 for _, count in pairs))
    return rows_from_statistics.categories_from_counts(pairs, present)


def _document(data: bytes) -> dict[str, Any]:
    if data.lstrip()[:1] == b"{":
        try:
            document = next(json_values.parse_documents(data), None)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        return _to_snake_case(document) if isinstance(document, dict) else {}
    try:
        return _message(_unframe(data), _LIST)
    except (struct.error, ValueError, IndexError, OverflowError):
        raise Unreadable(
            "is neither JSON nor a message or TFRecord of TensorFlow's statistics"
        ) from None


def _to_snake_case(node: Any) -> Any:
    """Return the document with names in snake_case, as in the proto."""
    if isinstance(node, dict):
        return {
            "".join(f"_{c.lower()}" if c.isupper() else c for c in name): _to_snake_case(value)
            for name, value in node.items()
        }
    return [_to_snake_case(item) for item in node] if isinstance(node, list) else node


def _unframe(data: bytes) -> memoryview:
    """Return the message in a TFRecord, or the data itself."""
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
    """Parse a protobuf message into a dictionary; skip unknown fields.

    Raises ValueError, IndexError or struct.error.
    """
    message: dict[str, Any] = {}
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
            case wire_type:
                raise ValueError(f"wire type {wire_type}")
        field = fields.get(key >> 3)
        if field is None:
            continue
        name, below = field if isinstance(field, tuple) else (field, None)
        if isinstance(value, memoryview) != (below is not None or name in _TEXT):
            raise ValueError(f"{name} is of another type")
        if below is not None:
            value = _message(value, below)
        elif name in _TEXT:
            value = bytes(value).decode("utf-8", "replace")
        if name in _MANY:
            message.setdefault(name, []).append(value)
        else:
            message[name] = value
    return message


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


def _number(node: Any, name: str, *, allow_infinite: bool = False) -> float | None:
    """Return a number, or None. JSON has numbers of 64 bits and infinite ones as text."""
    value = node.get(name) if isinstance(node, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) or (abs(number) > 1e300 and not allow_infinite) else number


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [TfdvStatistics]
