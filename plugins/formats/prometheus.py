"""Decodes samples of Prometheus: its text format, OpenMetrics, and answers of its HTTP API.

Each sample is a row. Does not ask a server, and does not compute rates of counters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import msgspec

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import json_values
from driftline.kit.decoding.line_chunks import LineChunks
from driftline.kit.decoding.streams import peek

if TYPE_CHECKING:
    import pyarrow as pa

ROW_COLUMNS = ("time", "value", "name")
"""The columns that every row has; a label of this name gets `label_` before it."""
LARGEST = 64 << 20
"""Bytes of an answer of the API that are read."""
BATCH = 50_000
"""Samples of an answer in one batch."""
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*')
SAMPLE = re.compile(
    rf'({NAME})\s*(?:\{{((?:[^"}}]|"(?:[^"\\]|\\.)*")*)\}})?\s+(\S+)(?:\s+([-+0-9.eE]+))?\s*(?:#.*)?'
)
ESCAPE = re.compile(r"\\(.)")


class ApiSeries(msgspec.Struct):
    """One series of an answer. Times are seconds since 1970; values are texts."""

    metric: dict[str, str] = {}
    """Its labels, and its name as `__name__`."""
    values: list[msgspec.Raw] = []
    """Time and value of each sample of a `matrix`."""
    value: msgspec.Raw = msgspec.Raw()
    """Time and value of the sample of a `vector`."""
    histograms: list[msgspec.Raw] = []
    """Native histograms of a `matrix`, which are not read."""
    histogram: msgspec.Raw = msgspec.Raw()
    """The native histogram of a `vector`."""


class ApiData(msgspec.Struct):
    """The data of an answer; `matrix` and `vector` have series."""

    resultType: str  # noqa: N815 - the name in the answer
    result: list[msgspec.Raw]


class ApiAnswer(msgspec.Struct):
    """An answer of `query` or `query_range`."""

    status: str
    data: ApiData | None = None
    error: str = ""


class Prometheus(Format):
    """Samples of Prometheus, a row each, with the columns `time`, `value` and `name`.

    It reads the text format (`auc{env="prod"} 0.83 1714557600000`), OpenMetrics, and answers of
    `/api/v1/query_range` and `/api/v1/query` that are stored as JSON. Each label is a column of its
    name; one that is called `time`, `value` or `name` gets `label_` before it. A sample without a
    time, as a page of metrics has it, is rejected: it does not say when it was measured.
    """

    type = "prometheus"
    suffixes: ClassVar = (".prom", ".openmetrics")
    marks: ClassVar = (frozenset({"status", "data.resultType"}),)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Yield batches of samples."""
        head, stream = peek(stream, 100)
        if not ctx.start and head.lstrip().startswith(b"{"):
            yield from _decode_answer(stream, ctx)
            return
        place = 0
        for chunk in LineChunks(stream, ctx.is_complete):
            rows = []
            lines = [b""] if chunk.oversized else chunk.data.splitlines()
            for line in lines:
                if chunk.oversized:
                    ctx.reject(place, "line longer than 16 MiB", chunk.data[:200])
                elif not line.strip() or line.lstrip().startswith(b"#"):
                    continue
                else:
                    row = _parse_line(line)
                    if isinstance(row, str):
                        ctx.reject(place, row, line)
                    else:
                        rows.append(row)
                place += 1
            ctx.report_progress(chunk.end)
            if rows:
                yield json_values.batch_of_records(ctx.fields, rows)


def _parse_line(line: bytes) -> dict[str, Any] | str:
    """Return the row of a line, or why it has none."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        return "not UTF-8"
    match = SAMPLE.fullmatch(text)
    labels = None if match is None else _parse_labels(match[2] or "")
    if match is None or labels is None:
        return "not a sample of Prometheus"
    if match[4] is None:
        return "a sample without a time"
    try:
        value, time = _parse_value(match[3]), float(match[4])
    except ValueError:
        return "a value or time that is no number"
    return _make_row(match[1], labels, time, value)


def _parse_labels(text: str) -> dict[str, str] | None:
    """Return labels as they stand between braces; None where they can't be read."""
    labels, at = {}, 0
    while text[at:].strip():
        match = LABEL.match(text, at)
        if match is None:
            return None
        labels[match[1]] = ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()
        if text[at:].strip() and text[at] != ",":
            return None
        at += 1
    return labels


def _parse_value(text: str) -> float | None:
    """Return a value; None for NaN, which marks a series that ended."""
    value = float(text)
    return None if value != value else value


def _make_row(
    name: str, labels: dict[str, str], time: float, value: float | None
) -> dict[str, Any]:
    own = {
        f"label_{label}" if label in ROW_COLUMNS else label: text for label, text in labels.items()
    }
    return {**own, "time": int(time) if time.is_integer() else time, "value": value, "name": name}


def _decode_answer(stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
    """Yield the samples of an answer of the API. Raises Unreadable."""
    parts, size = [], 0
    while size <= LARGEST and (part := stream.read(1 << 20)):
        parts.append(part)
        size += len(part)
    data = b"".join(parts)
    if len(data) > LARGEST:
        raise Unreadable(f"an answer of more than {LARGEST >> 20} MiB; ask for a shorter time")
    try:
        answer = msgspec.json.decode(data, type=ApiAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("not an answer of Prometheus' API") from None
    if answer.status != "success" or answer.data is None:
        raise Unreadable(f"an answer without data: {answer.error or answer.status}")
    if answer.data.resultType not in ("matrix", "vector"):
        raise Unreadable(f"a result of type {answer.data.resultType}; ask for series")
    rows: list[dict[str, Any]] = []
    for place, raw in enumerate(answer.data.result):
        try:
            rows += _rows_of(msgspec.json.decode(raw, type=ApiSeries), place, ctx)
        except (ValueError, RecursionError):
            ctx.reject(place, "not a series of Prometheus", bytes(raw)[:200])
        while len(rows) >= BATCH:
            yield json_values.batch_of_records(ctx.fields, rows[:BATCH])
            rows = rows[BATCH:]
    if rows:
        yield json_values.batch_of_records(ctx.fields, rows)


def _rows_of(series: ApiSeries, place: int, ctx: DecodeContext) -> list[dict[str, Any]]:
    """Return the samples of a series; each that can't be read is rejected."""
    labels = dict(series.metric)
    name = labels.pop("__name__", "")
    samples = series.values or [part for part in (series.value,) if bytes(part)]
    rows = []
    for sample in samples:
        try:
            time, text = msgspec.json.decode(sample, type=tuple[float, str])
            rows.append(_make_row(name, labels, time, _parse_value(text)))
        except (ValueError, RecursionError):
            ctx.reject(place, "not a sample of Prometheus", bytes(sample)[:200])
    last = [part for part in (series.histogram,) if bytes(part)]
    for histogram in (*series.histograms, *last):
        ctx.reject(place, "a native histogram, which has no value", bytes(histogram)[:200])
    return rows


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [Prometheus]
