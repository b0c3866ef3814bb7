"""Batch transform capture: manifests are followed to the rows that a job wrote, each with its id
and the start of the job.
"""

from __future__ import annotations

import io
import json

import pytest
from driftline_plugins.formats.sagemaker import SageMaker
from driftline_plugins.sources.local import Local
from format_decoding import SAMPLES, number, other, read

from driftline import ObjectGone, SourceError, Unreadable

URI = "s3://bucket/capture/output/2023/01/21/01/0f0c.json"
ID = "89180035-821a-41d9-87b2-67a22490de{:02d}"
TIME = "2023-01-21T01:29:04Z"
AB = SageMaker(headers=("a", "b"))
EVENT, AT = other("event_id"), other("event_time")


def follow(parts: dict[str, bytes | Exception], *fields, form=AB, uri=URI):
    """The rows behind a manifest of all `parts`, and what was told beside them."""

    def refer(asked: str):
        found = parts[asked.removeprefix("s3://bucket/out/")]
        if isinstance(found, Exception):
            raise found
        return io.BytesIO(found)

    manifest = json.dumps([{"prefix": "s3://bucket/out/"}, *parts]).encode()
    found, ctx = read(form, manifest, *fields, uri=uri, open_reference=refer)
    return [tuple(row.values()) for row in found], ctx


def line(i: int, rest: dict, answer) -> bytes:
    told = {
        "SageMakerInferenceId": ID.format(i),
        "SageMakerInferenceTime": TIME,
        "SageMakerOutput": answer,
    }
    return json.dumps(told | rest).encode() + b"\n"


def test_the_real_manifest_leads_to_the_real_output():
    """Five rows: features, answers and ids as they stand in the job's output."""
    folder = SAMPLES / "aws/batch_transform_jsonl"
    text = (folder / "manifest.json").read_text()
    prefix = json.loads(text)[0]["prefix"]
    local = Local(path=str(folder))

    def here(uri: str):
        assert uri == f"{prefix}test-dataset.jsonl.out"
        return local.open_reference(uri.removeprefix(prefix))

    rows, ctx = read(SageMaker(), text.encode(), uri=URI, open_reference=here)
    assert (len(rows), ctx.rejected, ctx.offset) == (5, 0, len(text))
    assert rows[0] == {
        "event_id": "89180035-821a-41d9-87b2-67a22490de94", "label_id": "89180035-821a-41d9-87b2-67a22490de94",
        "inference_id": None, "event_time": "2023-01-21T01:29:04Z", "custom_attributes": None, "endpoint": None,
        "variant": None,
        "_c0": 29, "_c1": 2, "_c2": 178610, "_c3": 15, "_c4": 10, "_c5": 0, "_c6": 7, "_c7": 4, "_c8": 4, "_c9": 0, "_c10": 0,
        "_c11": 0, "_c12": 21, "_c13": 37, "predicted_label": 0, "score": 0.047645717859268,
    }  # fmt: skip
    last = rows[-1]
    assert (last["event_id"], last["_c2"], last["_c12"]) == (
        "c8ba099f-06cc-4baf-af60-db8fffa4b58e",
        235847,
        24,
    )
    assert (last["predicted_label"], last["score"]) == (0, 0.050630431622266)


def test_csv_has_ids_and_times_at_the_end_of_each_line():
    """Joined inputs are named by the headers, the answer comes after them."""
    data = f"1,2,0.5,{ID.format(1)},{TIME}\n3,4,0.25,{ID.format(2)},{TIME}\n".encode()
    found, ctx = follow(
        {"x.csv.out": data}, number("a"), number("b"), number("prediction"), EVENT, AT
    )
    assert found == [(1, 2, 0.5, ID.format(1), TIME), (3, 4, 0.25, ID.format(2), TIME)]
    assert ctx.rejected == 0


def test_csv_without_inputs_and_without_ids():
    """Answers alone are answers; the time is then the hour in which the job started."""
    found, _ = follow({"x.csv.out": b"0.5\n0.25\n"}, number("prediction"), EVENT, AT)
    assert found == [(0.5, None, "2023-01-21T01:00:00Z"), (0.25, None, "2023-01-21T01:00:00Z")]
    named = SageMaker(headers=("a", "b"), output_headers=("p", "q"))
    assert follow({"x.csv.out": b"1,2,0.1,0.9\n"}, number("a"), number("q"), form=named)[0] == [
        (1, 0.9)
    ]
    assert follow({"x.csv.out": b"0.1,0.9\n"}, number("a"), number("q"), form=named)[0] == [
        (None, 0.9)
    ]


@pytest.mark.parametrize("indent", [None, 1])
def test_one_document_of_many_rows(indent):
    """Its one id is numbered; answer i belongs to instance i."""
    document = json.loads(
        line(
            3,
            {"instances": [{"features": [1, 2]}, {"features": [3, 4]}]},
            {"predictions": [0.5, 0.25]},
        )
    )
    data = json.dumps(document, indent=indent).encode()
    found, ctx = follow({"x.json.out": data}, number("a"), number("prediction"), EVENT)
    assert found == [(1, 0.5, ID.format(3) + ":0"), (3, 0.25, ID.format(3) + ":1")]
    assert ctx.rejected == 0


def test_answers_in_json_without_inputs():
    """With or without an id; a list is a row of several answers."""
    data = b'{"prediction":0.5}\n' + line(4, {}, {"prediction": 0.25}) + b"[0.75]\n"
    assert follow({"x.out": data}, number("prediction"), EVENT)[0] == [
        (0.5, None),
        (0.25, ID.format(4)),
        (0.75, None),
    ]


def test_a_bad_part_costs_only_itself():
    """What is gone, forbidden or torn is rejected with its reason; the others are rows."""
    good = line(1, {"features": [1, 2]}, {"prediction": 0.5})
    parts = {
        "a": good, "b": ObjectGone("b: gone"), "c": good + b'{"torn', "d": Unreadable("d lies outside"),
        "e": b"1,2\n1,\xff\n", "f": b"",
    }  # fmt: skip
    found, ctx = follow(parts, number("prediction"))
    assert [row[0] for row in found] == [0.5, 0.5, None]
    assert [why.partition(" at")[0] for _, why, _ in ctx.samples] == [
        "b: gone", "c: not JSON: Unterminated string starting", "d lies outside",
        "e: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte",
    ]  # fmt: skip


def test_a_source_that_fails_is_no_bad_part():
    """The manifest as a whole is tried again later."""
    with pytest.raises(SourceError, match="denied"):
        follow({"a": SourceError("denied")})


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '["a"]',
        '[{"prefix":""},"a"]',
        '[{"x":"y"},"a"]',
        '[{"prefix":"p"},{"prefix":"q"}]',
        "[1]",
    ],
)
def test_lists_that_are_no_manifests(text):
    """They are one reject."""
    found, ctx = read(AB, text.encode(), number("a"))
    assert (found, ctx.rejected) == ([], 1)


def test_input_manifests_are_no_data():
    """They are left out by their place, with a reason; outputs and captures are not."""
    assert "no predictions" in AB.no_data(URI.replace("output", "input"))
    assert AB.no_data(URI) == ""
    assert AB.no_data("s3://bucket/log/endpoint/input/2023/01/21/01/21-45-841-x.jsonl") == ""


def test_label_ids_are_what_ground_truth_says():
    """The inference id where the caller gave one, else the event id; numbered where a record has
    several rows.
    """
    side = {"data": "1,2\n3,4", "encoding": "CSV"}
    text = ""
    for meta in ({"eventId": "e1", "inferenceId": "77"}, {"eventId": "e2"}):
        text += json.dumps({"captureData": {"endpointInput": side}, "eventMetadata": meta}) + "\n"
    found, _ = read(AB, text.encode(), other("label_id"), EVENT)
    assert [tuple(row.values()) for row in found] == [
        ("77:0", "e1:0"),
        ("77:1", "e1:1"),
        ("e2:0", "e2:0"),
        ("e2:1", "e2:1"),
    ]


def joined(rows: int, indent: int | None = None) -> bytes:
    """The output of a job that joined its only document with the answer."""
    document = {
        "SageMakerInferenceId": ID.format(7),
        "SageMakerInferenceTime": TIME,
        "SageMakerOutput": {
            "predictions": [{"predicted_label": i % 2, "score": i / 10} for i in range(rows)]
        },
        "instances": [{"features": [i, i + 1]} for i in range(rows)],
    }
    return json.dumps(document, indent=indent).encode()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["data.json.out", "renamed.json"])
def test_a_listed_output_is_read_by_itself(name, indent):
    """Its rows are those of the document, each with its id, its time and its answer."""
    uri = f"s3://bucket/out/{name}"
    fields = (EVENT, AT, number("a"), number("score"))
    found, ctx = read(AB, joined(50, indent), *fields, uri=uri)
    assert (len(found), ctx.rejected) == (50, 0)
    assert found[3] == {"event_id": f"{ID.format(7)}:3", "event_time": TIME, "a": 3, "score": 0.3}


def test_listed_outputs_of_lines_and_of_csv():
    """They are told by the name or by what a line says."""
    lines = line(1, {"features": [1, 2]}, [0.5]) + line(2, {"features": [3, 4]}, [0.6])
    found, ctx = read(AB, lines, number("a"), number("prediction"), uri="s3://b/x.jsonl")
    assert ([tuple(row.values()) for row in found], ctx.rejected) == ([(1, 0.5), (3, 0.6)], 0)
    found, ctx = read(AB, b"1,2,0.5\n3,4,0.6\n", number("prediction"), uri="s3://b/x.csv.out")
    assert ([float(row["prediction"]) for row in found], ctx.rejected) == ([0.5, 0.6], 0)


@pytest.mark.parametrize(
    "uri", ["s3://bucket/out/manifest.json", "file:///home/me/copy/manifest.json"]
)
def test_a_manifest_beside_its_outputs_is_no_record(uri):
    """The outputs are listed themselves: nothing counts twice, and nothing is rejected."""
    found, ctx = follow({"data.json.out": joined(5)}, number("a"), uri=uri)
    assert (found, ctx.rejected) == ([], 0)


def test_a_manifest_in_another_folder_is_followed():
    """Nothing else leads to these outputs."""
    found, ctx = follow({"data.json.out": joined(5)}, number("a"), uri="s3://bucket/m/m.json")
    assert (len(found), ctx.rejected) == (5, 0)
