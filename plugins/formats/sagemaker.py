"""SageMaker data capture: a JSON line an invocation, with request, answer and, once merged, label
inside it as text; and the manifests of batch transform, which are followed to the outputs that they
name.

Refuses to pair rows that don't pair: a record whose input, output and label differ in rows is
rejected with the numbers. Half a record is none of that: what was not captured is null. Refuses the
manifests of a transform job's inputs: they name no prediction, and nothing tells which output
belongs to which input; let the job join them (`JoinSource: Input`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Self, cast
from urllib.parse import unquote

import msgspec
from pydantic import model_validator

from driftline import DecodeContext, Format, ObjectGone, Unreadable, hookimpl
from driftline.kit.decoding import captured_bodies, json_values, same_record_sides
from driftline.kit.decoding.jsonl_format import JsonRecords, RecordChunk, document_or_lines

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
TAIL = re.compile(r'(.*),"?([0-9a-fA-F-]{36})"?,"?(\d{4}-\d\d-\d\dT[^",]+)"?')
"""A line of transformed CSV, with the id of the row and the start of the job at its end."""


class SageMaker(Format):
    """Data capture of real-time endpoints, also merged with ground truth, and of batch transform;
    and ground truth alone.

    A manifest is a promise, not a copy: where a later job wrote over the outputs it names, the
    later rows are read.
    """

    type = "sagemaker"
    marks: ClassVar = (
        frozenset({"captureData", "eventMetadata"}),
        frozenset({"captureData", "eventMetadata", "groundTruthData"}),
    )

    headers: tuple[str, ...] = ()
    """Names of the input's values, in order. When empty, those of the reference's columns that are
    no label, prediction, score, time, id or version; without any, `_c0`, `_c1` and so on. JSON
    objects bring their own.
    """
    output_headers: tuple[str, ...] = ()
    """Names of the output's values, in order; when empty `prediction` for a single one, else `_o0`,
    `_o1` and so on.
    """
    input_path: str | None = None
    """Where the rows stand in a JSON input, such as `instances[*].features`; guessed when
    absent.
    """
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

    def no_data(self, uri: str) -> str:
        """The manifests of a transform job's inputs."""
        place = FOLDERS.search(unquote(uri))
        inputs = place is not None and place[2] == "input" and _is_manifest(uri)
        return "names the inputs of a transform job, which hold no predictions" if inputs else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows: `event_id`, `event_time` and their kin, inputs, outputs and `label`;
        `input.NAME` and `output.NAME` tell equal names apart. Of several rows of a record the ids
        are `event_id:0`, `event_id:1` and so on. `label_id` is what ground truth calls the row: the
        inference id, else the event id.
        """
        reader = _Reader(self, ctx)
        lines: JsonRecords[_Record | _Manifest] = JsonRecords(stream, ctx, _Record | _Manifest)
        for chunk in lines:
            batch = reader.batch(chunk.of(_Record))
            if batch is not None:
                lines.came_to(batch.num_rows, chunk)
                yield batch
            manifests = chunk.of(list)
            for manifest, place, line in zip(
                manifests.found, manifests.places, manifests.lines, strict=True
            ):
                yield from reader.follow(manifest, place, line)
            del chunk, batch, manifests  # or two chunks are held at a time


class _Capture(msgspec.Struct, gc=False):
    endpointInput: captured_bodies.Body | None = None  # noqa: N815
    endpointOutput: captured_bodies.Body | None = None  # noqa: N815
    batchTransformOutput: captured_bodies.Body | None = None  # noqa: N815


class _Event(msgspec.Struct, gc=False):
    eventId: str | None = None  # noqa: N815
    inferenceId: str | None = None  # noqa: N815
    inferenceTime: str | None = None  # noqa: N815
    customAttributes: list[str] | str | None = None  # noqa: N815


class _Record(msgspec.Struct, gc=False):
    captureData: _Capture | None = None  # noqa: N815
    eventMetadata: _Event = msgspec.field(default_factory=_Event)  # noqa: N815
    groundTruthData: captured_bodies.Body | None = None  # noqa: N815


_Manifest = list[dict[str, str] | str]
"""`[{"prefix": "s3://bucket/folder/"}, "name", ...]`."""
_NOTHING = _Capture()


class _Reader:
    """Capture records to batches."""

    def __init__(self, form: SageMaker, ctx: DecodeContext) -> None:
        self._form, self._ctx = form, ctx
        place = FOLDERS.search(unquote(ctx.uri))
        captured = place is not None and not _is_manifest(ctx.uri)
        self._endpoint: str | None = place[1] if place and captured else None
        self._variant: str | None = place[2] if place and captured else None
        self._hour = "{}-{}-{}T{}:00:00Z".format(*place.groups()[2:]) if place else None
        self._input = captured_bodies.Unpacker("input", form.headers, form.input_path, ctx)
        self._output = captured_bodies.Unpacker(
            "output", form.output_headers, form.output_path, ctx, form.headers
        )
        self._label = captured_bodies.Unpacker("label", (), None, ctx)

    def batch(
        self,
        some: RecordChunk[_Record],
        output: captured_bodies.Unpacker | None = None,
        about: str = "",
    ) -> pa.RecordBatch | None:
        """The rows of some records; None when there are none. `about` comes before the reason of a
        reject.
        """
        import numpy as np

        found = some.found
        if not found:
            return None
        captures = [record.captureData or _NOTHING for record in found]
        inputs = self._input.unpack([capture.endpointInput for capture in captures], None)
        outs = [capture.endpointOutput or capture.batchTransformOutput for capture in captures]
        outputs = (output or self._output).unpack(outs, inputs.counts)
        labels = self._label.unpack(
            [record.groundTruthData for record in found], np.maximum(inputs.counts, outputs.counts)
        )
        pairs = same_record_sides.pair(
            {"input": inputs, "output": outputs, "label": labels},
            {},
            "neither input nor output was captured, and there is no label",
        )
        for i, reason in pairs.failures.items():
            self._ctx.reject(some.places[i], about + reason, some.lines[i])
        if not pairs.rows:
            return None
        plain = pairs.sides["input"] | pairs.sides["output"] | pairs.sides["label"]
        events = [record.eventMetadata for record in found]
        if self._ctx.fields is None:
            return json_values.chosen(
                None, {name: self._meta(name, events, pairs) for name in META} | plain, pairs.rows
            )
        own = frozenset(self._form.headers + self._form.output_headers)
        told = {
            f"{side}.{name}": c
            for side in ("input", "output")
            for name, c in pairs.sides[side].items()
        }
        wanted = {field.path for field in self._ctx.fields} & set(META) - own
        columns = told | plain | {name: self._meta(name, events, pairs) for name in wanted}
        return json_values.chosen(self._ctx.fields, columns, pairs.rows)

    def follow(self, manifest: _Manifest, place: int, line: bytes) -> Iterator[pa.RecordBatch]:
        """The rows of the outputs that a manifest names. One that can't be read costs only
        itself.
        """
        head = manifest[0] if manifest else None
        prefix = head.get("prefix", "") if isinstance(head, dict) else ""
        if not prefix or not all(isinstance(item, str) for item in manifest[1:]):
            self._ctx.reject(
                place, 'no manifest: a list of names should begin with {"prefix": ...}', line
            )
            return
        for item in cast(list[str], manifest[1:]):
            try:
                with self._ctx.refer(prefix + item) as stored:
                    yield from self._transformed(stored, item)
            except (ObjectGone, Unreadable) as error:
                self._ctx.reject(place, str(error), prefix + item)

    def _transformed(self, stream: BinaryIO, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of one output of a transform job: JSON lines, one JSON document, or CSV."""
        output: captured_bodies.Unpacker | None = None
        make, at = _from_json, 0
        for lines in document_or_lines(
            stream, lambda line: self._ctx.reject(0, f"{name}: line longer than 16 MiB", line)
        ):
            if not at and lines and lines[0].lstrip()[:1] not in (b"{", b"["):
                make, output = _from_csv, self._csv_output(lines[0])
            found: list[_Record] = []
            kept: list[int] = []
            for i, line in enumerate(lines):
                try:
                    found.append(make(line, self._hour))
                    kept.append(i)
                except ValueError as error:
                    self._ctx.reject(at + i, f"{name}: {error}", line)
            some = RecordChunk(found, [at + i for i in kept], [lines[i] for i in kept])
            at += len(lines)
            batch = self.batch(some, output, f"{name}: ")
            if batch is not None:
                yield batch

    def _csv_output(self, line: bytes) -> captured_bodies.Unpacker:
        """What unpacks lines of CSV like this one: the job may have put the inputs before its
        answers.
        """
        width = _width(_split(line.decode("utf-8", "replace"))[0])
        names, inputs = self._form.output_headers, self._form.headers
        answers = width - len(inputs)
        if inputs and answers > 0 and width != len(names):
            names = inputs + (
                names
                or (("prediction",) if answers == 1 else tuple(f"_o{i}" for i in range(answers)))
            )
        return captured_bodies.Unpacker("output", names, None, self._ctx)

    def _meta(self, name: str, events: list[_Event], pairs: same_record_sides.Paired) -> pa.Array:
        """A column of what stands beside the data."""
        import pyarrow as pa

        if name in ("endpoint", "variant"):
            value = self._endpoint if name == "endpoint" else self._variant
            return (
                pa.array([value], pa.string())
                .dictionary_encode()
                .take(pa.nulls(pairs.rows, pa.int32()).fill_null(0))
            )
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
        column = json_values.texts(values)
        return pairs.numbered(column) if name in ("event_id", "label_id") else pairs.spread(column)


def _is_manifest(uri: str) -> bool:
    return uri.endswith(".json")


def _from_json(line: bytes, hour: str | None) -> _Record:
    """One document of a transform job's output. Raises ValueError with the reason."""
    documents = list(json_values.documents(line))
    if len(documents) != 1:
        raise ValueError("several JSON documents on one line")
    document = documents[0]
    if not isinstance(document, dict):
        return _Record(
            _Capture(None, captured_bodies.Body(json_values.text(document), "JSON")),
            _Event(inferenceTime=hour),
        )
    event, time, answer = (
        document.pop(f"SageMaker{name}", None)
        for name in ("InferenceId", "InferenceTime", "Output")
    )
    about = _Event(
        None if event is None else str(event), None, str(time or hour) if time or hour else None
    )
    rest = captured_bodies.Body(json_values.text(document), "JSON")
    if answer is None:
        return _Record(_Capture(None, rest), about)
    return _Record(
        _Capture(
            rest if document else None, captured_bodies.Body(json_values.text(answer), "JSON")
        ),
        about,
    )


def _from_csv(line: bytes, hour: str | None) -> _Record:
    """One line of a transform job's output. Raises ValueError with the reason."""
    data, event, time = _split(line.decode())
    return _Record(
        _Capture(None, captured_bodies.Body(data, "CSV")), _Event(event, None, time or hour)
    )


def _width(line: str) -> int:
    try:
        return len(next(csv.reader([line]), ()))
    except csv.Error:
        return 0


def _split(line: str) -> tuple[str, str | None, str | None]:
    """The values of a line, its id and the start of the job; None for both where the job was not
    told to write them.
    """
    found = TAIL.fullmatch(line.strip())
    return (found[1], found[2], found[3]) if found else (line, None, None)


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [SageMaker]
