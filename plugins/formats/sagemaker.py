"""SageMaker data capture: a JSON line an invocation, with request, answer and, once merged, label inside it as text.

Refuses to pair rows that don't pair: a record whose input, output and label differ in rows is rejected with the numbers. Half a
record is none of that: what was not captured is null. Batch transform manifests are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self
from urllib.parse import unquote

import msgspec
from pydantic import model_validator

from driftline import DecodeContext, Format, LineChunks, bodies, hookimpl, records

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

ROWS = 1 << 17
KEY = re.compile(r"/([^/]+)/([^/]+)/\d{4}/\d\d/\d\d/\d\d/[^/]+$")
META = ("event_id", "inference_id", "event_time", "custom_attributes", "endpoint", "variant")


class SageMaker(Format):
    """Data capture of real-time endpoints, also merged with ground truth; and ground truth alone."""

    type = "sagemaker"
    marks: ClassVar = (frozenset({"captureData", "eventMetadata"}),)

    headers: tuple[str, ...] = ()
    """Names of the input's values, in order. When empty, those of the reference's columns that are no label, prediction, score,
    time, id or version; without any, `_c0`, `_c1` and so on. JSON objects bring their own."""
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

    def with_columns(self, names: Sequence[str]) -> Self:
        """With `names` as headers, where the settings have none."""
        return self if self.headers else self.model_copy(update={"headers": tuple(names)})

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


class _Capture(msgspec.Struct, gc=False):
    endpointInput: bodies.Body | None = None  # noqa: N815
    endpointOutput: bodies.Body | None = None  # noqa: N815
    batchTransformOutput: bodies.Body | None = None  # noqa: N815


class _Event(msgspec.Struct, gc=False):
    eventId: str | None = None  # noqa: N815
    inferenceId: str | None = None  # noqa: N815
    inferenceTime: str | None = None  # noqa: N815
    customAttributes: list[str] | str | None = None  # noqa: N815


class _Record(msgspec.Struct, gc=False):
    captureData: _Capture | None = None  # noqa: N815
    eventMetadata: _Event = msgspec.field(default_factory=_Event)  # noqa: N815
    groundTruthData: bodies.Body | None = None  # noqa: N815


class _Reader:
    """Chunks of capture lines to batches."""

    def __init__(self, form: SageMaker, ctx: DecodeContext) -> None:
        self._form, self._ctx = form, ctx
        self._records = 0
        self._decoder = msgspec.json.Decoder(_Record)
        key = KEY.search(unquote(ctx.uri))
        self._endpoint: str | None = key[1] if key else None
        self._variant: str | None = key[2] if key else None
        self._input = bodies.Unpacker("input", form.headers, form.input_path, ctx)
        self._output = bodies.Unpacker("output", form.output_headers, form.output_path, ctx, form.headers)
        self._named = frozenset(form.headers + form.output_headers)
        self._label = bodies.Unpacker("label", (), None, ctx)

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

    def _batch(
        self, events: list[_Event], sides: tuple[bodies.Rows, ...], counts: NDArray[np.int64], good: NDArray[np.bool_]
    ) -> Any:
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


def _placed(side: bodies.Rows, counts: NDArray[np.int64], good: NDArray[np.bool_]) -> dict[str, pa.Array]:
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


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [SageMaker]
