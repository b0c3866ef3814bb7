"""Every AWS sample by its native format: how many rows it has, and its first and its last one, read
off the file by eye.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from driftline_plugins.formats.csv import Csv
from driftline_plugins.formats.sagemaker import SageMaker
from driftline_plugins.formats.sagemaker_ground_truth import GroundTruth
from driftline_plugins.sources.local import Local
from run_commands import SAMPLES

from driftline import DiscoverContext, Format, Schema
from driftline.ingest.read.decode_object import decode_records, discover_objects
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.profiles.spec import ProfileSpec

AWS = SAMPLES / "aws"
CHURN = "datacapture/DEMO-xgb-churn-{}/**/*.jsonl"
ADULT = "datacapture/DEMO-ll-adult-pred-model-monitor-{}/**/*.jsonl"


def zeros(count: int) -> list[float]:
    return [0] * count


def hundredths(first: int, last: int) -> list[float]:
    """0.02, 0.10: as `0.2` and `0.10` stand in the file, the number after the point counts on."""
    return [float(f"0.{i}") for i in range(first, last + 1)]


TEST_ROW = [
    0.1,
    137.8,
    97,
    187.7,
    118,
    146.4,
    85,
    8.7,
    6,
    1,
    *hundredths(2, 17),
    1.1,
    *hundredths(18, 53),
    1.2,
    1.3,
    0.54,
    1.4,
    0.55,
]
"""The values of the churn notebook's made request, after the first."""
STARTED = [
    132,
    10,
    182.9,
    54,
    292.4,
    68,
    142.3,
    116,
    11.5,
    4,
    *zeros(36),
    1,
    *zeros(16),
    1,
    0,
    1,
    0,
    0,
    1,
]
ENDED = [85, 0, 210.3, 66, 195.8, 76, 221.6, 82, 11.2, 7, 1, 0, 1, *zeros(50), 1, 0, 1, 0, 1, 0]
OLDER = [
    2,
    17,
    183.2,
    95,
    252.8,
    125,
    156.7,
    95,
    9.7,
    3,
    *zeros(20),
    1,
    *zeros(32),
    1,
    0,
    1,
    0,
    0,
    1,
]
PRIVATE = [28, 2, 133937, 9, 13, 2, 0, 0, 4, 1, 15024, 0, 55, 37]
SECOND = [43, 2, 72338, 12, 14, 2, 12, 0, 1, 1, 0, 0, 40, 37]


def captured(event: str, time: str | None, features: list[float], **more: Any) -> dict[str, Any]:
    """A row of a capture; its features in order."""
    return {"event_id": event, "event_time": time, "label_id": event, "features": features} | more


CAPTURES: dict[str, tuple[str, int, dict[str, Any], dict[str, Any]]] = {
    "churn 2020": (
        CHURN.format("pred-model-monitor-2020-11-09-20-28-50"), 3,
        captured("87947a31-1816-44f3-b1a3-9781488009a0", "2020-11-09T21:33:04Z", [6, *TEST_ROW],
                 prediction=0.01584203727543354),
        captured("3036be7c-b824-4b59-8735-2605bd5ea38e", "2020-11-09T21:33:05Z", OLDER, prediction=0.008150676265358925),
    ),
    "churn 2021": (
        CHURN.format("pred-model-monitor-2021-05-18-00-13-12"), 3,
        captured("ab035663-1135-4a20-863e-1e1ecde64d67", "2021-05-18T00:21:45Z", STARTED, prediction=0.036397725343704224),
        captured("49de8178-1cb7-4cc6-9999-33a73e0b4d4e", "2021-05-18T00:21:47Z", ENDED, prediction=0.017852725461125374),
    ),
    "churn 2022": (
        CHURN.format("pred-model-monitor-2022-04-18-00-13-16"), 3,
        captured("f04a8538-696c-4648-8064-8b680b2e3318", "2022-04-18T00:21:48Z", STARTED, prediction=0.036397725343704224),
        captured("9827355a-ac22-40f4-9748-539e03db6c2a", "2022-04-18T00:21:50Z", ENDED, prediction=0.017852725461125374),
    ),
    "churn with inference ids": (
        CHURN.format("model-quality-monitor-2021-05-18-0013"), 3,
        captured("019f6846-ea8d-4551-b843-1e5627a79a31", "2021-05-18T00:28:04Z", [186, *TEST_ROW],
                 prediction=0.01584203727543354, inference_id="0", label_id="0",
                 endpoint="DEMO-xgb-churn-model-quality-monitor-2021-05-18-0013", variant="AllTraffic"),
        captured("09e668ab-172a-4ef1-9dc3-696d52879010", "2021-05-18T00:29:04Z", STARTED,
                 prediction=0.036397725343704224, inference_id="59", label_id="59"),
    ),
    "adult in JSON lines": (
        ADULT.format("1674106124-9611"), 3,
        captured("40394cfe-37c3-4abb-b22c-dd7accbe9608", "2023-01-19T05:31:46Z", PRIVATE,
                 predicted_label=1, score=0.989977359771728),
        captured("32aaea1b-1a60-4870-b81d-40271f950c4a:1", "2023-01-19T05:31:46Z", SECOND,
                 predicted_label=1, score=0.504138827323913),
    ),
    "adult in JSON": (
        ADULT.format("1705692264-e088"), 3,
        captured("7ddb2d7c-4d6a-4e67-a68e-23870399829d", "2024-01-19T19:27:57Z", PRIVATE,
                 predicted_label=1, score=0.9899773597717285),
        captured("9066ac80-dde1-4370-a73e-ab997e2544f1:1", "2024-01-19T19:27:57Z", SECOND,
                 predicted_label=1, score=0.5041388273239136),
    ),
    "merged, of an endpoint": (
        "merge/endpoint_jsonl.jsonl", 1,
        *[captured("d7f04b0c-e3f3-4a55-b0be-47c4942e9ee8", "2023-01-19T06:04:56Z",
                   [42, 2, 222756, 9, 13, 0, 9, 4, 4, 1, 7430, 0, 40, 37],
                   predicted_label=1, score=0.90517783164978, label=0, inference_id="95", label_id="95")] * 2,
    ),
    "merged, of batch transform": (
        "merge/batch_jsonl.jsonl", 1,
        *[captured("ae4ec948-edc0-4195-be9c-0b15b6ca114f", None, PRIVATE,
                   predicted_label=1, score=0.989977359771728, label=1)] * 2,
    ),
    "the SDK's own": (
        "misc/sdk_captured-data.jsonl", 6,
        captured("12b73486-e916-45de-9d82-7fa23d4a39a6:0", "2019-11-24T07:30:50Z", [1], prediction=3.5),
        captured("f9305ead-ba10-401d-953c-8bfb981da274:2", "2019-11-24T07:31:30Z", [5], prediction=5.5),
    ),
}  # fmt: skip


def read(path: Path, form: Format) -> list[dict[str, Any]]:
    """All rows below a path, as the agent reads them; every record must be one."""
    source = Local(path=str(path))
    job = Job(
        source=source,
        formats={"": form},
        schema=Schema(),
        spec=ProfileSpec(columns={}),
        length=1,
        latest=0,
    )
    rows: list[dict[str, Any]] = []
    for obj in discover_objects(job, DiscoverContext(now=datetime(2026, 1, 1, tzinfo=UTC))):
        decoding = Decoding(uri=obj.uri, open_reference=source.open_reference)
        rows += [
            row
            for batch in decode_records(job, Work(object=obj, start=0, is_complete=True), decoding)
            for row in batch.to_pylist()
        ]
        assert decoding.rejected == 0, decoding.samples
    return rows


def plain(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """The named values of a row, numbers as numbers, and its features as a list."""
    features = [row[f"_c{i}"] for i in range(sum(name.startswith("_c") for name in row))]
    found = {name: row.get(name) for name in names - {"features"}} | {"features": features}
    return json.loads(
        json.dumps(found),
        parse_int=float,
        object_hook=lambda told: {k: number(v) for k, v in told.items()},
    )


def number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return [number(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CAPTURES)
def test_captures(name):
    """Ids, times, features, answers and labels are those of the file."""
    pattern, count, first, last = CAPTURES[name]
    rows = read(AWS / pattern, SageMaker())
    assert len(rows) == count
    for row, expected in ((rows[0], first), (rows[-1], last)):
        assert plain(row, set(expected)) == {key: number(value) for key, value in expected.items()}


def test_batch_transform(tmp_path):
    """The manifest leads to five rows, whose ids and time are those of the job's output."""
    folder = AWS / "batch_transform_jsonl"
    place = tmp_path / "capture" / "output" / "2023" / "01" / "21" / "01"
    place.mkdir(parents=True)
    out = tmp_path / "capture" / "transform-output"
    out.mkdir()
    (out / "test-dataset.jsonl.out").write_bytes((folder / "test-dataset.jsonl.out").read_bytes())
    told = json.loads((folder / "manifest.json").read_text())
    (place / "a.json").write_text(json.dumps([{"prefix": f"file://{out}/"}, *told[1:]]) + "\n")
    inputs = tmp_path / "capture" / "input" / "2023" / "01" / "21" / "01"
    inputs.mkdir(parents=True)
    (inputs / "b.json").write_text(
        json.dumps([{"prefix": f"file://{out}/"}, "test-dataset.jsonl"]) + "\n"
    )
    rows = read(tmp_path / "capture" / "**" / "*.json", SageMaker())
    time = "2023-01-21T01:29:04Z"
    first = captured("89180035-821a-41d9-87b2-67a22490de94", time, [29, 2, 178610, 15, 10, 0, 7, 4, 4, 0, 0, 0, 21, 37],
                     predicted_label=0, score=0.047645717859268)  # fmt: skip
    last = captured("c8ba099f-06cc-4baf-af60-db8fffa4b58e", time, [30, 2, 235847, 9, 13, 4, 7, 3, 4, 0, 0, 0, 24, 37],
                    predicted_label=0, score=0.050630431622266)  # fmt: skip
    assert len(rows) == 5
    for row, expected in ((rows[0], first), (rows[-1], last)):
        assert plain(row, set(expected)) == {key: number(value) for key, value in expected.items()}


def test_ground_truth():
    """101 labels, of which 14 are positive."""
    rows = read(AWS / "ground_truth" / "test_gt", GroundTruth())
    assert (len(rows), sum(row["label"] for row in rows)) == (101, 14)
    assert rows[0] == {
        "event_id": "01d3c1a8-aa99-4149-9d5e-78bea047a788",
        "event_time": None,
        "label": 0,
    }
    assert rows[-1] == {
        "event_id": "ffcb8d51-38f4-4828-bdd3-d762c0df015e",
        "event_time": None,
        "label": 0,
    }


@pytest.mark.parametrize(("path", "header", "count", "first", "last"), [
    ("baseline/data_quality/baseline_dataset.csv", False, 100, [3, 0, 2, 0, 0, 0], [3, 1, 4, 1, 0, 0]),
    ("baseline/data_bias/dataset.csv", False, 100,
     [0, 0.515545512870315, 0.5868141570817125, 0.8075682504569773, 0.3386180882083548],
     [1, 0.3676287440964866, 0.28176398706875394, 0.13079621809013864, 0.5453073773411344]),
    ("churn/training-dataset-with-header.csv", True, 2333,
     [0, 106, 0, 274.4, 120, 198.6, 82, 160.8, 62, 6, 3, 1, *zeros(13), 1, *zeros(39), 1, 1, 0, 1, 0],
     [0, 99, 33, 179.1, 93, 238.3, 102, 165.7, 96, 10.6, 1, 2, *zeros(40), 1, *zeros(11), 1, 0, 1, 0, 0, 1]),
])  # fmt: skip
def test_tables(path, header, count, first, last):
    """Training data and baselines, value by value."""
    rows = read(AWS / path, Csv(header=header))
    assert len(rows) == count
    assert [list(rows[0].values()), list(rows[-1].values())] == [first, last]
