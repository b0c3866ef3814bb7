"""Payload logs of KServe and Seldon: CloudEvents as lines, arrays or objects, and the files of
KServe's own bucket logger.

Refuses to pair: requests and responses are halves, which the host pairs by request id and place.
Feedback and events of other kinds are rejected.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal, Self

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import json_values, serving_protocols
from driftline.kit.decoding.line_chunks import LineChunks
from driftline.kit.decoding.split_records import half

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST = 256 << 20
"""Bytes of an object that is no lines: it must be read as a whole."""
NAMES = {
    "event_id": ("requestid", "id"),
    "event_time": ("time", "occurrencetime", "recordedtime"),
    "inference_service": ("inferenceservicename", "inferenceservice"),
    "namespace": ("namespace",),
    "component": ("component",),
    "variant": ("endpoint",),
    "model": ("modelid",),
}
"""Columns, and the attributes they come from, as written without `ce-`, dashes and underscores."""
HIDDEN = ("namespace", "component", "model")
"""Columns that are only there where they are asked for."""


class KServe(Format):
    """KServe's inference log: CloudEvents as they were captured, or JSON, CSV and Parquet from its
    bucket logger.
    """

    type = "kserve"
    marks: ClassVar[tuple[frozenset[str], ...]] = (
        frozenset({"bytes", "reqType", "inferenceService"}),
        frozenset({"Bytes", "ReqType", "InferenceService"}),
        frozenset({"bytes", "req_type", "inference_service"}),
        frozenset({"specversion", "inferenceservicename"}),
    )

    headers: tuple[str, ...] = ()
    """Names of the values in a request, in order, where it brings none; when empty those of the
    reference's columns.
    """
    output_headers: tuple[str, ...] = ()
    """Names of the values in a response, in order, where it brings none; when empty `prediction`,
    or `_o0`, `_o1`.
    """

    def with_columns(self, names: Sequence[str]) -> Self:
        """With `names` as headers, where the settings have none."""
        return self if self.headers else self.model_copy(update={"headers": tuple(names)})

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows: `event_id`, `event_time`, `inference_service`, `variant`,
        `model_version` where the response tells it, then the values; `input.NAME` and `output.NAME`
        tell equal names apart.

        CSV and Parquet have no times: their rows count at the object's last change.
        """
        reader = _Reader(self, ctx)
        head = b""
        while not head.lstrip(b"\xef\xbb\xbf \t\r\n") and (more := stream.read(1 << 16)):
            head += more
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        whole = _Headed(head, stream)
        if start.startswith(b"{"):
            for chunk in LineChunks(whole, ctx.sealed, between=b"}{"):
                if chunk.oversized:
                    reader.reject("line longer than 16 MiB", chunk.data)
                else:
                    reader.lines(chunk.data)
                ctx.consumed(chunk.end)
                yield from reader.batches()
        elif start:
            yield from reader.table(
                whole,
                "array" if start[:1] == b"[" else "parquet" if start[:4] == b"PAR1" else "csv",
            )


class Seldon(KServe):
    """Seldon Core's payload log: CloudEvents as they were captured, in any of the protocols that
    Seldon serves.
    """

    type = "seldon"
    marks = (frozenset({"specversion", "inferenceservicename", "requestid"}),)


class _Headed(io.RawIOBase, BinaryIO):
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._head:
            end = len(self._head) if size < 0 else size
            piece, self._head = self._head[:end], self._head[end:]
            return piece
        return self._rest.read(size)


class _Reader:
    """Events to rows."""

    def __init__(self, form: KServe, ctx: DecodeContext) -> None:
        self._ctx = ctx
        self._seen = 0
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
        """Count one event that can't be read."""
        self._ctx.reject(self._seen, reason, record)
        self._seen += 1

    def lines(self, data: bytes) -> None:
        """Add the events of some lines; a line may hold a list of them."""
        for line in data.split(b"\n"):
            if line and not line.isspace():
                try:
                    for document in json_values.documents(line):
                        for event in document if isinstance(document, list) else [document]:
                            self._take(event)
                except ValueError as error:
                    self.reject(str(error), line)

    def table(self, stream: BinaryIO, kind: str) -> Iterator[pa.RecordBatch]:
        """The events of an object that is only readable as a whole."""
        content = b""
        while len(content) <= LARGEST and (more := stream.read(1 << 20)):
            content += more
        if len(content) > LARGEST:
            raise Unreadable(
                f"larger than {LARGEST >> 20} MiB, and not lines: it can't be read piece by piece"
            )
        events = {"array": _array, "csv": _csv, "parquet": _parquet}[kind](content)
        try:
            for event in events:
                self._take(event)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        finally:
            found = list(self.batches())
        yield from found

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All that was added, one batch a side."""
        for side, rows in self._rows.items():
            if rows:
                batch, ids = json_values.tabulated(self._ctx.fields, rows), self._ids[side]
                self._rows[side], self._ids[side] = [], []
                yield half(batch, side, ids)

    def _take(self, event: Any) -> None:
        try:
            self._add(event)
            self._seen += 1
        except (ValueError, RecursionError) as error:
            self.reject(" ".join(str(error).split()), json_values.text(event))

    def _add(self, event: Any) -> None:
        if not isinstance(event, dict):
            raise ValueError("not an event: it is no object")
        told = _attributes(event)
        kind = json_values.text(told.get("type") or told.get("reqtype") or "")
        word = kind.rpartition(".")[2]
        if word not in ("request", "response"):
            raise ValueError(f"neither a request nor a response, but {kind[:100] or 'of no type'}")
        side: Literal["request", "response"] = "request" if word == "request" else "response"
        status = json_values.text(told.get("statuscode") or told.get("status") or 200)
        if side == "response" and not status.startswith("2"):
            raise ValueError(f"status {status}: the call failed, this is no prediction")
        values = self._sides[side].rows(_body(event))
        meta = {
            column: next((told[name] for name in names if told.get(name)), None)
            for column, names in NAMES.items()
        }
        request = meta["event_id"]
        fields = self._ctx.fields
        hidden = {} if fields is not None else dict.fromkeys(HIDDEN)
        for place, row in enumerate(values):
            # One request passes through a transformer and a predictor, each of which logs it.
            where = "|".join(
                json_values.text(meta[name] or "") for name in ("component", "variant", "model")
            )
            self._ids[side].append(f"{request}:{place}/{len(values)}|{where}" if request else None)
            own = {"event_id": f"{request}:{place}" if request and len(values) > 1 else request}
            row = {
                **{name: value for name, value in meta.items() if name not in hidden},
                **own,
                "model_version": None,
                **row,
            }
            if fields is not None:
                row = {"input" if side == "request" else "output": values[place], **row}
            self._rows[side].append(row)


def _attributes(event: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of an event, in its headers or beside its data, by names in one spelling."""
    headers = event.get("headers")
    pairs = [*event.items()]
    if isinstance(headers, dict):
        pairs += headers.items()
    elif isinstance(headers, list):
        pairs += [
            (item[0], item[1]) for item in headers if isinstance(item, list) and len(item) == 2
        ]
    found = {}
    for name, value in pairs:
        plain = (
            json_values.text(name).lower().replace("_", "-").removeprefix("ce-").replace("-", "")
        )
        found[plain] = value
    return found


def _body(event: Mapping[str, Any]) -> Any:
    """The JSON document of an event. Raises ValueError with the reason."""
    lower = {json_values.text(name).lower(): value for name, value in event.items()}
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
    found = list(json_values.documents(data))
    if len(found) != 1:
        raise ValueError(f"its data is {len(found)} JSON values, not one")
    return found[0]


def _array(content: bytes) -> Iterator[Any]:
    for document in json_values.documents(content):
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
    """The formats of this file."""
    return [KServe, Seldon]
