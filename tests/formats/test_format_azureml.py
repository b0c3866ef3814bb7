"""The data collector's records as nothing in the samples shows them: bodies, data elsewhere, the
old CSV, broken lines.
"""

from __future__ import annotations

import io
import json

import pytest
from driftline_plugins.formats import azureml
from driftline_plugins.formats.azureml import AzureML
from format_decoding import category, number, other, read

from driftline import ObjectGone, SourceError, Unreadable
from driftline.ingest.read.decoding import Decoding
from driftline.kit.decoding.split_records import PAIR, side_of
from driftline.testing import assert_plugin_contract

PLACE = "file:///log/ep/dep/{}/2026/05/01/10/a000001.jsonl"
OLD = "file:///modeldata/sub/rg/ws/service/model/3/{}/2026/5/1/data.csv"


def record(data: object, **told: object) -> dict:
    return {
        "specversion": "1.0",
        "time": "2026-05-01T10:00:00Z",
        "correlationid": "c",
        "data": data,
    } | told


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def halves(form: AzureML, data: bytes, uri: str, *fields) -> list[tuple[str | None, list[dict]]]:
    ctx = Decoding(uri=uri, fields=fields or None)
    return [(side_of(batch), batch.to_pylist()) for batch in form.decode(io.BytesIO(data), ctx)]


def test_the_contract_holds():
    """On bytes that are no records there are rejects and nothing else."""
    assert_plugin_contract(AzureML())


@pytest.mark.parametrize(("collection", "side"), [
    ("model_inputs", "request"), ("model_outputs", "response"), ("request", "request"), ("response", "response"),
    ("mine", None), ("app_traces", None),
])  # fmt: skip
def test_the_folder_says_what_a_record_is(collection, side):
    """Whatever its `type` claims."""
    data = lines(record([{"a": 1}], type="azureml.inference.model_inputs"))
    assert [side for side, _ in halves(AzureML(), data, PLACE.format(collection))] == [side]


@pytest.mark.parametrize(
    ("uri", "side"),
    [("file:///x/a.jsonl", "response"), ("file:///x/model_inputs/a.jsonl", "response")],
)
def test_without_a_folder_that_fits_the_type_says_it(uri, side):
    """And `source` names endpoint and deployment."""
    source = "/subscriptions/s/workspaces/w/onlineEndpoints/shop/deployments/green"
    [(found, [row])] = halves(
        AzureML(),
        lines(record([{"a": 1}], type="azureml.inference.model_outputs", source=source)),
        uri,
    )
    assert (found, row["endpoint"], row["deployment"], row["model_version"]) == (
        side,
        "shop",
        "green",
        "green",
    )


def test_a_version_of_its_own_wins_over_the_deployment():
    """`default` is none."""
    data = lines(record([{"a": 1}], modelversion="7"), record([{"a": 2}], modelversion="default"))
    rows, _ = read(AzureML(), data, uri=PLACE.format("model_inputs"))
    assert [row["model_version"] for row in rows] == ["7", "dep"]


def test_one_collection_alone_gives_whole_rows():
    """Where the settings name it alone there is nothing to wait for; others are passed over."""
    form = AzureML(collections=("model_inputs",))
    data = lines(record([{"a": 1}]))
    assert [side for side, _ in halves(form, data, PLACE.format("model_inputs"))] == [None]
    assert halves(form, data, PLACE.format("model_outputs")) == []
    both = AzureML(collections=("model_inputs", "model_outputs"))
    assert [side for side, _ in halves(both, data, PLACE.format("model_inputs"))] == ["request"]
    assert halves(both, data, PLACE.format("request")) == []


@pytest.mark.parametrize("body", [
    {"input_data": {"columns": ["a", "b"], "index": [0, 1], "data": [[1, 2], [3, 4]]}},
    {"data": [[1, 2], [3, 4]]},
    {"data": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
    {"input_data": [[1, 2], [3, 4]]},
    {"inputs": {"a": [1, 3], "b": [2, 4]}},
    [[1, 2], [3, 4]],
    '{"data": [[1, 2], [3, 4]]}',
])  # fmt: skip
def test_usual_bodies_of_requests(body):
    """As MLflow, the SDK and people write them; names come from the body, else from the
    reference.
    """
    form = AzureML().with_columns(["a", "b"])
    [(side, rows)] = halves(
        form, lines(record(body)), PLACE.format("request"), number("a"), number("b")
    )
    assert side == "request"
    assert [(row["a"], row["b"], row[PAIR]) for row in rows] == [
        (1, 2, "body c:0/2"),
        (3, 4, "body c:1/2"),
    ]


@pytest.mark.parametrize(
    "body", [[0, 1], [[0], [1]], {"predictions": [0, 1]}, {"data": [0, 1]}, "[0, 1]"]
)
def test_usual_bodies_of_responses(body):
    """A bare list has an answer for each row."""
    [(side, rows)] = halves(
        AzureML(), lines(record(body)), PLACE.format("response"), number("prediction")
    )
    assert [(side, row["prediction"], row[PAIR]) for row in rows] == [
        ("response", 0, "body c:0/2"),
        ("response", 1, "body c:1/2"),
    ]


def test_names_that_both_sides_have_are_told_apart():
    """`output.text` is the response's, wherever it stands in a record."""
    asked = other("text"), other("input.text"), other("output.text")
    [(_, [row])] = halves(
        AzureML(), lines(record([{"text": "q"}])), PLACE.format("model_inputs"), *asked
    )
    assert (row["text"], row["input.text"], row["output.text"]) == ("q", "q", None)
    [(_, [row])] = halves(
        AzureML(), lines(record([{"text": "a"}])), PLACE.format("model_outputs"), *asked
    )
    assert (row["text"], row["input.text"], row["output.text"]) == ("a", None, "a")


def test_a_call_that_failed_is_no_prediction():
    """It is counted with its status."""
    data = lines(record({"error": "no"}, statuscode=500), record([1], statuscode="200"))
    rows, ctx = read(AzureML(), data, uri=PLACE.format("response"))
    assert [row["prediction"] for row in rows] == [1]
    assert "status 500" in ctx.samples[0][1]


@pytest.mark.parametrize(("line", "reason"), [
    (b'{"data": [{"a": 1}', "not JSON"),
    (b"[1, 2]", "no object"),
    (json.dumps(record([1, 2])).encode(), "one of them is no object"),
    (json.dumps(record([{"a": 1}, None])).encode(), "one of them is no object"),
    (json.dumps({"specversion": "1.0"}).encode(), "neither data nor dataref"),
    (json.dumps(record("text")).encode(), "one of them is no object"),
    (json.dumps(record(None, dataref="gone.json")).encode(), "gone.json"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"data": [{"a": "\xff"}]}', "not UTF-8"),
])  # fmt: skip
def test_a_bad_record_costs_itself_only(line, reason):
    """Those around it are read, and it is counted with the reason."""
    data = lines(record([{"a": 1}])) + line + b"\n" + lines(record([{"a": 3}]))
    ctx = Decoding(
        uri=PLACE.format("model_inputs"),
        fields=(number("a"),),
        is_complete=True,
        parts={},
        open_reference=_gone,
    )
    rows = [row for batch in AzureML().decode(io.BytesIO(data), ctx) for row in batch.to_pylist()]
    assert [row["a"] for row in rows] == [1, 3]
    assert (ctx.rejected, ctx.samples[0][0]) == (1, 1)
    assert reason in ctx.samples[0][1]


def _gone(uri: str):
    raise ObjectGone(f"{uri}: gone")


@pytest.mark.parametrize("folder", ["", "elsewhere/", "https://a.blob.core.windows.net/c/"])
def test_missing_data_of_many_records_is_one_reason(folder):
    """It quotes one name and holds no address; the records count together."""
    data = lines(*(record(None, dataref=f"{folder}{n}.json") for n in range(3)))
    ctx = Decoding(uri=PLACE.format("model_inputs"), open_reference=_gone)
    assert list(AzureML().decode(io.BytesIO(data), ctx)) == []
    [(reason, loss)] = ctx.reasons.reasons.items()
    assert reason == "the file in dataref can't be used: gone: copy it with the log"
    assert (loss.count, loss.example) == (3, f"{'' if '//' in folder else folder}0.json")


def test_empty_data_and_empty_files_are_normal():
    """Neither rows nor rejects."""
    rows, ctx = read(AzureML(), lines(record([])), uri=PLACE.format("model_inputs"))
    assert (rows, ctx.rejected) == ([], 0)
    assert read(AzureML(), b"", uri=PLACE.format("model_inputs"))[0] == []


def test_values_that_are_no_number_are_not_lost():
    """NaN, which is no JSON, is read; a list becomes text."""
    line = json.dumps(record([{"a": float("nan"), "b": [1, 2]}])).encode() + b"\n"
    [row], _ = read(AzureML(), line, number("a"), category("b"), uri=PLACE.format("model_inputs"))
    assert row["a"] != row["a"]
    assert row["b"] == "[1,2]"


@pytest.mark.parametrize("told", [
    {"dataref": "https://a.blob.core.windows.net/c/x.json"},
    {"data": "https://a.blob.core.windows.net/c/x.json", "datainblob": "true"},
    {"dataref": "x.json"},
])  # fmt: skip
def test_data_elsewhere_is_followed(told, monkeypatch):
    """A whole address, or a path beside the records; the data may be one object, and spread over
    lines.
    """
    asked: list[str] = []

    def refer(uri: str):
        asked.append(uri)
        return io.BytesIO(b'{\n  "a": 5\n}\n')

    data = lines({key: value for key, value in record(None).items() if key != "data"} | told)
    ctx = Decoding(
        uri=PLACE.format("model_inputs"),
        fields=(number("a"),),
        is_complete=True,
        parts={},
        open_reference=refer,
    )
    [batch] = AzureML().decode(io.BytesIO(data), ctx)
    assert batch.column("a").to_pylist() == [5]
    beside = PLACE.format("model_inputs").rpartition("/")[0] + "/x.json"
    assert asked == [
        beside if told.get("dataref") == "x.json" else "https://a.blob.core.windows.net/c/x.json"
    ]


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "0 JSON values"), (b"{} {}", "2 JSON values"), (b"{", "not JSON"), (b"[" + b"1," * 600 + b"1]", "larger than"),
])  # fmt: skip
def test_data_elsewhere_that_is_none_is_a_reject(content, reason, monkeypatch):
    """Empty, several, torn, or beyond the limit."""
    monkeypatch.setattr(azureml, "LARGEST", 1000)
    ctx = Decoding(
        uri=PLACE.format("model_inputs"),
        fields=None,
        is_complete=True,
        parts={},
        open_reference=lambda uri: io.BytesIO(content),
    )
    assert list(AzureML().decode(io.BytesIO(lines(record(None, dataref="x.json"))), ctx)) == []
    assert (ctx.rejected, reason in ctx.samples[0][1]) == (1, True)


def test_a_store_that_fails_just_now_is_asked_again():
    """Nothing of the object counts: it will be read again."""

    def down(uri: str):
        raise SourceError("503")

    ctx = Decoding(
        uri=PLACE.format("model_inputs"),
        fields=None,
        is_complete=True,
        parts={},
        open_reference=down,
    )
    with pytest.raises(SourceError):
        list(AzureML().decode(io.BytesIO(lines(record(None, dataref="x.json"))), ctx))


def test_the_old_csv_pairs_by_correlation_id():
    """Inputs and predictions of one request, row by row; months and days without zeros."""
    inputs = b"age,plan,$Timestamp,$RequestId,$CorrelationId\r\n30,a,2026-05-01T10:00:00,r1,c1\r\n31,,2026-05-01T10:00:00,r1,c1\r\n"
    answers = b"score,$Timestamp,$CorrelationId\r\n0.5,2026-05-01T10:00:01,c1\r\n0.75,2026-05-01T10:00:01,c1\r\n"
    [(side, rows)] = halves(AzureML(), inputs, OLD.format("inputs"))
    assert side == "request"
    assert rows[1] == {
        "event_time": "2026-05-01T10:00:00", "endpoint": "service", "model_version": "3", "event_id": "c1_1",
        "age": "31", "plan": None, PAIR: "c1:1/2",
    }  # fmt: skip
    [(side, rows)] = halves(AzureML(), answers, OLD.format("predictions"), number("score"))
    assert (side, [(row["score"], row[PAIR]) for row in rows]) == (
        "response",
        [("0.5", "c1:0/2"), ("0.75", "c1:1/2")],
    )


def test_lines_of_the_old_csv_that_are_too_long_or_too_short_are_rejects():
    """The rest is read; bytes that are no text end the file."""
    rows, ctx = read(AzureML(), b"a,b\n1,2\n1\n1,2,3\n3,4\n", uri=OLD.format("inputs"))
    assert [(row["a"], row["event_id"]) for row in rows] == [("1", None), ("3", None)]
    assert [(place, reason) for place, reason, _ in ctx.samples] == [
        (1, "1 values where there are 2 columns"),
        (2, "3 values where there are 2 columns"),
    ]
    with pytest.raises(Unreadable):
        read(AzureML(), b"a,b\n1,\xff\n", uri=OLD.format("inputs"))
