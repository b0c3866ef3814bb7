"""SageMaker data capture: a JSON line an invocation, with request, answer and, once merged, label inside it as text.

Refuses to pair rows that don't pair: a record whose input, output and label differ in rows is rejected with the numbers. Half a
record is none of that: what was not captured is null. Batch transform manifests are not followed.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

import msgspec
from pydantic import model_validator

from driftline import DecodeContext, Format, Kind, LineChunks, delimited, hookimpl, records

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

ROWS = 1 << 17
KEY = re.compile(r"/([^/]+)/([^/]+)/\d{4}/\d\d/\d\d/\d\d/[^/]+$")
FEW = 256
PARTS = 8
META = ("event_id", "inference_id", "event_time", "custom_attributes", "endpoint", "variant")
NESTED = frozenset((list, dict))
LISTS = ("instances", "predictions")
"""Keys under which requests and answers keep their rows."""


class SageMaker(Format):
    """Data capture of real-time endpoints, also merged with ground truth; and ground truth alone."""

    type = "sagemaker"

    headers: tuple[str, ...] = ()
    """Names of the input's values, in order; `_c0`, `_c1` and so on when empty. JSON objects bring their own."""
    output_headers: tuple[str, ...] = ()
    """Names of the output's values, in order; when empty `prediction` for a single one, else `_o0`, `_o1` and so on."""
    input_path: str | None = None
    """Where the rows stand in a JSON input, such as `instances[*].features`; guessed when absent."""
    output_path: str | None = None
    """Where the rows stand in a JSON output, such as `predictions[*]`; guessed when absent."""

    @model_validator(mode="after")
    def _distinct(self) -> SageMaker:
        for names in (self.headers, self.output_headers):
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise ValueError(f"the name {twice!r} stands there twice")
        return self

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows: `event_id`, `event_time` and their kin, inputs, outputs and `label`; `input.NAME` and `output.NAME`
        tell equal names apart. Of several rows of a record the ids are `event_id:0`, `event_id:1` and so on.
        """
        reader = _Reader(self, ctx)
        chunks = LineChunks(stream, ctx.sealed)
        for chunk in chunks:
            if chunk.oversized:
                reader.reject("line longer than 16 MiB", chunk.data)
                ctx.consumed(chunk.end)
                continue
            batch = reader.read(chunk.data)
            ctx.consumed(chunk.end)
            if batch is not None and batch.num_rows:
                chunks.size = min(8 << 20, max(1 << 16, ROWS * len(chunk.data) // batch.num_rows))
                yield batch


class _Side(msgspec.Struct, gc=False):
    """What went in or came out, as text."""

    data: str | None = None
    encoding: str = "CSV"
    observedContentType: str | None = None  # noqa: N815


class _Capture(msgspec.Struct, gc=False):
    endpointInput: _Side | None = None  # noqa: N815
    endpointOutput: _Side | None = None  # noqa: N815
    batchTransformOutput: _Side | None = None  # noqa: N815


class _Event(msgspec.Struct, gc=False):
    eventId: str | None = None  # noqa: N815
    inferenceId: str | None = None  # noqa: N815
    inferenceTime: str | None = None  # noqa: N815
    customAttributes: list[str] | str | None = None  # noqa: N815


class _Record(msgspec.Struct, gc=False):
    captureData: _Capture | None = None  # noqa: N815
    eventMetadata: _Event = msgspec.field(default_factory=_Event)  # noqa: N815
    groundTruthData: _Side | None = None  # noqa: N815


@dataclass(slots=True)
class _Rows:
    """One side of some records, unpacked."""

    counts: NDArray[np.int64]
    """Rows of each record; -1 where the side was not captured or is unreadable."""
    columns: dict[str, pa.Array]
    """Of all rows there are, one after another."""
    failures: dict[int, str] = field(default_factory=dict)
    """Why a record can't be read, by its place."""


class _Reader:
    """Chunks of capture lines to batches."""

    def __init__(self, form: SageMaker, ctx: DecodeContext) -> None:
        self._form, self._ctx = form, ctx
        self._records = 0
        self._decoder = msgspec.json.Decoder(_Record)
        key = KEY.search(unquote(ctx.uri))
        self._endpoint: str | None = key[1] if key else None
        self._variant: str | None = key[2] if key else None
        self._input = _Unpacker("input", form.headers, form.input_path, ctx)
        self._output = _Unpacker("output", form.output_headers, form.output_path, ctx, form.headers)
        self._named = frozenset(form.headers + form.output_headers)
        self._label = _Unpacker("label", (), None, ctx)

    def reject(self, reason: str, line: bytes) -> None:
        self._ctx.reject(self._records, reason, line)
        self._records += 1

    def read(self, data: bytes) -> pa.RecordBatch | None:
        """The batch of some lines; None when no line is a record."""
        import numpy as np

        found, lines, at = self._records_of(data)
        if not found:
            return None
        captures = [record.captureData or _NOTHING for record in found]
        inputs = self._input.unpack([capture.endpointInput for capture in captures], None)
        outs = [capture.endpointOutput or capture.batchTransformOutput for capture in captures]
        outputs = self._output.unpack(outs, inputs.counts)
        labels = self._label.unpack([record.groundTruthData for record in found], np.maximum(inputs.counts, outputs.counts))
        sides = (inputs, outputs, labels)
        counts = np.maximum(np.maximum(inputs.counts, outputs.counts), labels.counts)
        bad: dict[int, str] = {}
        for side in sides:
            for i in np.flatnonzero((side.counts >= 0) & (side.counts != counts)).tolist():
                told = zip(("input", "output", "label"), sides, strict=True)
                numbers = ", ".join(f"{name} {s.counts[i]}" for name, s in told if s.counts[i] >= 0)
                bad[i] = f"rows don't pair: {numbers}"
        for i in np.flatnonzero(counts < 0).tolist():
            bad[i] = "neither input nor output was captured, and there is no label"
        for side in sides:
            bad |= side.failures
        if bad:
            kept = lines or [line for line in data.split(b"\n") if line.strip()]
            for i, reason in sorted(bad.items()):
                self._ctx.reject(at[i], reason, kept[i])
        good = np.ones(len(found), np.bool_)
        good[list(bad)] = False
        return self._batch([record.eventMetadata for record in found], sides, counts, good)

    def _records_of(self, data: bytes) -> tuple[list[_Record], list[bytes], Sequence[int]]:
        """The records of some lines; the line of each, or none where each line is one; their ordinals."""
        try:
            found = self._decoder.decode_lines(data)
            start = self._records
            self._records += len(found)
            return found, [], range(start, self._records)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        found, lines = [], []
        at: list[int] = []
        for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
            if not line.strip():
                continue
            try:
                for document in records.documents(line):
                    record = msgspec.convert(document, _Record)
                    found.append(record)
                    lines.append(line)
                    at.append(self._records)
                    self._records += 1
            except msgspec.ValidationError as error:
                self.reject(f"not a capture record: {error}", line)
            except ValueError as error:
                self.reject(str(error), line)
        return found, lines, at

    def _batch(self, events: list[_Event], sides: tuple[_Rows, ...], counts: NDArray[np.int64], good: NDArray[np.bool_]) -> Any:
        import numpy as np

        inputs, outputs, labels = (_placed(side, counts, good) for side in sides)
        if not good.all():
            events = [event for event, keep in zip(events, good, strict=True) if keep]
        counts = counts[good]
        rows = int(counts.sum())
        repeat = None if (counts == 1).all() else np.repeat(np.arange(len(counts)), counts)
        offered = {f"input.{name}": column for name, column in inputs.items()}
        offered |= {f"output.{name}": column for name, column in outputs.items()}
        plain = inputs | outputs | labels
        if self._ctx.fields is None:
            columns = {name: self._meta(name, events, counts, repeat, rows) for name in META} | plain
            return records.record_batch(list(columns), list(columns.values()), rows)
        arrays = []
        for wanted in self._ctx.fields:
            if wanted.path in META and wanted.path not in self._named:
                arrays.append(self._meta(wanted.path, events, counts, repeat, rows))
                continue
            column = plain.get(wanted.path)
            if column is None:
                column = offered.get(wanted.path)
            arrays.append(records.column([None] * rows, wanted.kind) if column is None else column)
        return records.record_batch([wanted.name for wanted in self._ctx.fields], arrays, rows)

    def _meta(self, name: str, events: list[_Event], counts: NDArray[np.int64], repeat: Any, rows: int) -> pa.Array:
        """A column of what stands beside the data."""
        import pyarrow as pa

        if name in ("endpoint", "variant"):
            value = self._endpoint if name == "endpoint" else self._variant
            return pa.array([value], pa.string()).dictionary_encode().take(pa.nulls(rows, pa.int32()).fill_null(0))
        if name == "event_id":
            ids = [event.eventId for event in events]
            if repeat is not None:
                ids = [
                    f"{id_}:{i}" if id_ is not None and n > 1 else id_
                    for id_, n in zip(ids, counts.tolist(), strict=True)
                    for i in range(n)
                ]
            return pa.array(ids, pa.string())
        values: list[str | None]
        if name == "inference_id":
            values = [event.inferenceId for event in events]
        elif name == "event_time":
            values = [event.inferenceTime for event in events]
        else:
            values = [",".join(a) if isinstance(a := event.customAttributes, list) else a for event in events]
        column = pa.array(values, pa.string())
        return column if repeat is None else column.take(pa.array(repeat))


_NOTHING = _Capture()


def _placed(side: _Rows, counts: NDArray[np.int64], good: NDArray[np.bool_]) -> dict[str, pa.Array]:
    """The columns of one side for the good records, with nulls where the side was not captured."""
    import numpy as np
    import pyarrow as pa

    if good.all() and (side.counts == counts).all():
        return side.columns
    if not side.columns:
        return {}
    lengths = np.maximum(side.counts, 0)
    starts = np.cumsum(lengths) - lengths
    kept = counts[good]
    within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    places = np.repeat(starts[good], kept) + within
    absent = np.repeat(side.counts[good] < 0, kept)
    indices = pa.array(np.where(absent, 0, places), pa.int64(), mask=absent)
    return {name: column.take(indices) for name, column in side.columns.items()}


class _Unpacker:
    """Reads one side of records: in bulk where all of it is CSV, else record by record."""

    def __init__(
        self, side: str, names: tuple[str, ...], path: str | None, ctx: DecodeContext, features: tuple[str, ...] = ()
    ) -> None:
        self._side, self._names = side, names
        self._features = features
        """Names of inputs that an output repeats, as batch transform does."""
        self._path = None if path is None else _steps(path)
        self._said = path
        self._wanted: dict[str, Kind | None] | None = None
        if ctx.fields is not None:
            # The other side's names are wanted of this one too: which has them is known only when they are read.
            bare = {f.path.removeprefix(f"{side}."): f.kind for f in ctx.fields}
            self._wanted = {f.path: f.kind for f in ctx.fields} | bare
        self._paths = {name: records.parse_path(name) for name in self._wanted or ()}

    def unpack(self, sides: list[_Side | None], expected: NDArray[np.int64] | None) -> _Rows:
        """The rows of each record's side. `expected` tells how many the other sides have, -1 where nobody knows."""
        import numpy as np

        if not any(sides):
            return _Rows(np.full(len(sides), -1, np.int64), {})
        texts = [side.data for side in sides if side is not None and side.encoding == "CSV" and side.data]
        bulk = self._bulk(texts) if len(texts) == len(sides) else None
        if bulk is not None and (expected is None or ((expected < 0) | (bulk.counts == expected)).all()):
            return bulk
        if not texts or len(sides) <= FEW:
            return self._each(sides, expected)
        # One odd record should cost its neighbours only.
        step = -(-len(sides) // PARTS)
        parts = [
            self.unpack(sides[at : at + step], None if expected is None else expected[at : at + step])
            for at in range(0, len(sides), step)
        ]
        return _joined(parts)

    def _bulk(self, texts: list[str]) -> _Rows | None:
        """All sides in one go; None where one of them needs a closer look."""
        import numpy as np
        import pyarrow as pa

        joined = "\n".join(texts)
        counts = np.ones(len(texts), np.int64)
        if joined.count("\n") != len(texts) - 1:
            if '"' in joined:
                return None
            texts = [text.rstrip("\r\n") for text in texts]
            counts = np.fromiter((text.count("\n") + 1 for text in texts), np.int64, len(texts))
            joined = "\n".join(texts)
        names = self._names or self._called(len(next(csv.reader([texts[0].partition("\n")[0]]), ())))
        wanted = None if self._wanted is None else {n: kind for n, kind in self._wanted.items() if n in names}
        if wanted is not None and not wanted:
            wanted = {names[0]: None}  # Rows are counted even when nobody wants a value.
        try:
            table = delimited.parse(joined.encode(), names, wanted)
        except (pa.ArrowInvalid, UnicodeEncodeError):
            return None
        if table.num_rows != counts.sum():
            return None
        return _Rows(counts, {n: table.column(n).unify_dictionaries().combine_chunks() for n in table.column_names})

    def _each(self, sides: list[_Side | None], expected: NDArray[np.int64] | None) -> _Rows:
        import numpy as np

        counts = np.full(len(sides), -1, np.int64)
        failures: dict[int, str] = {}
        rows: list[dict[str, Any]] = []
        for i, side in enumerate(sides):
            if side is None or not side.data:
                continue
            try:
                found = self._rows(side, -1 if expected is None else int(expected[i]))
            except ValueError as error:
                failures[i] = f"{self._side}: {error}"
                continue
            if found is not None:
                counts[i] = len(found)
                rows += found
        if self._wanted is None:
            flat = [dict(records.flatten(row)) for row in rows]
            names = dict.fromkeys(name for row in flat for name in row)
            return _Rows(counts, {name: records.column([row.get(name) for row in flat]) for name in names}, failures)
        columns = {}
        for name, kind in self._wanted.items():
            path = self._paths[name]
            values = [row.get(name) for row in rows] if len(path) == 1 else [records.look_up(row, name, path) for row in rows]
            if values.count(None) < len(values) or name in self._names:
                columns[name] = records.column(values, kind)
        return _Rows(counts, columns, failures)

    def _rows(self, side: _Side, expected: int) -> list[dict[str, Any]] | None:
        """The rows of one side by name; None for what is no table, such as an image. Raises ValueError with the reason."""
        data, encoding = side.data or "", side.encoding
        if encoding == "BASE64":
            try:
                raw = base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                raise ValueError("the BASE64 data is damaged") from None
            try:
                data = raw.decode()
            except UnicodeDecodeError:
                if self._names or self._path:
                    raise ValueError(f"{len(raw)} bytes that are no text, where columns are set") from None
                return None
            encoding = "JSON" if data.lstrip()[:1] in ("{", "[") else "CSV"
        if encoding == "CSV":
            lines: list[Any] = [line for line in csv.reader(data.splitlines(keepends=True)) if line]
            values: list[Any] = [[None if value in delimited.NULLS else value for value in line] for line in lines]
        elif encoding == "JSON":
            values = []
            documents = list(records.documents(data.encode("utf-8", "replace")))
            for document in documents:
                values += self._rows_of(document, expected if len(documents) == 1 else 1)
        else:
            raise ValueError(f"unknown encoding {encoding}")
        if expected > 1 and len(values) == 1 and isinstance(values[0], list) and len(values[0]) == expected:
            values = values[0]  # One line with an answer for each row.
        return [self._named(value) for value in values]

    def _rows_of(self, document: Any, expected: int) -> list[Any]:
        """The rows of a JSON document: what the path says, or what it looks like."""
        if self._path is not None:
            found = list(_matches(document, self._path))
            if not found:
                raise ValueError(f"nothing at {self._said}")
            if len(found) == 1 and isinstance(found[0], list) and all(isinstance(row, list | dict) for row in found[0]):
                return list(found[0])
            return found
        if isinstance(document, list):
            rows = all(isinstance(row, list | dict) for row in document) or len(document) == expected > 1
            return document if rows else [document]
        if not isinstance(document, dict):
            return [document]
        for name in LISTS:
            if isinstance(document.get(name), list):
                return list(document[name])
        lists = [value for value in document.values() if isinstance(value, list)]
        length = len(lists[0]) if lists else 0
        if (
            lists
            and len(lists) == len(document)
            and "features" not in document
            and all(len(value) == length and NESTED.isdisjoint(map(type, value)) for value in lists)
            and (expected < 0 or length == expected)
        ):
            return [dict(zip(document, row, strict=True)) for row in zip(*lists, strict=True)]
        return [document]

    def _named(self, row: Any) -> Any:
        """A row's values by name. Raises ValueError when their number is not that of the names."""
        if isinstance(row, dict):
            if "SageMakerOutput" in row:
                rest = {name: value for name, value in row.items() if name != "SageMakerOutput"}
                row = rest | self._named(row["SageMakerOutput"])
            vector = row.get("features")
            if vector is None and len(row) == 1:
                vector = next(iter(row.values()))
            if not isinstance(vector, list) or not NESTED.isdisjoint(map(type, vector)):
                return row
            rest = {name: value for name, value in row.items() if value is not vector}
            if self._side == "input":
                return rest | self._named(vector)
            if "features" in row:
                return rest | _zipped(self._features or tuple(f"_c{i}" for i in range(len(vector))), vector)
            return row
        values = row if isinstance(row, list) else [row]
        return _zipped(self._names or self._called(len(values)), values)

    def _called(self, width: int) -> tuple[str, ...]:
        """Names for values that have none."""
        if self._side == "input":
            return tuple(f"_c{i}" for i in range(width))
        single, many = ("prediction", "_o") if self._side == "output" else ("label", "_l")
        return (single,) if width == 1 else tuple(f"{many}{i}" for i in range(width))


def _zipped(names: tuple[str, ...], values: list[Any]) -> dict[str, Any]:
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values where {len(names)} names are set")
    return dict(zip(names, values, strict=True))


def _joined(parts: list[_Rows]) -> _Rows:
    """Several stretches of one side as one."""
    import numpy as np
    import pyarrow as pa

    failures: dict[int, str] = {}
    before = 0
    for part in parts:
        failures |= {before + i: reason for i, reason in part.failures.items()}
        before += len(part.counts)
    columns = {}
    for name in dict.fromkeys(name for part in parts for name in part.columns):
        there = [part.columns.get(name) for part in parts]
        types = {column.type for column in there if column is not None and column.null_count < len(column)}
        kind = types.pop() if len(types) == 1 else pa.string()
        lengths = [int(np.maximum(part.counts, 0).sum()) for part in parts]
        pieces = [
            pa.nulls(length, kind) if column is None or column.null_count == length else column.cast(kind)
            for column, length in zip(there, lengths, strict=True)
        ]
        columns[name] = pa.chunked_array(pieces, kind).unify_dictionaries().combine_chunks()
    return _Rows(np.concatenate([part.counts for part in parts]), columns, failures)


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple("[*]" if step == "*" else step for step in records.parse_path(path.replace("[*]", ".*")))


def _matches(value: Any, steps: tuple[str | int, ...]) -> Iterator[Any]:
    """All values at a path in which `[*]` stands for every position."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step == "[*]":
        for item in value if isinstance(value, list) else ():
            yield from _matches(item, rest)
    elif isinstance(step, int):
        if isinstance(value, list) and step < len(value):
            yield from _matches(value[step], rest)
    elif isinstance(value, dict) and step in value:
        yield from _matches(value[step], rest)


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [SageMaker]
