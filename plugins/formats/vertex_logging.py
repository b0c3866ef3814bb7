"""The request-response log of a Vertex AI endpoint: rows of its BigQuery table, as JSON lines.

Refuses to zip sides of different length: such a record is rejected with the numbers, as one is
whose payload is no JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self

import msgspec

from driftline import DecodeContext, Format, hookimpl
from driftline.kit.decoding import json_values, vertex_predictions
from driftline.kit.decoding.line_chunks import LineChunks

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 1 << 20
"""Bytes of lines that become one batch."""
DIGITS = re.compile(r"(\d+)(?:\.0*)?")
"""A number of the log, also as a data frame shows it: with zeros behind the point."""


class VertexLogging(Format):
    """Requests and answers of Vertex AI endpoints, a row for each instance. Columns are those of
    the instance; `prediction`, `confidence`, `score`, `scores.CLASS` and what else the answer
    holds; `event_time`, `event_id`, `endpoint` and `deployed_model_id`. `input.NAME` and
    `output.NAME` lead into the two sides where a name stands in several places.
    """

    type = "vertex_logging"
    marks: ClassVar = (frozenset({"request_payload", "response_payload"}),)

    headers: tuple[str, ...] = ()
    """Names of the values of instances that are lists, in order. When empty, those of the
    reference's inputs; without any, `_c0`, `_c1` and so on.
    """
    classes: tuple[str, ...] = ()
    """Names of the classes, in order, where an answer is a list of their scores."""
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
        reader = vertex_predictions.Reader(self.headers, self.classes, self.positive, ctx.fields)
        decoder = msgspec.json.Decoder(_Row)
        position = 0
        for chunk in LineChunks(stream, ctx.sealed, size=SIZE):
            rows: list[dict[str, Any]] = []
            lines = [chunk.data] if chunk.oversized else chunk.data.split(b"\n")
            for line in lines:
                line = line.removeprefix(b"\xef\xbb\xbf")
                if not line or line.isspace():
                    continue
                try:
                    if chunk.oversized:
                        raise ValueError("line longer than 16 MiB")
                    rows += _unpacked(decoder.decode(line), reader, ctx)
                except msgspec.ValidationError as error:
                    ctx.reject(position, f"not a row of the log: {error}", line)
                except (ValueError, RecursionError) as error:
                    ctx.reject(position, str(error), line)
                position += 1
            ctx.consumed(chunk.end)
            if rows:
                yield json_values.tabulated(ctx.fields, rows)


class _Row(msgspec.Struct, gc=False):
    endpoint: str | None = None
    deployed_model_id: msgspec.Raw = msgspec.Raw(b"null")
    logging_time: str | float | None = None
    request_id: msgspec.Raw = msgspec.Raw(b"null")
    request_payload: list[str] = []
    response_payload: list[str] = []


def _unpacked(
    row: _Row, reader: vertex_predictions.Reader, ctx: DecodeContext
) -> list[dict[str, Any]]:
    """A row for each instance. Raises ValueError with the reason."""
    sent, answered = row.request_payload, row.response_payload
    if len(sent) != len(answered):
        raise ValueError(f"payloads don't pair: {len(sent)} instances, {len(answered)} predictions")
    if not sent:
        raise ValueError("neither an instance nor a prediction was logged")
    time = row.logging_time
    id_ = _text(row.request_id, "request_id")
    beside = {
        **ctx.parts,
        "event_time": time.removesuffix(" UTC") if isinstance(time, str) else time,
        "event_id": id_,
        "endpoint": row.endpoint,
        "deployed_model_id": _text(row.deployed_model_id, "deployed_model_id"),
    }
    rows = []
    for i, (instance, prediction) in enumerate(zip(sent, answered, strict=True)):
        told = (
            _json(reader, instance, "request_payload", i),
            _json(reader, prediction, "response_payload", i),
        )
        found = reader.row(*told, beside)
        if len(sent) > 1 and id_ is not None:
            found["event_id"] = f"{id_}:{i}"
        rows.append(found)
    return rows


def _json(reader: vertex_predictions.Reader, text: str, side: str, i: int) -> Any:
    try:
        return reader.document(text)
    except ValueError as error:
        raise ValueError(f"{side}[{i}]: {error}") from None


def _text(raw: msgspec.Raw, name: str) -> str | None:
    """A number as it stands there, never by way of a float. Raises ValueError where digits are lost
    already.
    """
    value = bytes(raw).decode()
    if value == "null":
        return None
    if value.startswith('"'):
        value = msgspec.json.decode(raw)
    elif not DIGITS.fullmatch(value):
        raise ValueError(f"{name} is {value[:40]}: its digits are lost; export it as text")
    whole = DIGITS.fullmatch(value)
    return whole[1] if whole else value


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [VertexLogging]
