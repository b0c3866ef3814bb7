"""Decodes logs of Azure ML's data collector: JSON lines, and the CSV files of its older version.

The folder names the collection, such as `model_inputs`; the `type` of a record is not used. Inputs
and outputs, requests and responses are logged apart: the host pairs them by correlation id and
place. Where an id repeats in a collection, the order decides.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar
from urllib.parse import unquote

import msgspec

from driftline import DecodeContext, Format, ObjectGone, Unreadable, hookimpl
from driftline.kit.decoding import json_values, serving_protocols
from driftline.kit.decoding.glued_objects import parse_line
from driftline.kit.decoding.headers import FormatWithHeaders
from driftline.kit.decoding.line_chunks import LineChunks
from driftline.kit.decoding.split_records import mark_side
from driftline.kit.decoding.streams import read_at_most

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = re.compile(r"/([^/]+)/([^/]+)/([^/]+)/\d{4}(?:/\d\d){0,4}/[^/]+$")
OLD_PLACE = re.compile(r"/([^/]+)/[^/]+/([^/]+)/(inputs|predictions)/\d{4}/\d\d?/\d\d?/[^/]+\.csv$")
SOURCE = re.compile(r"/onlineEndpoints/([^/]+)/deployments/([^/]+)")
SIDES = {
    "model_inputs": "request",
    "model_outputs": "response",
    "inputs": "request",
    "outputs": "response",
    "predictions": "response",
    "request": "request",
    "response": "response",
}
BODIES = ("request", "response")
PARTNER = {"inputs": "predictions", "model_inputs": "model_outputs", "request": "response"}
PARTNER |= {partner: name for name, partner in PARTNER.items()} | {"outputs": "inputs"}
LARGEST = 64 << 20
"""Bytes of data in another object."""
NULLS = ("", "null", "NULL", "NaN")
BATCH = 8192
"""Rows of a table."""


class AzureML(FormatWithHeaders):
    """Logs of Azure ML online endpoints: inputs, outputs, requests, responses, own collections."""

    type = "azureml"
    marks: ClassVar = (
        frozenset({"specversion", "correlationid"}),
        frozenset({"specversion", "modelversion", "contentrange"}),
    )

    folders: ClassVar = ("endpoint", "deployment", "collection")

    collections: tuple[str, ...] = ()
    """Collections to read, such as `[model_inputs, model_outputs]`; all when empty.

    Set it where an endpoint logs its bodies (`request`, `response`) too: otherwise each call counts
    twice. If you name only one collection of a pair, each of its rows is a whole record.
    """
    output_headers: tuple[str, ...] = ()
    """Names of the output values, in order, for records that have no names.

    When empty, a single value is `prediction`, and several are `_o0`, `_o1` and so on.
    """

    @classmethod
    def suggest_options(cls, head: bytes, uris: Sequence[str]) -> dict[str, Any]:
        """Return the collections to read: a side whose partner is not collected, or the frames.

        Where both frames and bodies are collected, the bodies would count each call twice.
        """
        places = (PLACE.search(unquote(uri)) for uri in uris)
        names = {place[3] for place in places if place is not None}
        frames = names & {"model_inputs", "model_outputs"}
        if frames and names & set(BODIES):
            return {"collections": sorted(names - set(BODIES))}
        lone = [name for name in names if name in PARTNER and PARTNER[name] not in names]
        return {"collections": sorted(names)} if lone else {}

    def no_data(self, uri: str) -> str:
        """Return the reason for files with data that records refer to."""
        return "data that a record refers to" if uri.endswith(".json") else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches with the metadata and the values of each row.

        The metadata are `event_time`, `event_id`, `endpoint`, `deployment` and `model_version` (the
        name of the deployment where the version is `default`). Use `input.NAME` and `output.NAME`
        where both sides have a column of the same name.
        """
        if self.no_data(ctx.uri):
            return
        if OLD_PLACE.search(unquote(ctx.uri)) is not None:
            yield from self._table(stream, ctx)
            return
        reader = _Reader(self, ctx)
        for chunk in LineChunks(stream, ctx.is_complete):
            if chunk.oversized:
                reader.reject("line longer than 16 MiB", chunk.data)
            else:
                reader.read(chunk.data)
            ctx.report_progress(chunk.end)
            yield from reader.batches()

    def is_half(self, collection: str) -> bool:
        """Return whether rows of this collection are paired with rows of another one."""
        return collection in SIDES and (
            not self.collections or PARTNER[collection] in self.collections
        )

    def wants(self, collection: str) -> bool:
        """Return whether this collection is read."""
        return not self.collections or collection in self.collections

    def _table(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        place = OLD_PLACE.search(unquote(ctx.uri))
        assert place is not None
        endpoint, version, collection = place.groups()
        if not self.wants(collection):
            return
        rows = _Rows(self, ctx)
        try:
            for request_id, group in groupby(_lines(stream, ctx), key=_request_id):
                records = list(group)
                meta = {
                    "event_time": records[0].get("$Timestamp"),
                    "endpoint": endpoint,
                    "model_version": version,
                }
                values = [
                    {name: value for name, value in record.items() if not name.startswith("$")}
                    for record in records
                ]
                rows.add(collection, request_id or "", meta, values)
                if rows.count >= BATCH:
                    yield from rows.batches()
        except (csv.Error, UnicodeDecodeError) as error:
            yield from rows.batches()
            raise Unreadable(f"not CSV: {error}") from None
        yield from rows.batches()


def _request_id(record: dict[str, str | None]) -> str | None:
    return record.get("$CorrelationId") or record.get("$RequestId")


def _lines(stream: BinaryIO, ctx: DecodeContext) -> Iterator[dict[str, str | None]]:
    lines = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
    names = next(lines, [])
    for number, line in enumerate(lines):
        if len(line) == len(names):
            yield {
                name: None if value in NULLS else value
                for name, value in zip(names, line, strict=True)
            }
        elif line:
            ctx.reject(
                number, f"{len(line)} values where there are {len(names)} columns", ",".join(line)
            )


class _BadReference(ValueError):
    """Data in another file that can't be read.

    The reason does not hold the file's address: so equal faults of many records count together.
    """

    def __init__(self, cause: str, name: str) -> None:
        super().__init__(f"the file in dataref can't be used: {' '.join(cause.split())}")
        self.name = name


class _Record(msgspec.Struct, gc=False):
    data: Any = None
    dataref: Any = None
    datainblob: Any = None
    correlationid: Any = None
    xrequestid: Any = None
    id: Any = None
    time: Any = None
    source: Any = None
    type: Any = None
    modelversion: Any = None
    statuscode: Any = None


class _Rows:
    """Collects rows by side until they become batches."""

    def __init__(self, form: AzureML, ctx: DecodeContext) -> None:
        self._form, self._fields = form, ctx.fields
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._ids: dict[str, list[str | None]] = {}
        self.count = 0

    def add(
        self,
        collection: str,
        correlation: str,
        meta: Mapping[str, Any],
        values: Sequence[Mapping[str, Any]],
    ) -> None:
        """Add the rows of one record."""
        side = SIDES.get(collection, "")
        prefix = {"request": "input", "response": "output"}.get(side)
        pair_side = side if self._form.is_half(collection) else ""
        rows = self._rows.setdefault(pair_side, [])
        for place, values_of_row in enumerate(values):
            row = {
                **meta,
                "event_id": f"{correlation}_{place}" if correlation else None,
                **values_of_row,
            }
            if prefix is not None and self._fields is not None and prefix not in row:
                # For paths such as `input.NAME`. Without fields the values would be there twice.
                row = {prefix: values_of_row, **row}
            rows.append(row)
        # Bodies are paired with bodies, frames with frames.
        kind = "body " if collection in BODIES else ""
        ids = (
            f"{kind}{correlation}:{place}/{len(values)}" if correlation else None
            for place in range(len(values))
        )
        self._ids.setdefault(pair_side, []).extend(ids)
        self.count += len(values)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the collected rows, one batch for each side, and start again."""
        rows_by_side, ids = self._rows, self._ids
        self._rows, self._ids, self.count = {}, {}, 0
        for side, rows in rows_by_side.items():
            if not rows:
                continue
            batch = json_values.batch_of_records(self._fields, rows)
            if side:
                batch = mark_side(batch, "request" if side == "request" else "response", ids[side])
            yield batch


class _Reader(_Rows):
    """Turns the lines of a collection into rows."""

    def __init__(self, form: AzureML, ctx: DecodeContext) -> None:
        super().__init__(form, ctx)
        self._ctx = ctx
        self._position = 0
        self._decoder = msgspec.json.Decoder(_Record)
        place = PLACE.search(unquote(ctx.uri))
        parts = (
            dict(zip(("endpoint", "deployment", "collection"), place.groups(), strict=True))
            if place
            else {}
        )
        self._parts = parts | dict(ctx.parts)
        self._bodies = {
            "request": serving_protocols.Protocols("request", form.headers),
            "response": serving_protocols.Protocols("response", form.output_headers),
        }

    def reject(self, reason: str, line: bytes, example: str = "") -> None:
        """Count one record that can't be decoded; `example` is the value at fault."""
        self._ctx.reject(self._position, reason, line, example)
        self._position += 1

    def read(self, data: bytes) -> None:
        """Add the rows of some lines."""
        for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
            if not line or line.isspace():
                continue
            try:
                for record in list(self._records(line)):
                    self._add(record)
                    self._position += 1
            except _BadReference as error:
                self.reject(str(error), line, error.name)
            except ValueError as error:
                self.reject(" ".join(str(error).split()), line)

    def _records(self, line: bytes) -> Iterator[_Record]:
        try:
            yield self._decoder.decode(line)
            return
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # Several documents on a line, NaN, or no object at all.
        for document in parse_line(line):
            if not isinstance(document, dict):
                raise ValueError("not a record: it is no object")
            yield msgspec.convert(document, _Record)

    def _add(self, record: _Record) -> None:
        collection = (
            self._parts.get("collection")
            or json_values.to_text(record.type or "").rpartition(".")[2]
        )
        if not self._form.wants(collection):
            return
        source = SOURCE.search(json_values.to_text(record.source or ""))
        # The record knows its endpoint; a path may have been read by another layout.
        endpoint = source[1] if source else self._parts.get("endpoint")
        deployment = source[2] if source else self._parts.get("deployment")
        version = (
            None
            if record.modelversion in (None, "", "default")
            else json_values.to_text(record.modelversion)
        )
        meta = {
            "event_time": record.time,
            "endpoint": endpoint,
            "deployment": deployment,
            "model_version": version or deployment,
        }
        correlation = record.correlationid or record.xrequestid or record.id
        values = self._values(collection, record, self._data(record))
        self.add(
            collection,
            "" if correlation is None else json_values.to_text(correlation),
            meta,
            values,
        )

    def _data(self, record: _Record) -> Any:
        in_blob = record.datainblob in (True, "true", "True")
        reference = record.dataref if record.data is None else record.data if in_blob else None
        if reference is None:
            if record.data is None:
                raise ValueError("neither data nor dataref")
            return record.data
        address = json_values.to_text(reference)
        name = address.rpartition("/")[2] if "://" in address else address
        if "://" not in address:
            address = f"{self._ctx.uri.rpartition('/')[0]}/{address}"
        try:
            with self._ctx.open_reference(address) as stream:
                content = read_at_most(stream, LARGEST)
        except (ObjectGone, Unreadable) as error:
            cause = str(error).removeprefix(address).removeprefix(": ")
            if "://" in cause:
                cause = "it is not there" if isinstance(error, ObjectGone) else "it is unreadable"
            raise _BadReference(f"{cause}: copy it with the log", name) from error
        if content is None:
            raise _BadReference(f"it is larger than {LARGEST >> 20} MiB", name)
        documents = list(json_values.parse_documents(content))
        if len(documents) != 1:
            raise _BadReference(f"{len(documents)} JSON values in it, one is expected", name)
        return documents[0]

    def _values(self, collection: str, record: _Record, data: Any) -> list[dict[str, Any]]:
        if collection in BODIES:
            status = json_values.to_text(record.statuscode or 200)
            if collection == "response" and not status.startswith("2"):
                raise ValueError(f"status {status}: the call failed, this is no prediction")
            if isinstance(data, str):
                data = next(json_values.parse_documents(data.encode("utf-8", "replace")), None)
            return self._bodies[collection].rows(data)
        rows = data if isinstance(data, list) else [data]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("data is no list of rows: one of them is no object")
        return rows


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [AzureML]
