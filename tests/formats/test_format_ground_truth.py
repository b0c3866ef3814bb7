"""Ground truth: ids and what turned out to be true, in each form that Model Monitor takes."""

from __future__ import annotations

import json

from driftline_plugins.formats.sagemaker_ground_truth import GroundTruth
from format_decoding import SAMPLES, category, other, read


def record(data, encoding="CSV", event: str | None = "e1", **more) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    line = {
        "groundTruthData": {"data": text, "encoding": encoding},
        "eventMetadata": {"eventId": event},
        "eventVersion": "0",
    }
    line["eventMetadata"] |= more
    return json.dumps(line).encode() + b"\n"


def rows(data: bytes, *fields):
    found, ctx = read(GroundTruth(), data, *fields)
    return found, ctx


def test_values_objects_and_many_rows():
    """A value is `label`, an object brings its names, and each of several rows has an id of its
    own.
    """
    data = (
        record("1")
        + record({"label": 0}, "JSON", "e2", inferenceTime="2024-05-01T00:00:00Z")
        + record({"instances": [{"label": 1}, {"label": 0}]}, "JSON", "e3")
        + record("1\n0", "CSV", "e4")
        + record("MQ==", "BASE64", "e5")
    )
    found, ctx = rows(data, other("event_id"), category("label"), other("event_time"))
    assert ctx.rejected == 0
    assert [tuple(map(str, row.values())) for row in found] == [
        ("e1", "1", "None"), ("e2", "0", "2024-05-01T00:00:00Z"), ("e3:0", "1", "None"), ("e3:1", "0", "None"),
        ("e4:0", "1", "None"), ("e4:1", "0", "None"), ("e5", "1", "None"),
    ]  # fmt: skip
    assert rows(record({"churned": True, "paid": 9.5}, "JSON"))[0] == [
        {"event_id": "e1", "event_time": None, "churned": True, "paid": 9.5}
    ]


def test_the_official_files_and_a_merged_record():
    """The label of a merged record is the same as that of the file it came from."""
    file = SAMPLES / "aws/ground_truth/test_gt/01d3c1a8-aa99-4149-9d5e-78bea047a788.jsonl"
    assert rows(file.read_bytes())[0] == [{"event_id": file.stem, "event_time": None, "label": 0}]
    [merged] = rows(
        (SAMPLES / "aws/merge/endpoint_jsonl.jsonl").read_bytes(),
        other("event_id"),
        category("label"),
    )[0]
    assert merged["label"] in (0, "0")


def test_what_is_no_label_is_rejected_with_a_reason():
    """A record without label or id, and lines that are no records, cost only themselves."""
    bad = [
        b'{"eventMetadata":{"eventId":"x"}}\n',
        record("1", event=None),
        record("{", "JSON"),
        b"[]\n",
        b"nonsense\n",
    ]
    found, ctx = rows(record("1") + b"".join(bad) + record("0"), category("label"))
    assert [str(row["label"]) for row in found] == ["1", "0"]
    assert sorted(place for place, _, _ in ctx.samples) == [1, 2, 3, 4, 5]
    reasons = {place: why for place, why, _ in ctx.samples}
    assert (reasons[1], reasons[2]) == ("there is no label", "no eventId")
