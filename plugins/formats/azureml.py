"""Azure ML's data collector: JSON lines of a collection, such as `model_inputs`; and the CSV files
of the collector before it.

Refuses to believe a record's `type`: the folder says what it holds. Inputs and outputs, requests
and responses are halves, which the host pairs by correlation id and place; where an id comes again
in a collection, the order tells which is whose.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self
from urllib.parse import unquote

import msgspec

from driftline import DecodeContext, Format, ObjectGone, Unreadable, hookimpl
from driftline.kit.decoding import json_values, serving_protocols
from driftline.kit.decoding.line_chunks import LineChunks
from driftline.kit.decoding.split_records import half

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = re.compile(r"/([^/]+)/([^/]+)/([^/]+)/\d{4}(?:/\d\d){0,4}/[^/]+$")
OLD = re.compile(r"/([^/]+)/[^/]+/([^/]+)/(inputs|predictions)/\d{4}/\d\d?/\d\d?/[^/]+\.csv$")
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
OTHER = {"inputs": "predictions", "model_inputs": "model_outputs", "request": "response"}
OTHER |= {other: name for name, other in OTHER.items()} | {"outputs": "inputs"}
LARGEST = 64 << 20
"""Bytes of data that stand elsewhere."""
NULLS = ("", "null", "NULL", "NaN")
BATCH = 8192
"""Rows of a table."""


class AzureML(Format):
    """Azure ML's data collector of online endpoints: inputs, outputs, requests, responses, traces
    and your own collections.
    """

    type = "azureml"
    marks: ClassVar = (
        frozenset({"specversion", "correlationid"}),
        frozenset({"specversion", "modelversion", "contentrange"}),
    )

    collections: tuple[str, ...] = ()
    """Collections to read, such as `[model_inputs, model_outputs]`; empty: all. Name two where an
    endpoint collects its bodies (`request`, `response`) besides, or each call counts twice. With
    one of a pair alone, its rows are whole records.
    """
    headers: tuple[str, ...] = ()
    """Names of the values in a request's body, in order, where it brings none; when empty those of
    the reference's columns.
    """
    output_headers: tuple[str, ...] = ()
    """Names of the values in a response's body, in order, where it brings none; when empty
    `prediction`, or `_o0`, `_o1`.
    """

    def with_columns(self, names: Sequence[str]) -> Self:
        """With `names` as headers, where the settings have none."""
        return self if self.headers else self.model_copy(update={"headers": tuple(names)})

    def no_data(self, uri: str) -> str:
        """Data that records refer to may lie beside them."""
        return "data that a record refers to" if uri.endswith(".json") else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows: `event_time`, `event_id`, `endpoint`, `deployment`, `model_version`
        (where it is `default` the deployment's name), then the values; `input.NAME` and
        `output.NAME` tell equal names apart.
        """
        if self.no_data(ctx.uri):
            return
        if OLD.search(unquote(ctx.uri)) is not None:
            yield from self._table(stream, ctx)
            return
        reader = _Reader(self, ctx)
        for chunk in LineChunks(stream, ctx.sealed):
            if chunk.oversized:
                reader.reject("line longer than 16 MiB", chunk.data)
            else:
                reader.read(chunk.data)
            ctx.consumed(chunk.end)
            yield from reader.batches()

    def is_half(self, collection: str) -> bool:
        """Whether rows of this collection are paired with those of another."""
        return collection in SIDES and (
            not self.collections or OTHER[collection] in self.collections
        )

    def wants(self, collection: str) -> bool:
        """Whether this collection is read."""
        return not self.collections or collection in self.collections

    def _table(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        found = OLD.search(unquote(ctx.uri))
        assert found is not None
        endpoint, version, collection = found.groups()
        if not self.wants(collection):
            return
        rows = _Rows(self, ctx)
        try:
            for group in groupby(
                _lines(stream, ctx),
                key=lambda row: row.get("$CorrelationId") or row.get("$RequestId"),
            ):
                some = list(group[1])
                meta = {
                    "event_time": some[0].get("$Timestamp"),
                    "endpoint": endpoint,
                    "model_version": version,
                }
                values = [
                    {name: value for name, value in row.items() if not name.startswith("$")}
                    for row in some
                ]
                rows.add(collection, group[0] or "", meta, values)
                if rows.count >= BATCH:
                    yield from rows.batches()
        except (csv.Error, UnicodeDecodeError) as error:
            yield from rows.batches()
            raise Unreadable(f"not CSV: {error}") from None
        yield from rows.batches()


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
    """Rows by side, until they become batches."""

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
        """The rows of one record."""
        side = SIDES.get(collection, "")
        word = {"request": "input", "response": "output"}.get(side)
        known = side if self._form.is_half(collection) else ""
        rows = self._rows.setdefault(known, [])
        for place, row in enumerate(values):
            told = {**meta, "event_id": f"{correlation}_{place}" if correlation else None, **row}
            # Only for paths: as columns of their own the values would be there twice.
            rows.append(
                told
                if word is None or self._fields is None or word in told
                else {word: row, **told}
            )
        # Bodies are paired with bodies, frames with frames.
        what = "body " if collection in BODIES else ""
        ids = (
            f"{what}{correlation}:{place}/{len(values)}" if correlation else None
            for place in range(len(values))
        )
        self._ids.setdefault(known, []).extend(ids)
        self.count += len(values)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All that was added, one batch a side."""
        taken, ids = self._rows, self._ids
        self._rows, self._ids, self.count = {}, {}, 0
        for side, rows in taken.items():
            if rows:
                batch = json_values.tabulated(self._fields, rows)
                yield (
                    half(batch, "request" if side == "request" else "response", ids[side])
                    if side
                    else batch
                )


class _Reader(_Rows):
    """Lines of a collection to rows."""

    def __init__(self, form: AzureML, ctx: DecodeContext) -> None:
        super().__init__(form, ctx)
        self._ctx = ctx
        self._seen = 0
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

    def reject(self, reason: str, line: bytes) -> None:
        """Count one record that can't be read."""
        self._ctx.reject(self._seen, reason, line)
        self._seen += 1

    def read(self, data: bytes) -> None:
        """Add the rows of some lines."""
        for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
            if not line or line.isspace():
                continue
            try:
                for record in self._records(line):
                    self._add(record)
                    self._seen += 1
            except (ValueError, ObjectGone, Unreadable) as error:
                self.reject(" ".join(str(error).split()), line)

    def _records(self, line: bytes) -> Iterator[_Record]:
        try:
            yield self._decoder.decode(line)
            return
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # Several on a line, NaN, and what is no object at all.
        for document in json_values.documents(line):
            if not isinstance(document, dict):
                raise ValueError("not a record: it is no object")
            yield msgspec.convert(document, _Record)

    def _add(self, record: _Record) -> None:
        collection = (
            self._parts.get("collection") or json_values.text(record.type or "").rpartition(".")[2]
        )
        if not self._form.wants(collection):
            return
        source = SOURCE.search(json_values.text(record.source or ""))
        endpoint = self._parts.get("endpoint") or (source[1] if source else None)
        deployment = self._parts.get("deployment") or (source[2] if source else None)
        version = (
            None
            if record.modelversion in (None, "", "default")
            else json_values.text(record.modelversion)
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
            collection, "" if correlation is None else json_values.text(correlation), meta, values
        )

    def _data(self, record: _Record) -> Any:
        told = record.datainblob in (True, "true", "True")
        elsewhere = record.dataref if record.data is None else record.data if told else None
        if elsewhere is None:
            if record.data is None:
                raise ValueError("neither data nor dataref")
            return record.data
        address = json_values.text(elsewhere)
        if "://" not in address:
            address = f"{self._ctx.uri.rpartition('/')[0]}/{address}"
        with self._ctx.refer(address) as stream:
            content = b""
            while len(content) <= LARGEST and (more := stream.read(1 << 20)):
                content += more
        if len(content) > LARGEST:
            raise ValueError(f"the data at {address} is larger than {LARGEST >> 20} MiB")
        found = list(json_values.documents(content))
        if len(found) != 1:
            raise ValueError(f"{len(found)} JSON values at {address} where there should be one")
        return found[0]

    def _values(self, collection: str, record: _Record, data: Any) -> list[dict[str, Any]]:
        if collection in BODIES:
            if collection == "response" and not json_values.text(
                record.statuscode or 200
            ).startswith("2"):
                raise ValueError(
                    f"status {json_values.text(record.statuscode)}: the call failed, this is no prediction"
                )
            if isinstance(data, str):
                data = next(json_values.documents(data.encode("utf-8", "replace")), None)
            return self._bodies[collection].rows(data)
        rows = data if isinstance(data, list) else [data]
        strange = next((row for row in rows if not isinstance(row, dict)), None)
        if strange is not None or None in rows:
            raise ValueError("data is no list of rows: one of them is no object")
        return rows


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [AzureML]
