"""Every real file that ships with the tests and whose format is built: the agent counts the records
that are in it.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from driftline_plugins.formats.csv import Csv
from driftline_plugins.formats.jsonl import JsonLines
from driftline_plugins.formats.sagemaker import SageMaker
from driftline_plugins.sources.local import Local
from run_commands import SAMPLES, configure

from driftline import DiscoverContext, Schema
from driftline.ingest.read.decode_object import decode_records
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.profiles.spec import ProfileSpec

pytestmark = pytest.mark.system

CAPTURE = "aws/datacapture/DEMO-xgb-churn-pred-model-monitor-"
BUG_BASH = "azure/modelDataCollector/model-monitoring-bug-bash/mastloui-cl2/model_inputs/2023/10"
FILES: dict[str, tuple[str, str, int]] = {
    # Name: path or glob, how it is read, records counted by eye.
    "churn-2020": (f"{CAPTURE}2020-11-09-20-28-50/**/*.jsonl", "sagemaker", 3),
    "churn-2021": (f"{CAPTURE}2021-05-18-00-13-12/**/*.jsonl", "sagemaker", 3),
    "churn-2022": (f"{CAPTURE}2022-04-18-00-13-16/**/*.jsonl", "sagemaker", 3),
    "churn-quality": ("aws/datacapture/DEMO-xgb-churn-model-quality-*/**/*.jsonl", "sagemaker", 3),
    "adult-json-lines": (
        "aws/datacapture/DEMO-ll-adult-pred-model-monitor-1674106124-9611/**/*.jsonl",
        "sagemaker",
        3,
    ),
    "adult-json": (
        "aws/datacapture/DEMO-ll-adult-pred-model-monitor-1705692264-e088/**/*.jsonl",
        "sagemaker",
        3,
    ),
    "ground-truth": ("aws/ground_truth/test_gt", "sagemaker", 101),
    "merged-endpoint": ("aws/merge/endpoint_jsonl.jsonl", "sagemaker", 1),
    "merged-batch": ("aws/merge/batch_jsonl.jsonl", "sagemaker", 1),
    "sdk": ("aws/misc/sdk_captured-data.jsonl", "sagemaker", 6),
    "batch-transform": ("aws/batch_transform_jsonl/test-dataset.jsonl.out", "jsonl", 5),
    "data-quality": ("aws/baseline/data_quality/baseline_dataset.csv", "headerless", 100),
    "data-bias": ("aws/baseline/data_bias/dataset.csv", "headerless", 100),
    "churn-training": ("aws/churn/training-dataset-with-header.csv", "csv", 2333),
    "azure-llm": ("azure/modelDataCollector/aistudio-townhall-kuxtz/**/*.jsonl", "azureml", 4),
    "azure-data": (f"{BUG_BASH}/11/20/mdc_data_only.jsonl", "azureml", 4),
    "azure-mix": (f"{BUG_BASH}/15/17/mdc_data_dataref_mix.jsonl", "jsonl", 3),
    "azure-iris": ("azure/modelDataCollector/momo-endpoint/**/data.jsonl", "azureml", 75),
    "azure-traces": ("azure/modelDataCollector/pf-tst-0130/**/*.jsonl", "azureml", 5),
    "azure-credit": ("azure/reference/credit_default_baseline_with_timestamp.csv", "csv", 198),
    "azure-iris-baseline": ("azure/reference/iris_baseline.csv", "csv", 75),
    "azure-signal": ("azure/signal_output/generation_quality_signal_output.csv", "csv", 16),
    "titanic-reference": ("drift/titanic/titanic_reference.csv", "csv", 891),
    "titanic-analysis": ("drift/titanic/titanic_analysis.csv", "csv", 418),
    "titanic-target": ("drift/titanic/titanic_target.csv", "csv", 418),
    "titanic-missing": ("drift/titanic/expected_missing_values.csv", "csv", 220),
    "titanic-unseen": ("drift/titanic/expected_unseen_values.csv", "csv", 88),
    "vertex-online": ("gcp/request_response_log/serving_online_2025-04-04.jsonl", "jsonl", 5),
    "vertex-forecast": ("gcp/batch/automl_forecasting_csv/predictions_first_1400.csv", "csv", 1400),
    "vertex-images": (
        "gcp/batch/automl_image_classification/prediction.results-00000-of-00001",
        "jsonl",
        1,
    ),
    "vertex-videos": ("gcp/batch/automl_video_classification/prediction-*.json", "jsonl", 2),
    "vertex-cifar": ("gcp/batch/custom_cifar10/prediction.results-00000-of-00001", "jsonl", 2),
    "vertex-online-native": (
        "gcp/request_response_log/serving_online_2025-04-04.jsonl",
        "vertex_logging",
        5,
    ),
    "vertex-forecast-native": (
        "gcp/batch/automl_forecasting_csv/predictions_first_1400.csv",
        "vertex_batch",
        1400,
    ),
    "vertex-images-native": (
        "gcp/batch/automl_image_classification/prediction.results-00000-of-00001",
        "vertex_batch",
        1,
    ),
    "vertex-videos-native": (
        "gcp/batch/automl_video_classification/prediction-*.json",
        "vertex_batch",
        2,
    ),
    "vertex-cifar-native": (
        "gcp/batch/custom_cifar10/prediction.results-00000-of-00001",
        "vertex_batch",
        2,
    ),
}
NO_LOGS = {
    "manifest.json",
    "mdc_dataref_1.json",
    "statistics.json",
    "constraints.json",
    "constraints_too_strict.json",
    "analysis.json",
    "answers.json",
}
"""A list of files, a document over several lines that a record of another file refers to,
baselines of a monitor, a report on bias, and the answers of a model registry.
"""
FORMATS: dict[str, Any] = {"headerless": {"type": "csv", "options": {"header": False}}}


def paths(name: str) -> list[Path]:
    where = SAMPLES / FILES[name][0]
    return sorted(where.iterdir()) if where.is_dir() else sorted(SAMPLES.glob(FILES[name][0]))


def in_file(path: Path, how: str) -> int:
    """The records of a file, counted without any of the agent's code."""
    if how in ("csv", "headerless") or path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as file:
            return sum(1 for line in csv.reader(file) if line) - (how != "headerless")
    lines = [
        json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    if how == "azureml":
        return sum(len(line["data"]) for line in lines)
    return len(lines) if how == "jsonl" else sum(map(in_capture, lines))


def in_capture(record: dict[str, Any]) -> int:
    """The rows of one invocation: of its request, else of its answer; ground truth alone is one."""
    capture = record.get("captureData", {})
    side = (
        capture.get("endpointInput")
        or capture.get("endpointOutput")
        or capture.get("batchTransformOutput")
    )
    if side is None:
        return 1
    text = base64.b64decode(side["data"]).decode() if side["encoding"] == "BASE64" else side["data"]
    if side["encoding"] == "JSON" and text.startswith('{"instances"'):
        return len(json.loads(text)["instances"])
    return len(text.strip().split("\n"))


def command(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "driftline", "run", "--once", "--json", "-c", str(config)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs over all files, a model for each: what they printed."""
    models = {
        name: {
            "source": {
                "type": "local",
                "options": {"path": str(SAMPLES / path), "format": FORMATS.get(how, how)},
            }
        }
        for name, (path, how, _) in FILES.items()
    }
    config = configure(tmp_path_factory.mktemp("samples"), models)
    done = [command(config), command(config)]
    assert all(run.returncode in (0, 1) for run in done), done[0].stderr
    return [json.loads(run.stdout)["models"] for run in done]


def test_every_sample_is_in_the_table():
    """No log file of a built format is left out."""
    listed = {path for name in FILES for path in paths(name)}
    suffixes = (".jsonl", ".csv", ".out", ".json", "-of-00001")
    there = {path for path in SAMPLES.rglob("*") if path.is_file() and path.name.endswith(suffixes)}
    assert {path.name for path in there - listed} == NO_LOGS


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_the_agent_counts_the_records_that_are_in_the_file(name, runs):
    """Rows equal the records, counted by hand and by eye; nothing is rejected; a second run adds
    none.
    """
    _, how, by_eye = FILES[name]
    first, second = (run[name] for run in runs)
    assert sum(in_file(path, how) for path in paths(name)) == by_eye
    assert (first["rows"], first["rejected"], first["quarantined"], first["waiting"]) == (
        by_eye,
        0,
        0,
        0,
    )
    assert (first["objects"], first["held"], first["error"]) == (len(paths(name)), 0, "")
    assert first["added"] == first["added"] | {"rows": by_eye, "objects": len(paths(name))}
    assert (second["added"]["rows"], second["added"]["objects"], second["error"]) == (0, 0, "")
    assert {key: second[key] for key in ("rows", "rejected", "objects", "held")} == {
        key: first[key] for key in ("rows", "rejected", "objects", "held")
    }


def read(name: str) -> list[dict[str, Any]]:
    """All records of a file, read as the agent reads them."""
    _, how, _ = FILES[name]
    form = {
        "csv": Csv(),
        "headerless": Csv(header=False),
        "jsonl": JsonLines(),
        "sagemaker": SageMaker(),
    }[how]
    source = Local(path=str(SAMPLES / FILES[name][0]))
    job = Job(
        source=source,
        formats={"": form},
        schema=Schema(),
        spec=ProfileSpec(columns={}),
        length=1,
        latest=0,
    )
    rows: list[dict[str, Any]] = []
    for obj in source.discover(DiscoverContext(now=datetime(2026, 1, 1, tzinfo=UTC))):
        for batch in decode_records(
            job, Work(object=obj, start=0, is_complete=True), Decoding(uri=obj.uri, fields=None)
        ):
            rows += batch.to_pylist()
    return rows


def plain(value: Any) -> str:
    """A value without its type, for comparing readers."""
    if value is None or value in ("", "null"):
        return ""
    if isinstance(value, date | bool):
        return str(value).replace(" ", "T")
    try:
        return repr(float(value))
    except (TypeError, ValueError):
        return str(value)


@pytest.mark.parametrize(
    "name", [name for name, (_, how, _) in FILES.items() if how in ("csv", "headerless")]
)
def test_first_and_last_record_of_a_table(name):
    """Each value is the one that Python's own reader finds under that name."""
    [path] = paths(name)
    with path.open(newline="") as file:
        lines = [line for line in csv.reader(file) if line]
    names = (
        [f"_c{i}" for i in range(len(lines[0]))] if FILES[name][1] == "headerless" else lines.pop(0)
    )
    rows = read(name)
    for row, line in ((rows[0], lines[0]), (rows[-1], lines[-1])):
        assert {key: plain(value) for key, value in row.items()} == dict(
            zip(names, map(plain, line), strict=True)
        )


@pytest.mark.parametrize("name", [name for name, (_, how, _) in FILES.items() if how == "jsonl"])
def test_first_and_last_record_of_json_lines(name):
    """Each value that is no object stands under its path."""
    lines = [
        json.loads(line)
        for path in paths(name)
        for line in path.read_text().splitlines()
        if line.strip()
    ]
    rows = read(name)
    for row, line in ((rows[0], lines[0]), (rows[-1], lines[-1])):
        for key, value in flat(line):
            found = row[key]
            assert (
                json.loads(found) if isinstance(value, list) and isinstance(found, str) else found
            ) == value, key


def flat(record: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in record.items():
        found += (
            flat(value, f"{before}{key}.")
            if isinstance(value, dict) and value
            else [(before + key, value)]
        )
    return found


@pytest.mark.parametrize(("name", "first", "last"), [
    ("churn-2020", {"_c0": 6, "_c68": 0.55, "prediction": 0.01584203727543354, "event_time": "2020-11-09T21:33:04Z"},
     {"_c0": 2, "_c1": 17, "_c68": 1, "prediction": 0.008150676265358925, "event_time": "2020-11-09T21:33:05Z"}),
    ("churn-2021", {"_c0": 132, "_c2": 182.9, "prediction": 0.036397725343704224}, {"prediction": 0.017852725461125374}),
    ("churn-2022", {"_c0": 132, "_c2": 182.9, "prediction": 0.036397725343704224}, {"prediction": 0.017852725461125374}),
    ("churn-quality", {"_c0": 186, "inference_id": "0"}, {"_c0": 132, "_c4": 292.4, "event_time": "2021-05-18T00:29:04Z"}),
    ("adult-json-lines", {"_c0": 28, "_c13": 37, "score": 0.989977359771728}, {"_c2": 72338, "score": 0.504138827323913}),
    ("adult-json", {"_c0": 28, "_c13": 37, "predicted_label": 1}, {"_c0": 43, "_c2": 72338, "score": 0.5041388273239136}),
    ("ground-truth", {"event_id": "01d3c1a8-aa99-4149-9d5e-78bea047a788", "label": 0},
     {"event_id": "ffcb8d51-38f4-4828-bdd3-d762c0df015e", "label": 0}),
    ("merged-endpoint", {"_c2": 222756, "label": 0, "score": 0.90517783164978}, {"inference_id": "95"}),
    ("merged-batch", {"_c2": 133937, "label": 1}, {"score": 0.989977359771728}),
    ("sdk", {"_c0": 1, "prediction": 3.5}, {"_c0": 5, "prediction": 5.5, "event_time": "2019-11-24T07:31:30Z"}),
])  # fmt: skip
def test_first_and_last_record_of_captures(name, first, last):
    """Values of requests, answers and labels, read off the files by eye."""
    rows = read(name)
    for row, values in ((rows[0], first), (rows[-1], last)):
        assert {key: plain(row[key]) for key in values} == {
            key: plain(value) for key, value in values.items()
        }


def titanic(folder: Path, **model: Any) -> Path:
    """The passengers of the analysis against those of the reference; the file is a day old, so its
    window is closed.
    """
    log = folder / "analysis.csv"
    shutil.copy(SAMPLES / "drift/titanic/titanic_analysis.csv", log)
    yesterday = datetime.now(UTC).timestamp() - 86400
    os.utime(log, (yesterday, yesterday))
    source = {"type": "local", "options": {"path": str(log)}}
    reference = {
        "type": "local",
        "options": {"path": str(SAMPLES / "drift/titanic/titanic_reference.csv")},
    }
    return configure(folder, {"titanic": {"source": source, "reference": reference, **model}})


@pytest.mark.slow
def test_exit_code_0_when_nothing_fires(tmp_path):
    """One JSON object on standard output, and 0."""
    checks = {"fares": {"type": "range", "options": {"columns": ["Age"]}}}
    done = command(titanic(tmp_path, checks=checks))
    assert done.returncode == 0, done.stderr
    [model] = json.loads(done.stdout)["models"].values()
    assert (model["rows"], model["windows"], model["incidents"]) == (418, 1, [])
    assert model["verdicts"]["ok"] > 0


def test_exit_code_1_when_something_fires(tmp_path):
    """Most passengers are older than the limit: an incident with all its parts, and 1."""
    limits = {"Age": {"low": 0, "high": 10}}
    done = command(
        titanic(tmp_path, checks={"numbers": {"type": "range", "options": {"limits": limits}}})
    )
    assert done.returncode == 1, done.stderr
    [incident] = json.loads(done.stdout)["models"]["titanic"]["incidents"]
    assert incident["state"] == "firing"
    assert "Age" in incident["title"]
    assert {"id", "state", "severity", "title", "since"} <= incident.keys()


def test_exit_code_2_when_the_configuration_is_broken(tmp_path):
    """The place and the mend on standard error, nothing on standard output, nothing started, and
    2.
    """
    config = titanic(tmp_path)
    config.write_text(config.read_text().replace('"source"', '"sorce"'))
    done = command(config)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'source'" in done.stderr
    assert not (tmp_path / "state.db").exists()


def test_exit_code_3_when_a_source_is_unreachable(tmp_path):
    """The summary says what could not be read; the models around it are judged all the same; and
    3.
    """
    config = titanic(tmp_path)
    told = json.loads(config.read_text())
    told["models"]["lost"] = {
        "source": {"type": "local", "options": {"path": str(tmp_path / "nowhere"), "format": "csv"}}
    }
    config.write_text(json.dumps(told))
    done = command(config)
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)["models"]
    assert "nowhere: no such file or folder" in found["lost"]["error"]
    assert found["titanic"]["rows"] == 418
