"""Inference tables of Databricks, and other logs of what MLflow's scoring server was asked and
answered: a call a record, with request and response inside it as JSON text. Parquet, or JSON lines
of the same columns.

Refuses calls that failed: they are rejected with their status, so that they are seen, and are no
predictions. Refuses calls whose request or response is missing: the table leaves out what is larger
than 1 MiB. Refuses to follow a Delta log.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self, cast

from driftline import DecodeContext, DriftlineError, Format, Unreadable, hookimpl
from driftline.kit.decoding import captured_bodies, json_values, same_record_sides
from driftline.kit.decoding.jsonl_format import JsonRecords

if TYPE_CHECKING:
    import pyarrow as pa

BYTES, FEWEST, MOST = 32 << 20, 16, 512
"""Calls of a Parquet file that are taken at a time: as many as make so many bytes, within these
bounds.
"""
PAYLOADS = ("request", "response")
METADATA = "request_metadata"
TIMES = ("request_time", "timestamp_ms", "timestamp")


class MlFlow(Format):
    """Databricks inference tables, the older ones and those of AI Gateway, as Parquet or JSON
    lines.

    A Delta table is less than the files in its folder: files that were removed from it stay there
    until `VACUUM`, so that after `OPTIMIZE`, `UPDATE`, `DELETE` or `MERGE` a row stands in two
    files and counts twice. Read a table that is only appended to, with predictive optimization
    switched off, or let a job write what is new in the table to a folder of its own.
    """

    type = "mlflow"
    marks: ClassVar = (frozenset({"databricks_request_id", *PAYLOADS}),)

    headers: tuple[str, ...] = ()
    """Names of the request's values, in order, where it brings none. When empty, those of the
    reference's columns that are no label, prediction, score, time, id or version; without any,
    `_c0`, `_c1` and so on.
    """
    output_headers: tuple[str, ...] = ()
    """Names of the response's values, in order, where it brings none; when empty `prediction` for a
    single one, else `_o0`, `_o1` and so on.
    """

    def with_columns(self, names: Sequence[str]) -> Self:
        """With `names` as headers, where the settings have none."""
        return self if self.headers else self.model_copy(update={"headers": tuple(names)})

    def no_data(self, uri: str) -> str:
        """The log of a Delta table."""
        return "the log of a Delta table" if "/_delta_log/" in uri else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows: `event_id`, `event_time`, inputs and outputs; `input.NAME` and
        `output.NAME` tell equal names apart. The table's other columns and the entries of
        `request_metadata` are there where no input or output bears their name.
        """
        reader = _Reader(self, ctx)
        headed = _Headed(stream, 4)
        if headed.head == b"PAR1":
            with tempfile.TemporaryFile(prefix="driftline-") as spool:
                shutil.copyfileobj(headed, spool, 1 << 20)
                yield from _parquet(cast(BinaryIO, spool), reader)
            return
        lines: JsonRecords[dict[str, Any]] = JsonRecords(
            cast(BinaryIO, headed), ctx, dict[str, Any]
        )
        for chunk in lines:
            calls = [_entries(call.pop(METADATA, None)) | call for call in chunk.found]
            batch = reader.batch(calls, chunk.places, chunk.lines)
            if batch is not None:
                lines.came_to(batch.num_rows, chunk)
                yield batch


class Databricks(MlFlow):
    """The same as `mlflow`, under the name that its users look for."""

    type = "databricks"


class _Headed:
    """A stream whose first bytes were looked at."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, b""
        while len(self._left) < size and (more := stream.read(size - len(self._left))):
            self._left += more
        self.head = self._left

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            return self._stream.read(size)
        data, self._left = (self._left, b"") if size < 0 else (self._left[:size], self._left[size:])
        return data


def _parquet(file: BinaryIO, reader: _Reader) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import parquet

    seen = 0
    try:
        table = parquet.ParquetFile(
            file,
            pre_buffer=False,
            page_checksum_verification=True,
            coerce_int96_timestamp_unit="us",
        )
        absent = [name for name in PAYLOADS if name not in table.schema_arrow.names]
        if absent:
            raise Unreadable(
                f"is no inference table: it has no column {' and no column '.join(absent)}"
            )
        about = table.metadata
        size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups)) // max(
            about.num_rows, 1
        )
        for batch in table.iter_batches(batch_size=min(max(BYTES // max(size, 1), FEWEST), MOST)):
            calls = [_entries(call.pop(METADATA, None)) | call for call in batch.to_pylist()]
            shown = [call["request"] if isinstance(call["request"], str) else "" for call in calls]
            made = reader.batch(calls, range(seen, seen + len(calls)), shown)
            seen += len(calls)
            if made is not None:
                yield made
    except DriftlineError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, OverflowError) as error:
        where = f"damaged after {seen:,} calls" if seen else "not a whole Parquet file"
        raise Unreadable(f"{where}: {error}") from None


class _Reader:
    """Calls to rows."""

    def __init__(self, form: MlFlow, ctx: DecodeContext) -> None:
        self._ctx = ctx
        self._input = captured_bodies.Unpacker("input", form.headers, None, ctx)
        self._output = captured_bodies.Unpacker("output", form.output_headers, None, ctx)

    def batch(
        self, calls: list[dict[str, Any]], places: Sequence[int], shown: Sequence[bytes | str]
    ) -> pa.RecordBatch | None:
        """The rows of some calls; None when none can be had."""
        failed = {i: reason for i, call in enumerate(calls) if (reason := _failure(call))}
        requests, responses = (
            [None if i in failed else _body(c[name]) for i, c in enumerate(calls)]
            for name in PAYLOADS
        )
        inputs = self._input.unpack(requests, None)
        outputs = self._output.unpack(responses, inputs.counts)
        pairs = same_record_sides.pair(
            {"input": inputs, "output": outputs}, failed, "holds no table"
        )
        for i, reason in pairs.failures.items():
            self._ctx.reject(places[i], reason, shown[i])
        if not pairs.rows:
            return None
        ids = [
            _text(call.get("client_request_id") or call.get("databricks_request_id"))
            for call in calls
        ]
        own = {
            "event_id": pairs.numbered(json_values.texts(ids)),
            "event_time": pairs.spread(_times(calls)),
        }
        columns: dict[str, pa.Array] = {}
        for name in dict.fromkeys(name for call in calls for name in call if name not in PAYLOADS):
            if self._wants(name):
                columns[name] = pairs.spread(json_values.column([call.get(name) for call in calls]))
        for side, found in pairs.sides.items():
            if self._ctx.fields is not None:
                columns |= {f"{side}.{name}": column for name, column in found.items()}
        return json_values.chosen(
            self._ctx.fields,
            columns | pairs.sides["input"] | pairs.sides["output"] | own,
            pairs.rows,
        )

    def _wants(self, name: str) -> bool:
        return self._ctx.fields is None or any(field.path == name for field in self._ctx.fields)


def _failure(call: Mapping[str, Any]) -> str:
    """Why a call is no prediction; empty when it is one."""
    status = call.get("status_code")
    if status is not None and str(status) != "200":
        return f"status {status}: a call that failed is no prediction"
    for name in PAYLOADS:
        if call.get(name) is None:
            return f"no {name}: what is larger than 1 MiB is not logged"
    return ""


def _body(payload: Any) -> captured_bodies.Body:
    return captured_bodies.Body(json_values.text(payload), "JSON")


def _entries(metadata: Any) -> dict[str, Any]:
    """What stands in `request_metadata`, of whichever form."""
    if isinstance(metadata, dict):
        return metadata
    pairs = metadata if isinstance(metadata, list) else ()
    return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, tuple)}


def _times(calls: list[dict[str, Any]]) -> pa.Array:
    return json_values.column(
        [next((call[name] for name in TIMES if call.get(name) is not None), None) for call in calls]
    )


def _text(value: Any) -> str | None:
    return None if value is None else json_values.text(value)


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [MlFlow, Databricks]
