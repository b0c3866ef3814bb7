"""Decodes inference tables of Databricks and other logs of MLflow's scoring server.

A record is a call, with request and response as JSON text, in Parquet or JSON lines. Failed calls
are rejected with their status. Calls without a request or a response are rejected too: the table
leaves out bodies larger than 1 MiB. With `row: call` no call is rejected. Does not follow a Delta
log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal

from driftline import DecodeContext, DriftlineError, Format, Unreadable, hookimpl
from driftline.kit.decoding import captured_bodies, json_values, same_record_sides
from driftline.kit.decoding.headers import FormatWithHeaders
from driftline.kit.decoding.jsonl_format import JsonRecords
from driftline.kit.decoding.streams import PeekedStream, spool

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES, MIN_CALLS, MAX_CALLS = 32 << 20, 16, 512
"""Calls of a Parquet file in one batch: about so many bytes, within these bounds."""
PAYLOADS = ("request", "response")
METADATA = "request_metadata"
TIMES = ("request_time", "timestamp_ms", "timestamp")


class MlFlow(FormatWithHeaders):
    """Databricks inference tables, the older ones and AI Gateway's, as Parquet or JSON lines.

    The folder of a Delta table may have more files than the table: removed files stay until
    `VACUUM`. After `OPTIMIZE`, `UPDATE`, `DELETE` or `MERGE` a row is in two files and counts
    twice. So read only tables that are appended to, with predictive optimization switched off, or
    let a job write the new rows of the table to a folder of its own.
    """

    type = "mlflow"
    marks: ClassVar = (frozenset({"databricks_request_id", *PAYLOADS}),)

    output_headers: tuple[str, ...] = ()
    """Names of the output values, in order, for records that have no names.

    When empty, a single value is `prediction`, and several are `_o0`, `_o1` and so on.
    """

    row: Literal["prediction", "call"] = "prediction"
    """What a row is: a prediction, or a call without its inputs and outputs.

    Calls that failed have rows of their own only with `call`. It is for a model that watches the
    service: status and latency of each call.
    """

    def no_data(self, uri: str) -> str:
        """Return the reason for files of the log of a Delta table."""
        return "the log of a Delta table" if "/_delta_log/" in uri else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches with `event_id`, `event_time`, the inputs and the outputs.

        Use `input.NAME` and `output.NAME` where both sides have a column of the same name. The
        other columns of the table and the entries of `request_metadata` follow, where no input or
        output has their name.
        """
        reader = _Reader(self, ctx)
        head = b""
        while len(head) < 4 and (more := stream.read(4 - len(head))):
            head += more
        whole = PeekedStream(head, stream)
        if head == b"PAR1":
            with spool(whole) as file:
                yield from _parquet(file, reader)
            return
        lines: JsonRecords[dict[str, Any]] = JsonRecords(whole, ctx, dict[str, Any])
        for chunk in lines:
            calls = [_entries(call.pop(METADATA, None)) | call for call in chunk.records]
            batch = reader.batch(calls, chunk.places, chunk.lines)
            if batch is not None:
                lines.resize_for(batch.num_rows, chunk)
                yield batch


class Databricks(MlFlow):
    """The same as `mlflow`, under the name that users of Databricks look for."""

    type = "databricks"


def _parquet(file: BinaryIO, reader: _Reader) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import parquet

    call_count = 0
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
        metadata = table.metadata
        size = sum(
            metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)
        ) // max(metadata.num_rows, 1)
        for batch in table.iter_batches(
            batch_size=min(max(BATCH_BYTES // max(size, 1), MIN_CALLS), MAX_CALLS)
        ):
            calls = [_entries(call.pop(METADATA, None)) | call for call in batch.to_pylist()]
            requests = [
                call["request"] if isinstance(call["request"], str) else "" for call in calls
            ]
            rows = reader.batch(calls, range(call_count, call_count + len(calls)), requests)
            call_count += len(calls)
            if rows is not None:
                yield rows
    except DriftlineError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, OverflowError) as error:
        where = f"damaged after {call_count:,} calls" if call_count else "not a whole Parquet file"
        raise Unreadable(f"{where}: {error}") from None


class _Reader:
    """Turns calls into rows."""

    def __init__(self, form: MlFlow, ctx: DecodeContext) -> None:
        self._ctx = ctx
        self._has_calls = form.row == "call"
        self._input = captured_bodies.Unpacker(side="input", names=form.headers, path=None, ctx=ctx)
        self._output = captured_bodies.Unpacker(
            side="output", names=form.output_headers, path=None, ctx=ctx
        )

    def batch(
        self, calls: list[dict[str, Any]], places: Sequence[int], texts: Sequence[bytes | str]
    ) -> pa.RecordBatch | None:
        """Return the rows of some calls; None where no call can be decoded."""
        if self._has_calls:
            return self._calls(calls)
        failures = {i: reason for i, call in enumerate(calls) if (reason := _failure(call))}
        requests, responses = (
            [None if i in failures else _body(c[name]) for i, c in enumerate(calls)]
            for name in PAYLOADS
        )
        inputs = self._input.unpack(requests, None)
        outputs = self._output.unpack(responses, inputs.counts)
        pairs = same_record_sides.pair_sides(
            {"input": inputs, "output": outputs}, failures, "holds no table"
        )
        for i, reason in pairs.failures.items():
            self._ctx.reject(places[i], reason, texts[i])
        if not pairs.rows:
            return None
        ids_and_times = {
            "event_id": pairs.number_ids(_ids(calls)),
            "event_time": pairs.repeat_per_row(_times(calls)),
        }
        columns: dict[str, pa.Array] = {}
        for name in dict.fromkeys(name for call in calls for name in call if name not in PAYLOADS):
            if self._wants(name):
                columns[name] = pairs.repeat_per_row(
                    json_values.value_array([call.get(name) for call in calls])
                )
        for side, side_columns in pairs.sides.items():
            if self._ctx.fields is not None:
                columns |= {f"{side}.{name}": column for name, column in side_columns.items()}
        return json_values.select_columns(
            self._ctx.fields,
            columns | pairs.sides["input"] | pairs.sides["output"] | ids_and_times,
            pairs.rows,
        )

    def _calls(self, calls: list[dict[str, Any]]) -> pa.RecordBatch | None:
        if not calls:
            return None
        names = dict.fromkeys(name for call in calls for name in call if name not in PAYLOADS)
        columns = {
            name: json_values.value_array([call.get(name) for call in calls])
            for name in names
            if self._wants(name)
        }
        ids_and_times = {"event_id": _ids(calls), "event_time": _times(calls)}
        return json_values.select_columns(self._ctx.fields, columns | ids_and_times, len(calls))

    def _wants(self, name: str) -> bool:
        return self._ctx.fields is None or any(field.path == name for field in self._ctx.fields)


def _failure(call: Mapping[str, Any]) -> str:
    """Return why a call is no prediction, or empty text."""
    status = call.get("status_code")
    if status is not None and str(status) != "200":
        return f"status {status}: a call that failed is no prediction"
    for name in PAYLOADS:
        if call.get(name) is None:
            return f"no {name}: bodies larger than 1 MiB are not logged"
    return ""


def _body(payload: Any) -> captured_bodies.CapturedBody:
    return captured_bodies.CapturedBody(json_values.to_text(payload), "JSON")


def _entries(metadata: Any) -> dict[str, Any]:
    """Return the entries of `request_metadata`, which is a map or a list of pairs."""
    if isinstance(metadata, dict):
        return metadata
    pairs = metadata if isinstance(metadata, list) else ()
    return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, tuple)}


def _ids(calls: list[dict[str, Any]]) -> pa.Array:
    return json_values.text_array(
        [
            _text(call.get("client_request_id") or call.get("databricks_request_id"))
            for call in calls
        ]
    )


def _times(calls: list[dict[str, Any]]) -> pa.Array:
    return json_values.value_array(
        [next((call[name] for name in TIMES if call.get(name) is not None), None) for call in calls]
    )


def _text(value: Any) -> str | None:
    return None if value is None else json_values.to_text(value)


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the formats of this file."""
    return [MlFlow, Databricks]
