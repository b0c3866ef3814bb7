"""Inference tables: rows of requests and responses, in every form that MLflow's scoring server
takes.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from driftline_plugins.formats.mlflow import Databricks, MlFlow
from format_decoding import Trickle, category, number, other, read
from pyarrow import parquet

from driftline import Unreadable

AB = MlFlow(headers=("a", "b"))
A, B, P = number("a"), number("b"), number("prediction")
EVENT = other("event_id")


def call(request=None, response=None, **columns) -> dict:
    told = {
        "databricks_request_id": "d1", "client_request_id": None, "date": "2024-05-01", "timestamp_ms": 1714550400123,
        "status_code": 200, "sampling_fraction": 1.0, "execution_time_ms": 7,
        "request": None if request is None else json.dumps(request),
        "response": None if response is None else json.dumps(response),
        "request_metadata": {"endpoint_name": "churn", "model_name": "m", "model_version": "3"},
    }  # fmt: skip
    return told | columns


def lines(*calls: dict) -> bytes:
    return b"".join(json.dumps(told).encode() + b"\n" for told in calls)


def rows(data, *fields, form=AB, **how):
    found, ctx = read(form, data, *fields, **how)
    return [tuple(row.values()) for row in found], ctx


def old_table(*calls: dict) -> bytes:
    """A Parquet file as a Databricks inference table has them."""
    texts = ("databricks_request_id", "client_request_id", "request", "response")
    schema = pa.schema([
        *[(name, pa.string()) for name in texts],
        ("date", pa.date32()), ("timestamp_ms", pa.int64()), ("status_code", pa.int32()),
        ("sampling_fraction", pa.float64()), ("execution_time_ms", pa.int64()),
        ("request_metadata", pa.map_(pa.string(), pa.string())),
    ])  # fmt: skip
    typed = [
        told
        | {"date": date(2024, 5, 1), "request_metadata": list(told["request_metadata"].items())}
        for told in calls
    ]
    return written(pa.Table.from_pylist(typed, schema))


def written(table: pa.Table) -> bytes:
    out = io.BytesIO()
    parquet.write_table(table, out, row_group_size=3)
    return out.getvalue()


REQUESTS = {
    "split": {
        "dataframe_split": {"index": [0, 1], "columns": ["a", "b"], "data": [[1, 2], [3, 4]]}
    },
    "split without columns": {"dataframe_split": {"data": [[1, 2], [3, 4]]}},
    "records": {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4}], "params": {"k": 1}},
    "instances": {"instances": [[1, 2], [3, 4]], "client_request_id": "c"},
    "instances with names": {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
    "inputs by row": {"inputs": [[1, 2], [3, 4]]},
    "inputs by row with names": {"inputs": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
    "inputs by column": {"inputs": {"a": [1, 3], "b": [2, 4]}},
}


@pytest.mark.parametrize("form", REQUESTS)
@pytest.mark.parametrize("table", [lines, old_table])
def test_request_forms(form, table):
    """Whatever the form, a call is two rows, each with its answer and an id of its own; Parquet and
    JSON lines alike.
    """
    found, ctx = rows(table(call(REQUESTS[form], {"predictions": [0.5, 0.25]})), A, B, P, EVENT)
    assert found == [(1, 2, 0.5, "d1:0"), (3, 4, 0.25, "d1:1")]
    assert ctx.rejected == 0


def test_response_forms():
    """Values are predictions, lists are several outputs, objects bring their names, and so do
    columns.
    """
    one = {"inputs": [[1, 2]]}
    answers = [
        {"predictions": [0.5]},
        {"predictions": [[0.1, 0.9]]},
        {"predictions": [{"cls": "x", "score": 0.7}]},
    ]
    data = lines(*(call(one, answer) for answer in answers))
    found, _ = rows(data, P, number("_o1"), category("cls"), number("score"))
    assert found == [(0.5, None, None, None), (None, 0.9, None, None), (None, None, "x", 0.7)]
    both = lines(
        call(REQUESTS["records"], {"predictions": {"cls": ["x", "y"], "score": [0.1, 0.2]}})
    )
    assert rows(both, category("cls"), number("score"))[0] == [("x", 0.1), ("y", 0.2)]
    named = MlFlow(headers=("a", "b"), output_headers=("p", "q"))
    assert rows(lines(call(one, {"predictions": [[0.1, 0.9]]})), number("q"), form=named)[0] == [
        (0.9,)
    ]


def test_what_stands_beside_the_payloads():
    """Ids, times, versions and all other columns; an input hides a column of its name, but never
    the id and the time.
    """
    data = old_table(
        call(
            {"dataframe_records": [{"a": 1, "date": "x", "event_id": 9}]},
            {"predictions": [1]},
            client_request_id="c9",
        )
    )
    names = (
        "event_id",
        "event_time",
        "model_version",
        "endpoint_name",
        "execution_time_ms",
        "date",
        "input.event_id",
    )
    found, _ = rows(data, *map(other, names))
    assert found == [("c9", 1714550400123, "3", "churn", 7, "x", 9)]
    everything, _ = read(AB, data)
    assert (
        everything[0] | {"event_id": "c9", "date": "x", "a": 1, "status_code": 200} == everything[0]
    )


def test_gateway_tables():
    """The newer columns: a timestamp, the served entity and the requester; a chat is one row."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    chat = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}
    told = {
        "request_date": date(2026, 3, 1), "databricks_request_id": "d", "client_request_id": None, "request_time": at,
        "status_code": 200, "sampling_fraction": 1.0, "execution_duration_ms": 9, "request": json.dumps(chat),
        "response": json.dumps({"choices": [{"message": {"content": "ho"}}], "usage": {"total_tokens": 12}}),
        "served_entity_id": "e7", "logging_error_codes": None, "requester": "me@x",
    }  # fmt: skip
    data = written(pa.Table.from_pylist([told]))
    fields = map(
        other,
        (
            "event_id",
            "event_time",
            "served_entity_id",
            "requester",
            "temperature",
            "usage.total_tokens",
        ),
    )
    assert rows(data, *fields)[0] == [("d", at, "e7", "me@x", 0.5, 12)]


@pytest.mark.parametrize("table", [lines, old_table])
def test_calls_that_are_no_predictions_are_rejected(table):
    """Failed calls, missing payloads, rows that don't pair and broken JSON: each with its reason,
    in its place.
    """
    good = call(REQUESTS["instances"], {"predictions": [1, 2]})
    bad = [
        good | {"status_code": 500}, good | {"response": None}, good | {"request": None},
        good | {"response": '{"predictions":[1,2,3]}'}, good | {"request": "{"},
        good | {"request": '{"inputs":[[1,2,3],[4,5,6]]}'},
    ]  # fmt: skip
    found, ctx = rows(table(good, *bad, good), A)
    assert found == [(1,), (3,), (1,), (3,)]
    assert [place for place, _, _ in ctx.samples] == [1, 2, 3, 4, 5, 6]
    assert [why.partition(":")[0] for _, why, _ in ctx.samples] == [
        "status 500", "no response", "no request", "rows don't pair", "input", "input",
    ]  # fmt: skip


def test_many_calls_in_several_row_groups():
    """Rows come in order, in bounded batches, from a stream that gives little at a time."""
    calls = [
        call({"inputs": [[i, i + 1]]}, {"predictions": [i / 8]}, databricks_request_id=f"d{i}")
        for i in range(1500)
    ]
    data = old_table(*calls)
    found, ctx = rows(Trickle(data, 5000), A, P, EVENT)
    assert found == [(i, i / 8, f"d{i}") for i in range(1500)]
    assert ctx.rejected == 0


def test_a_damaged_table():
    """A cut file, a file without payloads and one that only begins like Parquet are unreadable,
    with a reason.
    """
    data = old_table(call(REQUESTS["instances"], {"predictions": [1, 2]}))
    for broken in (data[:-10], data[: len(data) // 2], b"PAR1" + b"\0" * 100, b"PAR1"):
        with pytest.raises(Unreadable, match="not a whole Parquet file"):
            rows(broken, A)
    with pytest.raises(Unreadable, match="no column request and no column response"):
        rows(written(pa.table({"x": [1]})), A)


def test_torn_ends_and_both_names():
    """Lines resume by offset; `databricks` is the same format."""
    whole = lines(call(REQUESTS["instances"], {"predictions": [1, 2]}))
    found, ctx = rows(whole + whole[:30], A, is_complete=False)
    assert (len(found), ctx.rejected, ctx.offset) == (2, 0, len(whole))
    assert rows(whole, A, form=Databricks(headers=("a", "b")))[0] == found


def test_the_log_of_a_delta_table_is_no_data():
    """Its files are left out with a reason; the data files are not."""
    assert AB.no_data("s3://bucket/table/_delta_log/00000000000000000000.json")
    assert AB.no_data("s3://bucket/table/_delta_log/00000000000000000010.checkpoint.parquet")
    assert AB.no_data("s3://bucket/table/date=2024-05-01/part-0.snappy.parquet") == ""


@pytest.mark.parametrize("table", [lines, old_table])
def test_a_row_can_be_a_call_with_its_status_and_latency(table):
    """Failed calls and calls without bodies are rows too; a call with two predictions is one row."""
    good = call(REQUESTS["instances"], {"predictions": [1, 2]})
    data = table(
        good,
        good | {"status_code": 503, "execution_time_ms": 30_000},
        good | {"response": None, "databricks_request_id": "d2"},
    )
    found, ctx = rows(
        data, category("status_code"), number("execution_time_ms"), EVENT, form=MlFlow(row="call")
    )
    assert found == [(200, 7, "d1"), (503, 30_000, "d1"), (200, 7, "d2")]
    assert ctx.rejected == 0
