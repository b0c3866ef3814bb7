"""Decodes the request-response log of a Vertex AI endpoint: rows of its table, as JSON lines.

Rejects records whose sides have different lengths, and records whose payload is no JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import msgspec

from driftline import DecodeContext, Format, hookimpl
from driftline.kit.decoding import json_values, vertex_predictions
from driftline.kit.decoding.line_chunks import LineChunks

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 1 << 20
"""Bytes of lines in one batch."""
DIGITS = re.compile(r"(\d+)(?:\.0*)?")
"""A whole number of the log, also as data frames write it, with `.0` at the end."""


class VertexLogging(vertex_predictions.PredictionFormat):
    """One row for each instance of the requests and responses of Vertex AI endpoints.

    The columns are those of the instance, `prediction`, `confidence`, `score`, `scores.CLASS` and
    the other values of the response, `event_time`, `event_id`, `endpoint` and `deployed_model_id`.
    Use `input.NAME` and `output.NAME` where both sides have a column of the same name.
    """

    type = "vertex_logging"
    marks: ClassVar = (frozenset({"request_payload", "response_payload"}),)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of rows.

        Base64 payloads become their length in bytes, and texts of more than 1000 characters a hash,
        unless the schema has images or texts.
        """
        reader = self.reader(ctx.fields)
        decoder = msgspec.json.Decoder(_Row)
        position = 0
        for chunk in LineChunks(stream, ctx.is_complete, size=SIZE):
            rows: list[dict[str, Any]] = []
            lines = [chunk.data] if chunk.oversized else chunk.data.split(b"\n")
            for line in lines:
                line = line.removeprefix(b"\xef\xbb\xbf")
                if not line or line.isspace():
                    continue
                try:
                    if chunk.oversized:
                        raise ValueError("line longer than 16 MiB")
                    rows += _rows(decoder.decode(line), reader, ctx)
                except msgspec.ValidationError as error:
                    ctx.reject(position, f"not a row of the log: {error}", line)
                except (ValueError, RecursionError) as error:
                    ctx.reject(position, str(error), line)
                position += 1
            ctx.report_progress(chunk.end)
            if rows:
                yield json_values.batch_of_records(ctx.fields, rows)


class _Row(msgspec.Struct, gc=False):
    endpoint: str | None = None
    deployed_model_id: msgspec.Raw = msgspec.Raw(b"null")
    logging_time: str | float | None = None
    request_id: msgspec.Raw = msgspec.Raw(b"null")
    request_payload: list[str] = []
    response_payload: list[str] = []


def _rows(
    row: _Row, reader: vertex_predictions.PredictionReader, ctx: DecodeContext
) -> list[dict[str, Any]]:
    """Return a row for each instance. Raises ValueError with the reason."""
    instances, predictions = row.request_payload, row.response_payload
    if len(instances) != len(predictions):
        raise ValueError(
            f"payloads don't pair: {len(instances)} instances, {len(predictions)} predictions"
        )
    if not instances:
        raise ValueError("neither an instance nor a prediction was logged")
    time = row.logging_time
    id_ = _text(row.request_id, "request_id")
    metadata = {
        **ctx.parts,
        "event_time": time.removesuffix(" UTC") if isinstance(time, str) else time,
        "event_id": id_,
        "endpoint": row.endpoint,
        "deployed_model_id": _text(row.deployed_model_id, "deployed_model_id"),
    }
    rows = []
    for i, (instance, prediction) in enumerate(zip(instances, predictions, strict=True)):
        values = reader.row(
            _json(reader, instance, "request_payload", i),
            _json(reader, prediction, "response_payload", i),
            metadata,
        )
        if len(instances) > 1 and id_ is not None:
            values["event_id"] = f"{id_}:{i}"
        rows.append(values)
    return rows


def _json(reader: vertex_predictions.PredictionReader, text: str, side: str, i: int) -> Any:
    try:
        return reader.parse(text)
    except ValueError as error:
        raise ValueError(f"{side}[{i}]: {error}") from None


def _text(raw: msgspec.Raw, name: str) -> str | None:
    """Return a number as text, without a conversion to float.

    Raises ValueError where the number in the log has lost digits.
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
    """Register the format of this file."""
    return [VertexLogging]
