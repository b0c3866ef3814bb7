"""What batch prediction jobs of Vertex AI write: results as JSON lines or CSV, and files of errors.

Refuses to go by the file's name, which has no ending: what it holds is told by its beginning.
Refuses to invent a time: the job's stands in the name of its folder, or there is none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self
from urllib.parse import unquote

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import csv_parse, json_values, vertex_predictions
from driftline.kit.decoding.line_chunks import Chunk, LineChunks

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 1 << 20
"""Bytes of lines that become one batch."""
ROWS = 20_000
"""Rows of a batch of CSV at most."""
JOB = re.compile(
    r"/prediction-[^/]*-(\d{4})\D(\d\d)\D(\d\d)T(\d\d)\D(\d\d)\D(\d\d)(?:\D(\d{1,6})\d*)?Z?/[^/]*$"
)
ERRORS = re.compile(r"(^|[._])errors?([._-]|$)")
"""The names of files that hold what failed."""


class VertexBatch(Format):
    """Results of batch prediction. Columns are those of the instance or of the CSV, `key` where the
    job has one; `prediction`, `confidence`, `score`, `scores.CLASS` and what else the prediction
    holds; `event_time`, the job's. Instances that failed are counted as rejected.
    """

    type = "vertex_batch"
    marks: ClassVar = (frozenset({"instance", "prediction"}), frozenset({"instance", "error"}))

    headers: tuple[str, ...] = ()
    """Names of the values of instances that are lists, in order. When empty, those of the
    reference's inputs; without any, `_c0`, `_c1` and so on.
    """
    classes: tuple[str, ...] = ()
    """Names of the classes, in order, where a prediction is a list of their scores."""
    positive: str | None = None
    """The class whose score is the column `score`; when absent, that of two classes which is called
    1, true or yes.
    """

    def with_columns(self, names: Sequence[str]) -> Self:
        """With `names` as headers, where the settings have none."""
        return self if self.headers else self.model_copy(update={"headers": tuple(names)})

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows. Base64 payloads become their length in bytes, texts beyond 1000
        characters a hash, unless images or texts are among the fields.
        """
        chunks = iter(LineChunks(stream, ctx.sealed, size=SIZE))
        first = next((chunk for chunk in chunks if chunk.data.strip(b"\xef\xbb\xbf \t\r\n")), None)
        if first is None:
            return
        chunks = chain([first], chunks)
        head = first.data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
        if b"\0" in head:
            raise Unreadable(
                "is binary: of batch predictions JSON lines and CSV can be read, so have the job write jsonl or csv"
            )
        reader = vertex_predictions.Reader(self.headers, self.classes, self.positive, ctx.fields)
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
    chunks: Iterable[Chunk], reader: vertex_predictions.Reader, ctx: DecodeContext
) -> Iterator[pa.RecordBatch]:
    beside = dict(ctx.parts) | _time(ctx.uri)
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
                rows.append(_row(reader.document(line), reader, beside))
            except ValueError as error:
                ctx.reject(position, str(error), line)
            position += 1
        ctx.consumed(chunk.end)
        if rows:
            yield json_values.tabulated(ctx.fields, rows)


def _row(
    record: Any, reader: vertex_predictions.Reader, beside: Mapping[str, Any]
) -> dict[str, Any]:
    """Raises ValueError with the reason."""
    if not isinstance(record, dict):
        raise ValueError("not an object")
    if record.get("error") is not None:
        error = record["error"]
        code, says = (
            (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
        )
        raise ValueError(
            f"the job failed on it: code {json_values.text(code)}: {json_values.text(says)}"
        )
    if "prediction" not in record:
        raise ValueError("neither a prediction nor an error")
    instance = record.get("instance", {})
    row = reader.row(
        instance,
        record["prediction"],
        {**beside, "key": record["key"]} if "key" in record else beside,
    )
    if isinstance(instance, dict) and "event_time" in instance:
        row["event_time"] = instance["event_time"]
    return row


def _table(
    chunks: Iterable[Chunk], reader: vertex_predictions.Reader, ctx: DecodeContext
) -> Iterator[pa.RecordBatch]:
    """CSV with a header, in which text says `null` where there is nothing."""
    table = csv.reader(line.decode("utf-8-sig", "surrogateescape") for line in _lines(chunks, ctx))
    try:
        header = next(table)
    except csv.Error as error:
        raise Unreadable(f"the header can't be read: {error}") from None
    if len(set(header)) < len(header):
        raise Unreadable("a column's name stands twice in the header")
    decided = next((name for name in header if name.startswith("predicted_")), None)
    scored = _classes(header)
    beside = {
        name: value
        for name, value in (dict(ctx.parts) | _time(ctx.uri)).items()
        if name not in header
    }
    found = _values(table, len(header), reader, ctx)
    while batch := list(islice(found, ROWS)):
        rows = []
        for values in batch:
            row: dict[str, Any] = dict(zip(header, values, strict=True))
            told: dict[str, Any] = {} if decided is None else {"prediction": row[decided]}
            if scored:
                try:
                    scores = [row[name] or "nan" for name in scored]
                    told = (
                        reader.outputs({"classes": list(scored.values()), "scores": scores})[0]
                        | told
                    )
                except ValueError:
                    # A score that is no number stays in its own column, where the host counts it.
                    pass
            rows.append(row | told | beside)
        yield (
            json_values.tabulated(ctx.fields, rows)
            if ctx.fields is not None
            else _typed(rows, {decided, *scored})
        )


def _typed(rows: list[dict[str, Any]], recognised: Set[str | None]) -> pa.RecordBatch:
    """Everything that is worth a column, numbers as numbers."""
    import pyarrow as pa

    batch = json_values.tabulated(
        None, [{name: row[name] for name in row if name not in recognised} for row in rows]
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
    table: Iterator[list[str]], width: int, reader: vertex_predictions.Reader, ctx: DecodeContext
) -> Iterator[list[str | None]]:
    """The values of each record that can be read; the others are rejected."""
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
            yield [None if value in csv_parse.NULLS else reader.kept(value) for value in values]
        position += 1


def _classes(header: Sequence[str]) -> dict[str, str]:
    """The class of each column of scores, which are called `<target>_<class>_scores`."""
    scored = [name for name in header if name.endswith("_scores")]
    if len(scored) < 2:
        return {}
    # Without the target's own column, it is what all names begin with.
    low, high = min(scored), max(scored)
    same = next(i for i in range(len(low)) if low[i] != high[i])
    targets = [name for name in header if all(column.startswith(f"{name}_") for column in scored)]
    start = len(max(targets, key=len)) if targets else low.rfind("_", 0, same)
    return {name: name[start + 1 : -len("_scores")] for name in scored}


def _lines(chunks: Iterable[Chunk], ctx: DecodeContext) -> Iterator[bytes]:
    """The lines, without those that are too long."""
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
    """When the job was made, which is what the name of its folder says."""
    found = JOB.search(unquote(uri))
    if found is None:
        return {}
    year, month, day, hour, minute, second, fraction = found.groups()
    return {"event_time": f"{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction or 0}Z"}


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [VertexBatch]
