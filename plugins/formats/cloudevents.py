"""Decodes payload logs of KServe and Seldon: CloudEvents, and files of KServe's bucket logger.

CloudEvents may be lines, arrays or single objects. Requests and responses are logged apart: the
host pairs them by request id and place. Feedback and events of other kinds are rejected.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import json_values, serving_protocols
from driftline.kit.decoding.headers import FormatWithHeaders
from driftline.kit.decoding.line_chunks import LineChunks
from driftline.kit.decoding.split_records import mark_side
from driftline.kit.decoding.streams import PeekedStream, read_at_most

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST = 256 << 20
"""Bytes of an object that is not in lines, and must be read as a whole."""
NAMES = {
    "event_id": ("requestid", "id"),
    "event_time": ("time", "occurrencetime", "recordedtime"),
    "inference_service": ("inferenceservicename", "inferenceservice"),
    "namespace": ("namespace",),
    "component": ("component",),
    "variant": ("endpoint",),
    "model": ("modelid",),
}
"""Columns, and their attributes, written without `ce-`, dashes and underscores."""
ON_REQUEST = ("namespace", "component", "model")
"""Columns that exist only component the schema names them."""


class KServe(FormatWithHeaders):
    """KServe's inference log: captured CloudEvents, or files of its bucket logger.

    The bucket logger writes JSON, CSV or Parquet.
    """

    type = "kserve"
    marks: ClassVar[tuple[frozenset[str], ...]] = (
        frozenset({"bytes", "reqType", "inferenceService"}),
        frozenset({"Bytes", "ReqType", "InferenceService"}),
        frozenset({"bytes", "req_type", "inference_service"}),
        frozenset({"specversion", "inferenceservicename"}),
    )

    output_headers: tuple[str, ...] = ()
    """Names of the output values, in order, for records that have no names.

    When empty, a single value is `prediction`, and several are `_o0`, `_o1` and so on.
    """

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches with the metadata and the values of each row.

        The metadata are `event_id`, `event_time`, `inference_service`, `variant`, and
        `model_version` component the response has it. Use `input.NAME` and `output.NAME` component
        both sides have a column of the same name. CSV and Parquet have no times: their rows get the
        time of the object's last change.
        """
        reader = _Reader(self, ctx)
        head = b""
        while not head.lstrip(b"\xef\xbb\xbf \t\r\n") and (more := stream.read(1 << 16)):
            head += more
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        whole = PeekedStream(head, stream)
        if start.startswith(b"{"):
            for chunk in LineChunks(whole, ctx.is_complete, between=b"}{"):
                if chunk.oversized:
                    reader.reject("line longer than 16 MiB", chunk.data)
                else:
                    reader.lines(chunk.data)
                ctx.report_progress(chunk.end)
                yield from reader.batches()
        elif start:
            yield from reader.table(
                whole,
                "array" if start[:1] == b"[" else "parquet" if start[:4] == b"PAR1" else "csv",
            )


class Seldon(KServe):
    """Seldon Core's payload log: captured CloudEvents, in any of Seldon's protocols."""

    type = "seldon"
    marks = (frozenset({"specversion", "inferenceservicename", "requestid"}),)


class _Reader:
    """Turns events into rows."""

    def __init__(self, form: KServe, ctx: DecodeContext) -> None:
        self._ctx = ctx
        self._position = 0
        self._sides = {
            "request": serving_protocols.Protocols("request", form.headers),
            "response": serving_protocols.Protocols("response", form.output_headers),
        }
        self._rows: dict[Literal["request", "response"], list[dict[str, Any]]] = {
            "request": [],
            "response": [],
        }
        self._ids: dict[str, list[str | None]] = {"request": [], "response": []}

    def reject(self, reason: str, record: bytes | str) -> None:
        """Count one event that can't be decoded."""
        self._ctx.reject(self._position, reason, record)
        self._position += 1

    def lines(self, data: bytes) -> None:
        """Add the events of some lines; a line may have a list of events."""
        for line in data.split(b"\n"):
            if line and not line.isspace():
                try:
                    # The bucket logger of KServe writes events without line ends between them.
                    for document in list(json_values.parse_documents(line)):
                        for event in document if isinstance(document, list) else [document]:
                            self._add_or_reject(event)
                except ValueError as error:
                    self.reject(str(error), line)

    def table(self, stream: BinaryIO, kind: str) -> Iterator[pa.RecordBatch]:
        """Return the events of an object that must be read as a whole."""
        content = read_at_most(stream, LARGEST)
        if content is None:
            raise Unreadable(
                f"larger than {LARGEST >> 20} MiB, and not lines: it can't be read piece by piece"
            )
        events = {"array": _array, "csv": _csv, "parquet": _parquet}[kind](content)
        try:
            for event in events:
                self._add_or_reject(event)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        finally:
            batches = list(self.batches())
        yield from batches

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the added events, one batch for each side, and start again."""
        for side, rows in self._rows.items():
            if rows:
                batch, ids = json_values.batch_of_records(self._ctx.fields, rows), self._ids[side]
                self._rows[side], self._ids[side] = [], []
                yield mark_side(batch, side, ids)

    def _add_or_reject(self, event: Any) -> None:
        try:
            self._add(event)
            self._position += 1
        except (ValueError, RecursionError) as error:
            self.reject(" ".join(str(error).split()), json_values.to_text(event))

    def _add(self, event: Any) -> None:
        if not isinstance(event, dict):
            raise ValueError("not an event: it is no object")
        attributes = _attributes(event)
        kind = json_values.to_text(attributes.get("type") or attributes.get("reqtype") or "")
        side = _side(kind)
        status = json_values.to_text(
            attributes.get("statuscode") or attributes.get("status") or 200
        )
        if side == "response" and not status.startswith("2"):
            raise ValueError(f"status {status}: the call failed, this is no prediction")
        values = self._sides[side].rows(_body(event))
        meta = {
            column: next((attributes[name] for name in names if attributes.get(name)), None)
            for column, names in NAMES.items()
        }
        request = meta["event_id"]
        fields = self._ctx.fields
        absent_columns = () if fields is not None else ON_REQUEST
        for place, row in enumerate(values):
            # A request passes through a transformer and a predictor, and each of them logs it.
            component = "|".join(
                json_values.to_text(meta[name] or "") for name in ("component", "variant", "model")
            )
            self._ids[side].append(
                f"{request}:{place}/{len(values)}|{component}" if request else None
            )
            own = {"event_id": f"{request}:{place}" if request and len(values) > 1 else request}
            row = {
                **{name: value for name, value in meta.items() if name not in absent_columns},
                **own,
                "model_version": None,
                **row,
            }
            if fields is not None:
                row = {"input" if side == "request" else "output": values[place], **row}
            self._rows[side].append(row)


def _side(kind: str) -> Literal["request", "response"]:
    match kind.rpartition(".")[2]:
        case "request":
            return "request"
        case "response":
            return "response"
    raise ValueError(f"neither a request nor a response, but {kind[:100] or 'of no type'}")


def _attributes(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes, from the headers or from beside the data, in one spelling."""
    headers = event.get("headers")
    pairs = [*event.items()]
    if isinstance(headers, dict):
        pairs += headers.items()
    elif isinstance(headers, list):
        pairs += [
            (item[0], item[1]) for item in headers if isinstance(item, list) and len(item) == 2
        ]
    attributes = {}
    for name, value in pairs:
        plain = json_values.to_text(name).lower().replace("_", "-").removeprefix("ce-")
        attributes[plain.replace("-", "")] = value
    return attributes


def _body(event: Mapping[str, Any]) -> Any:
    """Return the JSON document of an event. Raises ValueError with the reason."""
    lower = {json_values.to_text(name).lower(): value for name, value in event.items()}
    for name in ("bytes", "data_base64"):
        data = lower.get(name)
        if isinstance(data, str):
            try:
                data = base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                raise ValueError(f"{name}: damaged base64") from None
        if isinstance(data, bytes):
            return _document(data)
    data = next(
        (lower[name] for name in ("data", "body", "payload") if lower.get(name) is not None), None
    )
    if data is None:
        raise ValueError("it has no data")
    return _document(data.encode("utf-8", "replace")) if isinstance(data, str) else data


def _document(data: bytes) -> Any:
    documents = list(json_values.parse_documents(data))
    if len(documents) != 1:
        raise ValueError(f"its data is {len(documents)} JSON values, not one")
    return documents[0]


def _array(content: bytes) -> Iterator[Any]:
    for document in json_values.parse_documents(content):
        yield from document if isinstance(document, list) else [document]


def _csv(content: bytes) -> Iterator[Any]:
    try:
        yield from csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"not CSV: {error}") from None


def _parquet(content: bytes) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(pa.BufferReader(content)).iter_batches(1024):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not Parquet: {error}") from None


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the formats of this file."""
    return [KServe, Seldon]
