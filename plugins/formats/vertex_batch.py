"""Decodes the files of Vertex AI's batch prediction: results as JSON lines or CSV, and errors.

The file names have no ending: the start of a file tells what it is. The time of the rows is the
time in the folder name of the job; without one they have no time.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar
from urllib.parse import unquote

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import csv_parse, json_values, vertex_predictions
from driftline.kit.decoding.line_chunks import Chunk, LineChunks

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 1 << 20
"""Bytes of lines in one batch."""
ROWS = 20_000
"""Most rows of a batch of CSV."""
JOB = re.compile(
    r"/prediction-[^/]*-(\d{4})\D(\d\d)\D(\d\d)T(\d\d)\D(\d\d)\D(\d\d)(?:\D(\d{1,6})\d*)?Z?/[^/]*$"
)
ERRORS = re.compile(r"(^|[._])errors?([._-]|$)")
"""Names of files with the instances that failed."""


class VertexBatch(vertex_predictions.PredictionFormat):
    """Results of batch prediction.

    The columns are those of the instance or of the CSV, `key` where the job has one, `prediction`,
    `confidence`, `score`, `scores.CLASS` and the other values of the prediction, and the
    `event_time` of the job. Instances that failed are counted as rejected.
    """

    type = "vertex_batch"
    marks: ClassVar = (frozenset({"instance", "prediction"}), frozenset({"instance", "error"}))

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of rows.

        Base64 payloads become their length in bytes, and texts of more than 1000 characters a hash,
        unless the schema has images or texts.
        """
        chunks = iter(LineChunks(stream, ctx.is_complete, size=SIZE))
        first = next((chunk for chunk in chunks if chunk.data.strip(b"\xef\xbb\xbf \t\r\n")), None)
        if first is None:
            return
        chunks = chain([first], chunks)
        head = first.data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
        if b"\0" in head:
            raise Unreadable(
                "is binary: only JSON lines and CSV can be read, so let the job write jsonl or csv"
            )
        reader = self.reader(ctx.fields)
        if head.startswith(b"{"):
            yield from _json_lines(chunks, reader, ctx)
        elif ERRORS.search(name := unquote(ctx.uri).rpartition("/")[2]):
            for position, line in enumerate(_lines(chunks, ctx)):
                if position or not name.endswith(".csv"):
                    ctx.reject(
                        position,
                        f"the job failed on it: {line.decode('utf-8', 'replace').strip()}",
                        line,
                    )
        else:
            yield from _table(chunks, reader, ctx)


def _json_lines(
    chunks: Iterable[Chunk], reader: vertex_predictions.PredictionReader, ctx: DecodeContext
) -> Iterator[pa.RecordBatch]:
    metadata = dict(ctx.parts) | _time(ctx.uri)
    position = 0
    for chunk in chunks:
        rows: list[dict[str, Any]] = []
        for line in [chunk.data] if chunk.oversized else chunk.data.split(b"\n"):
            line = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not line:
                continue
            try:
                if chunk.oversized:
                    raise ValueError("line longer than 16 MiB")
                rows.append(_row(reader.parse(line), reader, metadata))
            except ValueError as error:
                ctx.reject(position, str(error), line)
            position += 1
        ctx.report_progress(chunk.end)
        if rows:
            yield json_values.batch_of_records(ctx.fields, rows)


def _row(
    record: Any, reader: vertex_predictions.PredictionReader, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the row of a record. Raises ValueError with the reason."""
    if not isinstance(record, dict):
        raise ValueError("not an object")
    if record.get("error") is not None:
        error = record["error"]
        code, message = (
            (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
        )
        raise ValueError(
            f"the job failed on it: code {json_values.to_text(code)}: "
            f"{json_values.to_text(message)}"
        )
    if "prediction" not in record:
        raise ValueError("neither a prediction nor an error")
    instance = record.get("instance", {})
    row = reader.row(
        instance,
        record["prediction"],
        {**metadata, "key": record["key"]} if "key" in record else metadata,
    )
    if isinstance(instance, dict) and "event_time" in instance:
        row["event_time"] = instance["event_time"]
    return row


def _table(
    chunks: Iterable[Chunk], reader: vertex_predictions.PredictionReader, ctx: DecodeContext
) -> Iterator[pa.RecordBatch]:
    """Decode CSV with a header; the text `null` is a missing value."""
    table = csv.reader(line.decode("utf-8-sig", "surrogateescape") for line in _lines(chunks, ctx))
    try:
        header = next(table)
    except csv.Error as error:
        raise Unreadable(f"the header can't be read: {error}") from None
    if len(set(header)) < len(header):
        raise Unreadable("a column's name is twice in the header")
    prediction_column = next((name for name in header if name.startswith("predicted_")), None)
    score_classes = _classes(header)
    metadata = {
        name: value
        for name, value in (dict(ctx.parts) | _time(ctx.uri)).items()
        if name not in header
    }
    records = _values(table, len(header), reader, ctx)
    while batch := list(islice(records, ROWS)):
        rows = []
        for values in batch:
            row: dict[str, Any] = dict(zip(header, values, strict=True))
            decision = {} if prediction_column is None else {"prediction": row[prediction_column]}
            rows.append(row | _score_columns(row, score_classes, reader) | decision | metadata)
        yield (
            json_values.batch_of_records(ctx.fields, rows)
            if ctx.fields is not None
            else _infer_numbers(rows, {prediction_column, *score_classes})
        )


def _score_columns(
    row: Mapping[str, Any],
    score_classes: Mapping[str, str],
    reader: vertex_predictions.PredictionReader,
) -> dict[str, Any]:
    """Return the standard columns of the scores; none where a score is no number.

    Such a score stays in its own column, where the host counts it.
    """
    if not score_classes:
        return {}
    scores = [row[name] or "nan" for name in score_classes]
    try:
        return reader.outputs({"classes": list(score_classes.values()), "scores": scores})[0]
    except ValueError:
        return {}


def _infer_numbers(rows: list[dict[str, Any]], excluded_columns: Set[str | None]) -> pa.RecordBatch:
    """Return all columns but the excluded ones; those with only numbers are numeric."""
    import pyarrow as pa

    batch = json_values.batch_of_records(
        None, [{name: row[name] for name in row if name not in excluded_columns} for row in rows]
    )
    columns = []
    for column in batch.columns:
        for kind in (pa.int64(), pa.float64()) if pa.types.is_string(column.type) else ():
            try:
                column = column.cast(kind)
                break
            except pa.ArrowInvalid:
                continue
        columns.append(column)
    return json_values.record_batch(batch.schema.names, columns, len(rows))


def _values(
    table: Iterator[list[str]],
    width: int,
    reader: vertex_predictions.PredictionReader,
    ctx: DecodeContext,
) -> Iterator[list[str | None]]:
    """Return the values of each record; reject records that can't be read."""
    position = 0
    while True:
        try:
            values = next(table)
            if not values:
                continue
            text = ",".join(values)
            text.encode()
            reason = (
                "" if len(values) == width else f"{len(values)} values where {width} are expected"
            )
        except StopIteration:
            return
        except csv.Error as error:
            text, reason = "", f"line {table.line_num}: {error}"  # type: ignore[attr-defined]
        except UnicodeEncodeError:
            reason = "not UTF-8"
        if reason:
            ctx.reject(position, reason, text)
        else:
            yield [None if value in csv_parse.NULLS else reader.shorten(value) for value in values]
        position += 1


def _classes(header: Sequence[str]) -> dict[str, str]:
    """Return the class of each column of scores; these are named `<target>_<class>_scores`."""
    names = [name for name in header if name.endswith("_scores")]
    if len(names) < 2:
        return {}
    # Without a column of the target, the target is the common start of all names.
    low, high = min(names), max(names)
    same = next(i for i in range(len(low)) if low[i] != high[i])
    targets = [name for name in header if all(column.startswith(f"{name}_") for column in names)]
    start = len(max(targets, key=len)) if targets else low.rfind("_", 0, same)
    return {name: name[start + 1 : -len("_scores")] for name in names}


def _lines(chunks: Iterable[Chunk], ctx: DecodeContext) -> Iterator[bytes]:
    """Return the lines; reject those that are too long."""
    position = 0
    for chunk in chunks:
        if chunk.oversized:
            ctx.reject(position, "line longer than 16 MiB", chunk.data)
            position += 1
            continue
        for line in chunk.data.splitlines(keepends=True):
            yield line
            position += 1


def _time(uri: str) -> dict[str, str]:
    """Return the time of the job, from the name of its folder."""
    match = JOB.search(unquote(uri))
    if match is None:
        return {}
    year, month, day, hour, minute, second, fraction = match.groups()
    return {"event_time": f"{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction or 0}Z"}


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [VertexBatch]
