"""Decodes SageMaker data capture and the output of batch transform.

Data capture has a JSON line for each invocation: request, response and, once merged, label, as
text. The manifests of batch transform name its outputs, which are read; outputs that are listed
themselves (`.out`) are read, too. A record whose input, output and label have different numbers of
rows is rejected; a side that was not captured is null.

Skips the manifests of the inputs of a transform job: nothing tells which output belongs to which
input. Let the job join them (`JoinSource: Input`). Skips a manifest in the folder of its outputs
too, because they are listed beside it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, ClassVar, cast
from urllib.parse import unquote

import msgspec
from pydantic import model_validator

from driftline import DecodeContext, Format, ObjectGone, Unreadable, hookimpl
from driftline.kit.decoding import captured_bodies, json_values, same_record_sides
from driftline.kit.decoding.headers import FormatWithHeaders
from driftline.kit.decoding.jsonl_format import JsonRecords, RecordChunk, read_document_or_lines
from driftline.kit.decoding.streams import peek

if TYPE_CHECKING:
    import pyarrow as pa

FOLDERS = re.compile(r"/([^/]+)/([^/]+)/(\d{4})/(\d\d)/(\d\d)/(\d\d)/[^/]+$")
META = (
    "event_id",
    "label_id",
    "inference_id",
    "event_time",
    "custom_attributes",
    "endpoint",
    "variant",
)
HEAD = 1 << 12
TAIL = re.compile(r'(.*),"?([0-9a-fA-F-]{36})"?,"?(\d{4}-\d\d-\d\dT[^",]+)"?')
"""A line of CSV output that ends with the id of the row and the start of the job."""


class SageMaker(FormatWithHeaders):
    """Data capture of endpoints and batch transform, also merged with ground truth.

    A manifest only names the outputs: where a later job has overwritten them, the later rows are
    read.
    """

    type = "sagemaker"
    marks: ClassVar = (
        frozenset({"captureData", "eventMetadata"}),
        frozenset({"captureData", "eventMetadata", "groundTruthData"}),
        frozenset({"SageMakerOutput"}),
    )
    folders: ClassVar = ("endpoint", "variant")
    suffixes: ClassVar[tuple[str, ...]] = (".out",)

    output_headers: tuple[str, ...] = ()
    """Names of the output values, in order, for records that have no names.

    When empty, a single value is `prediction`, and several are `_o0`, `_o1` and so on.
    """
    input_path: str | None = None
    """Path of the rows in a JSON input, such as `instances[*].features`; guessed when absent."""
    output_path: str | None = None
    """Path of the rows in a JSON output, such as `predictions[*]`; guessed when absent."""

    @model_validator(mode="after")
    def _distinct(self) -> SageMaker:
        for names in (self.headers, self.output_headers):
            duplicate = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if duplicate is not None:
                raise ValueError(f"the name {duplicate!r} is there twice")
        return self

    def no_data(self, uri: str) -> str:
        """Return the reason for manifests of the inputs of a transform job."""
        place = FOLDERS.search(unquote(uri))
        inputs = place is not None and place[2] == "input" and _is_manifest(uri)
        return "names the inputs of a transform job, which hold no predictions" if inputs else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches with the metadata, the inputs, the outputs and `label`.

        Use `input.NAME` and `output.NAME` where both sides have a column of the same name. Where a
        record has several rows, their ids are `event_id:0`, `event_id:1` and so on. `label_id` is
        the id of the row in ground truth: the inference id, or else the event id.
        """
        reader = _Reader(self, ctx)
        head, stream = peek(stream, HEAD)
        is_output = b'"SageMakerOutput"' in head or unquote(ctx.uri).endswith(".out")
        if is_output and b'"captureData"' not in head:
            yield from reader.read_output(stream)
            return
        lines: JsonRecords[_Record | _Manifest] = JsonRecords(stream, ctx, _Record | _Manifest)
        for chunk in lines:
            batch = reader.batch(chunk.select(_Record))
            if batch is not None:
                lines.resize_for(batch.num_rows, chunk)
                yield batch
            manifests = chunk.select(list)
            for manifest, place, line in zip(
                manifests.records, manifests.places, manifests.lines, strict=True
            ):
                yield from reader.follow(manifest, place, line)
            del chunk, batch, manifests  # otherwise two chunks are in memory at the same time


class _Capture(msgspec.Struct, gc=False):
    endpointInput: captured_bodies.CapturedBody | None = None  # noqa: N815
    endpointOutput: captured_bodies.CapturedBody | None = None  # noqa: N815
    batchTransformOutput: captured_bodies.CapturedBody | None = None  # noqa: N815


class _Event(msgspec.Struct, gc=False):
    eventId: str | None = None  # noqa: N815
    inferenceId: str | None = None  # noqa: N815
    inferenceTime: str | None = None  # noqa: N815
    customAttributes: list[str] | str | None = None  # noqa: N815


class _Record(msgspec.Struct, gc=False):
    captureData: _Capture | None = None  # noqa: N815
    eventMetadata: _Event = msgspec.field(default_factory=_Event)  # noqa: N815
    groundTruthData: captured_bodies.CapturedBody | None = None  # noqa: N815


_Manifest = list[dict[str, str] | str]
"""`[{"prefix": "s3://bucket/folder/"}, "name", ...]`."""
_NOTHING = _Capture()


class _Reader:
    """Turns capture records into batches."""

    def __init__(self, form: SageMaker, ctx: DecodeContext) -> None:
        self._form, self._ctx = form, ctx
        place = FOLDERS.search(unquote(ctx.uri))
        is_capture = place is not None and not _is_manifest(ctx.uri)
        self._endpoint: str | None = place[1] if place and is_capture else None
        self._variant: str | None = place[2] if place and is_capture else None
        self._hour = "{}-{}-{}T{}:00:00Z".format(*place.groups()[2:]) if place else None
        self._input = captured_bodies.Unpacker(
            side="input", names=form.headers, path=form.input_path, ctx=ctx
        )
        self._output = captured_bodies.Unpacker(
            side="output",
            names=form.output_headers,
            path=form.output_path,
            ctx=ctx,
            features=form.headers,
        )
        self._label = captured_bodies.Unpacker(side="label", names=(), path=None, ctx=ctx)

    def batch(
        self,
        chunk: RecordChunk[_Record],
        output: captured_bodies.Unpacker | None = None,
        prefix: str = "",
    ) -> pa.RecordBatch | None:
        """Return the rows of some records, or None; `prefix` starts the reason of each reject."""
        import numpy as np

        records = chunk.records
        if not records:
            return None
        captures = [record.captureData or _NOTHING for record in records]
        inputs = self._input.unpack([capture.endpointInput for capture in captures], None)
        outs = [capture.endpointOutput or capture.batchTransformOutput for capture in captures]
        outputs = (output or self._output).unpack(outs, inputs.counts)
        labels = self._label.unpack(
            [record.groundTruthData for record in records],
            np.maximum(inputs.counts, outputs.counts),
        )
        pairs = same_record_sides.pair_sides(
            {"input": inputs, "output": outputs, "label": labels},
            {},
            "neither input nor output was captured, and there is no label",
        )
        for i, reason in pairs.failures.items():
            self._ctx.reject(chunk.places[i], prefix + reason, chunk.lines[i])
        if not pairs.rows:
            return None
        plain = pairs.sides["input"] | pairs.sides["output"] | pairs.sides["label"]
        events = [record.eventMetadata for record in records]
        if self._ctx.fields is None:
            metadata = {name: self._meta(name, events, pairs) for name in META}
            return json_values.select_columns(None, metadata | plain, pairs.rows)
        value_names = frozenset(self._form.headers + self._form.output_headers)
        by_side = {
            f"{side}.{name}": column
            for side in ("input", "output")
            for name, column in pairs.sides[side].items()
        }
        names = {field.path for field in self._ctx.fields} & set(META) - value_names
        columns = by_side | plain | {name: self._meta(name, events, pairs) for name in names}
        return json_values.select_columns(self._ctx.fields, columns, pairs.rows)

    def follow(self, manifest: _Manifest, place: int, line: bytes) -> Iterator[pa.RecordBatch]:
        """Return the rows of the outputs that a manifest names; reject an output that fails."""
        head = manifest[0] if manifest else None
        prefix = head.get("prefix", "") if isinstance(head, dict) else ""
        if not prefix or not all(isinstance(item, str) for item in manifest[1:]):
            self._ctx.reject(
                place, 'no manifest: a list of names should start with {"prefix": ...}', line
            )
            return
        if self._lists_outputs(prefix):
            return
        for item in cast(list[str], manifest[1:]):
            try:
                with self._ctx.open_reference(prefix + item) as output_stream:
                    yield from self.read_output(output_stream, f"{item}: ")
            except (ObjectGone, Unreadable) as error:
                self._ctx.reject(place, str(error).removeprefix(prefix), prefix + item)

    def _lists_outputs(self, prefix: str) -> bool:
        """Return whether the outputs are listed beside their manifest.

        They are where it is in their folder, or was copied with them to another store.
        """
        uri = self._ctx.uri
        is_capture = FOLDERS.search(unquote(uri)) is not None
        is_copy = uri.partition("://")[0] != prefix.partition("://")[0]
        return not is_capture and (is_copy or uri.rpartition("/")[0] == prefix.rstrip("/"))

    def read_output(self, stream: BinaryIO, prefix: str = "") -> Iterator[pa.RecordBatch]:
        """Return the rows of one output of a job: JSON lines, one JSON document, or CSV.

        `prefix` starts the reason of each reject.
        """
        output: captured_bodies.Unpacker | None = None
        make, at = _from_json, 0
        for lines in read_document_or_lines(
            stream, lambda line: self._ctx.reject(0, f"{prefix}line longer than 16 MiB", line)
        ):
            if not at and lines and lines[0].lstrip()[:1] not in (b"{", b"["):
                make, output = _from_csv, self._csv_output(lines[0])
            records: list[_Record] = []
            places: list[int] = []
            for i, line in enumerate(lines):
                try:
                    records.append(make(line, self._hour))
                    places.append(i)
                except ValueError as error:
                    self._ctx.reject(at + i, f"{prefix}{error}", line)
            chunk = RecordChunk(records, [at + i for i in places], [lines[i] for i in places])
            at += len(lines)
            batch = self.batch(chunk, output, prefix)
            if batch is not None:
                yield batch

    def _csv_output(self, line: bytes) -> captured_bodies.Unpacker:
        """Return an unpacker for lines like this one: inputs may come before the predictions."""
        width = _width(_split(line.decode("utf-8", "replace"))[0])
        names, inputs = self._form.output_headers, self._form.headers
        answers = width - len(inputs)
        if inputs and answers > 0 and width != len(names):
            names = inputs + (
                names
                or (("prediction",) if answers == 1 else tuple(f"_o{i}" for i in range(answers)))
            )
        return captured_bodies.Unpacker(side="output", names=names, path=None, ctx=self._ctx)

    def _meta(self, name: str, events: list[_Event], pairs: same_record_sides.RowPairs) -> pa.Array:
        """Return one column of metadata."""
        import pyarrow as pa

        if name in ("endpoint", "variant"):
            value = self._endpoint if name == "endpoint" else self._variant
            places = pa.nulls(pairs.rows, pa.int32()).fill_null(0)
            return pa.array([value], pa.string()).dictionary_encode().take(places)
        values: list[str | None]
        if name == "event_id":
            values = [event.eventId for event in events]
        elif name == "label_id":
            values = [event.inferenceId or event.eventId for event in events]
        elif name == "inference_id":
            values = [event.inferenceId for event in events]
        elif name == "event_time":
            values = [event.inferenceTime for event in events]
        else:
            values = [
                ",".join(a) if isinstance(a := event.customAttributes, list) else a
                for event in events
            ]
        column = json_values.text_array(values)
        return (
            pairs.number_ids(column)
            if name in ("event_id", "label_id")
            else pairs.repeat_per_row(column)
        )


def _is_manifest(uri: str) -> bool:
    return uri.endswith(".json")


def _from_json(line: bytes, hour: str | None) -> _Record:
    """Parse one JSON output of a transform job. Raises ValueError with the reason."""
    documents = list(json_values.parse_documents(line))
    if len(documents) != 1:
        raise ValueError("several JSON documents on one line")
    document = documents[0]
    if not isinstance(document, dict):
        return _Record(
            _Capture(None, captured_bodies.CapturedBody(json_values.to_text(document), "JSON")),
            _Event(inferenceTime=hour),
        )
    event, time, answer = (
        document.pop(f"SageMaker{name}", None)
        for name in ("InferenceId", "InferenceTime", "Output")
    )
    metadata = _Event(
        None if event is None else str(event), None, str(time or hour) if time or hour else None
    )
    inputs = captured_bodies.CapturedBody(json_values.to_text(document), "JSON")
    if answer is None:
        return _Record(_Capture(None, inputs), metadata)
    output = captured_bodies.CapturedBody(json_values.to_text(answer), "JSON")
    return _Record(_Capture(inputs if document else None, output), metadata)


def _from_csv(line: bytes, hour: str | None) -> _Record:
    """Parse one CSV line of a transform job. Raises ValueError with the reason."""
    data, event, time = _split(line.decode())
    return _Record(
        _Capture(None, captured_bodies.CapturedBody(data, "CSV")), _Event(event, None, time or hour)
    )


def _width(line: str) -> int:
    try:
        return len(next(csv.reader([line]), ()))
    except csv.Error:
        return 0


def _split(line: str) -> tuple[str, str | None, str | None]:
    """Return the values of a line, its id and the start of the job.

    The last two are None where the job does not write them.
    """
    match = TAIL.fullmatch(line.strip())
    return (match[1], match[2], match[3]) if match else (line, None, None)


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [SageMaker]
