"""KServe's and Seldon's payload logs, in all the shapes in which they are stored."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftline_plugins.formats import cloudevents
from driftline_plugins.formats.cloudevents import KServe, Seldon
from format_decoding import Trickle, number, other, read

from driftline import Unreadable
from driftline.ingest.pairs.match_pairs import pair_batches
from driftline.ingest.read.decoding import Decoding
from driftline.kit.decoding.split_records import PAIR, side_of
from driftline.testing import assert_plugin_contract

REQUEST, RESPONSE = (
    "org.kubeflow.serving.inference.request",
    "org.kubeflow.serving.inference.response",
)


def b64(body: object) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def binary(kind: str, body: object, **headers: str) -> dict[str, Any]:
    """A CloudEvent in binary mode, as whoever received it wrote it down."""
    told = {
        "Ce-Type": kind,
        "Ce-Id": "r1",
        "Ce-Time": "2026-05-01T10:00:00.5Z",
        "Ce-Inferenceservicename": "iris",
    }
    return {
        "headers": told | {"Ce-Endpoint": "default", "Content-Type": "application/json"} | headers,
        "data": body,
    }


def structured(kind: str, body: object, **attributes: str) -> dict[str, Any]:
    told = {
        "specversion": "1.0",
        "type": kind,
        "id": "r1",
        "time": "2026-05-01T10:00:00.5Z",
        "source": "http://x",
    }
    return (
        told | {"inferenceservicename": "iris", "endpoint": "default"} | attributes | {"data": body}
    )


def bucket(kind: str, body: object, **told: object) -> dict[str, Any]:
    """A record of KServe's own bucket logger."""
    url = {"Scheme": "http", "Host": "x", "Path": "/", "RawQuery": ""}
    record = {
        "url": url,
        "bytes": b64(body),
        "contentType": "application/json",
        "reqType": kind,
        "id": "r1",
        "sourceUri": url,
    }
    place = {
        "inferenceService": "iris",
        "namespace": "ns",
        "component": "predictor",
        "endpoint": "default",
    }
    return (
        record
        | place
        | {"metadata": None, "annotations": None, "occurrenceTime": "2026-05-01T10:00:00.5Z"}
        | told
    )


def rows_of(form: KServe, data: bytes, *fields: Any) -> list[dict]:
    """The paired rows of one object, and the requests that are alone."""
    ctx = Decoding(uri="file:///x", fields=fields or None)
    batches = [(0, batch) for batch in form.decode(io.BytesIO(data), ctx)]
    assert ctx.samples == []
    return [row for _, batch in pair_batches(batches) for row in batch.to_pylist()]


V1 = {"instances": [[6.8, 2.8], [6.0, 3.4]]}, {"predictions": [1, 0]}
V2 = (
    {
        "id": "r1",
        "inputs": [
            {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [6.8, 2.8, 6.0, 3.4]}
        ],
    },
    {
        "model_name": "m",
        "model_version": "4",
        "outputs": [{"name": "prediction", "shape": [2], "datatype": "INT64", "data": [1, 0]}],
    },
)
COLUMNS = (
    {"inputs": [
        {"name": "a", "shape": [2, 1], "datatype": "FP32", "data": [6.8, 6.0]},
        {"name": "b", "shape": [2], "datatype": "FP32", "data": [2.8, 3.4]},
    ]},
    {"outputs": [{"name": "prediction", "shape": [2, 1], "datatype": "INT64", "data": [[1], [0]]}]},
)  # fmt: skip
SELDON = (
    {"data": {"names": ["a", "b"], "ndarray": [[6.8, 2.8], [6.0, 3.4]]}},
    {"data": {"names": ["prediction"], "ndarray": [1, 0]}},
)
TENSOR = (
    {
        "data": {"names": ["a", "b"], "tensor": {"shape": [2, 2], "values": [6.8, 2.8, 6.0, 3.4]}},
        "meta": {},
    },
    {"data": {"names": ["prediction"], "tensor": {"shape": [2, 1], "values": [1, 0]}}},
)
JSON_DATA = (
    {"jsonData": [{"a": 6.8, "b": 2.8}, {"a": 6.0, "b": 3.4}]},
    {"jsonData": {"predictions": [1, 0]}},
)


@pytest.mark.parametrize("form", [KServe(), Seldon()])
def test_the_contract_holds(form):
    """On bytes that are no events there are rejects and nothing else."""
    assert_plugin_contract(form)


@pytest.mark.parametrize("event", [binary, structured, bucket])
@pytest.mark.parametrize("bodies", [V1, V2, COLUMNS, SELDON, TENSOR, JSON_DATA])
def test_every_protocol_in_every_envelope(event, bodies):
    """A request of two rows with its response is two rows."""
    form = (KServe if event is bucket else Seldon)().with_columns(["a", "b"])
    data = b"".join(
        json.dumps(event(kind, body)).encode() + b"\n"
        for kind, body in zip((REQUEST, RESPONSE), bodies, strict=True)
    )
    rows = rows_of(
        form,
        data,
        number("a"),
        number("b"),
        number("prediction"),
        other("event_time"),
        other("event_id"),
    )
    assert [(row["a"], row["b"], row["prediction"], row["event_id"]) for row in rows] == [
        (6.8, 2.8, 1, "r1:0"),
        (6.0, 3.4, 0, "r1:1"),
    ]
    assert {row["event_time"] for row in rows} == {"2026-05-01T10:00:00.5Z"}


def test_what_stands_beside_the_values():
    """Service, variant and, from the response, the version; namespace and component only where they
    are asked for.
    """
    data = b"\n".join(
        json.dumps(bucket(kind, body)).encode()
        for kind, body in zip((REQUEST, RESPONSE), V2, strict=True)
    )
    [row, _] = rows_of(KServe(headers=("a", "b")), data)
    assert row == {
        "event_id": "r1:0", "event_time": "2026-05-01T10:00:00.5Z", "inference_service": "iris", "variant": "default",
        "model_version": "4", "a": 6.8, "b": 2.8, "prediction": 1,
    }  # fmt: skip
    [row, _] = rows_of(
        KServe(),
        data,
        other("namespace"),
        other("component"),
        other("output.prediction"),
        other("input.x_0"),
    )
    assert row == {
        "namespace": "ns",
        "component": "predictor",
        "output.prediction": 1,
        "input.x_0": 6.8,
    }


def pascal(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name[0].upper() + name[1:]: value
        for name, value in record.items()
        if name != "occurrenceTime"
    }


def snake(record: dict[str, Any]) -> dict[str, Any]:
    names = {
        "reqType": "req_type",
        "inferenceService": "inference_service",
        "contentType": "content_type",
    }
    kept = {names.get(name, name): value for name, value in record.items()}
    return {
        name: kept[name]
        for name in ("bytes", "req_type", "id", "inference_service", "component", "endpoint")
    }


def as_array(records: list[dict]) -> bytes:
    return json.dumps(records, indent=1).encode()


def as_csv(records: list[dict]) -> bytes:
    names = [name for name in records[0] if name not in ("url", "sourceUri", "occurrenceTime")]
    table = io.StringIO()
    writer = csv.DictWriter(table, names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(records)
    return table.getvalue().encode()


def as_parquet(records: list[dict]) -> bytes:
    flat = [{**snake(record), "bytes": base64.b64decode(record["bytes"])} for record in records]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(flat), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("write", [
    as_array, as_csv, as_parquet,
    lambda records: as_array([pascal(record) for record in records]),
    lambda records: b"".join(json.dumps(snake(record)).encode() for record in records),
    lambda records: json.dumps(records).encode() + b"\n",
])  # fmt: skip
def test_files_of_the_bucket_logger(write):
    """Arrays, tables and objects; older versions spell the names otherwise, and tables have no
    times.
    """
    records = [
        bucket(kind, body, id=name)
        for name in ("r1", "r2")
        for kind, body in zip((REQUEST, RESPONSE), V1, strict=True)
    ]
    data = write(records)
    rows = rows_of(KServe(headers=("a", "b")), data)
    assert [(row["a"], row["b"], row["prediction"]) for row in rows] == [
        (6.8, 2.8, 1),
        (6.0, 3.4, 0),
    ] * 2
    assert [row["event_id"] for row in rows] == ["r1:0", "r1:1", "r2:0", "r2:1"]
    assert rows == rows_of(KServe(headers=("a", "b")), data)
    trickled = list(KServe().decode(Trickle(data), Decoding(uri="file:///x")))
    assert [side_of(batch) for batch in trickled] == ["request", "response"]


def test_a_transformer_and_its_predictor_are_two_pairs():
    """Both log the same request id; their components tell which response is whose."""
    events = []
    for component, answer in (("transformer", 7), ("predictor", 8)):
        events += [bucket(REQUEST, {"instances": [[1]]}, component=component)]
        events += [bucket(RESPONSE, {"predictions": [answer]}, component=component)]
    data = as_array([events[0], events[2], events[3], events[1]])
    rows = rows_of(KServe(), data, other("component"), number("prediction"))
    assert {row["component"]: row["prediction"] for row in rows} == {
        "transformer": 7,
        "predictor": 8,
    }


def test_seldon_pairs_by_the_request_id():
    """The ids of its events are their own."""
    kinds = "io.seldon.serving.inference.request", "io.seldon.serving.inference.response"
    events = [
        structured(kind, body, id=own, requestid="r9", modelid="m")
        for kind, body, own in zip(kinds, SELDON, ("e1", "e2"), strict=True)
    ]
    [row, _] = rows_of(Seldon(), b"\n".join(json.dumps(event).encode() for event in events))
    assert (row["event_id"], row["a"], row["prediction"]) == ("r9:0", 6.8, 1)


@pytest.mark.parametrize(("event", "reason"), [
    ([1], "no object"),
    ({"data": {}}, "of no type"),
    (structured("io.seldon.serving.feedback", {}), "feedback"),
    (structured(REQUEST, None), "no data"),
    (bucket(REQUEST, 1, bytes="?"), "damaged base64"),
    (bucket(REQUEST, 1, bytes=base64.b64encode(b"\x89PNG\xff").decode()), "not UTF-8"),
    (bucket(REQUEST, 1, bytes=base64.b64encode(b"{").decode()), "not JSON"),
    (bucket(REQUEST, 1, bytes=""), "0 JSON values"),
    (structured(RESPONSE, {"error": "x"}, statuscode="503"), "status 503"),
    (structured(REQUEST, {"binData": "AAAA"}), "binData"),
    (structured(REQUEST, {"inputs": [{"name": "x", "shape": [2, 2], "data": [1, 2, 3]}]}), "do not fill the shape"),
    (structured(REQUEST, {"inputs": [{"name": "x", "shape": [10**12, 0], "data": []}]}), "do not fill the shape"),
    (structured(REQUEST, {"inputs": [{"name": "x", "shape": ["a"], "data": []}]}), "its shape is not valid"),
    (structured(REQUEST, {"inputs": [{"name": "x", "shape": [1]}]}), "its data is not in the body"),
    (structured(REQUEST, {"inputs": [
        {"name": "x", "shape": [1], "data": [1]}, {"name": "y", "shape": [2], "data": [1, 2]},
    ]}), "tensors of 1, 2 rows"),
    (structured(REQUEST, {"data": {"names": ["a"], "ndarray": [[1, 2]]}}), "2 values where there are 1 names"),
])  # fmt: skip
def test_an_event_that_is_none_costs_itself_only(event, reason):
    """Those around it are read, and it is counted with the reason."""
    good = json.dumps(structured(REQUEST, {"instances": [[1]]})).encode()
    rows, ctx = read(KServe(), b"\n".join((good, json.dumps(event).encode(), good)))
    assert len(rows) == 2
    assert (ctx.rejected, ctx.samples[0][0]) == (1, 1)
    assert reason in ctx.samples[0][1]


def test_an_event_without_an_id_pairs_with_nothing():
    """It is a row all the same."""
    event = {
        name: value
        for name, value in structured(REQUEST, {"instances": [[1]]}).items()
        if name != "id"
    }
    [row], _ = read(KServe(), json.dumps(event).encode())
    assert (row["event_id"], row[PAIR]) == (None, None)


@pytest.mark.parametrize("data", [b"[1, 2", b"PAR1" + b"\0" * 40 + b"PAR1", b'a,b\n1,"\xff'])
def test_files_that_are_broken_as_a_whole(data):
    """Are quarantined with the reason."""
    with pytest.raises(Unreadable):
        read(KServe(), data)


def test_an_object_that_is_no_lines_has_a_limit(monkeypatch):
    """It can't be read piece by piece: beyond the limit it is refused."""
    monkeypatch.setattr(cloudevents, "LARGEST", 1000)
    with pytest.raises(Unreadable, match="larger than"):
        read(KServe(), as_array([bucket(REQUEST, V1[0])] * 10))
