"""From SageMaker Model Monitor to verdicts in one command, and back from a verdict to the
constraint.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import boto3
import numpy as np
import pyarrow.csv
import pytest

from driftline.cli.main import main
from driftline.config.document import parse_document

pytestmark = pytest.mark.system

SAMPLES = Path(__file__).parent.parent / "data" / "samples" / "aws"
BASELINE = SAMPLES / "baseline" / "data_quality"
CONSTRAINTS = ("missing_column", "completeness", "data_type", "non_negative", "baseline_drift")
CONFIG = """\
version: 1
agent: {http: null, workers: 1}   # a small machine
models:
  quality:
    # What the endpoint captured.
    source: {type: local, options: {path: capture, format: sagemaker}}   # grows every hour
    windows: {notify_within: null}
sinks: {}
"""


def capture(path, rows, hour):
    """A file as an endpoint writes it, an answer a row."""
    with path.open("w") as file:
        for place, row in enumerate(rows):
            sides = {
                "endpointInput": {
                    "observedContentType": "text/csv",
                    "mode": "INPUT",
                    "data": ",".join(row),
                    "encoding": "CSV",
                },
                "endpointOutput": {
                    "observedContentType": "text/csv",
                    "mode": "OUTPUT",
                    "data": "0.5",
                    "encoding": "CSV",
                },
            }
            event = {
                "eventId": f"{hour}-{place}",
                "inferenceTime": f"2026-03-02T{hour:02d}:{place % 60:02d}:00Z",
            }
            file.write(
                json.dumps({"captureData": sides, "eventMetadata": event, "eventVersion": "0"})
                + "\n"
            )


@pytest.fixture
def folder(tmp_path):
    """The files of a monitor, two hours of captures (the second one broken), and a configuration
    that knows no baseline.
    """
    shutil.copytree(BASELINE, tmp_path / "baseline")
    (tmp_path / "baseline" / "constraints_too_strict.json").unlink()
    (tmp_path / "capture").mkdir()
    rows = [
        line.split(",") for line in (BASELINE / "baseline_dataset.csv").read_text().splitlines()
    ]
    capture(tmp_path / "capture" / "09.jsonl", rows * 40, 9)
    broken = [["-1.0", "abc" if place % 10 == 0 else row[1], "" if place % 4 == 0 else row[2], *row[3:5], ""]
              for place, row in enumerate(rows)]  # fmt: skip
    capture(tmp_path / "capture" / "10.jsonl", broken, 10)
    (tmp_path / "driftline.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def driftline(monkeypatch, capsys):
    """Run a command in a folder, in this process; gives what it printed."""

    def call(folder, *args, expect=0):
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as left:
            main(list(args))
        said = capsys.readouterr()
        assert (left.value.code or 0) == expect, said.err + said.out
        return Said(said.out, said.err)

    return call


class Said(NamedTuple):
    stdout: str
    stderr: str


def in_a_shell(folder, *args, expect=0):
    """The same in a process of its own, as a user does."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE")
    } | {"COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "driftline", *map(str, args)],
        cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stderr + done.stdout
    return done


@pytest.mark.slow
def test_from_the_files_of_a_monitor_to_the_constraint_of_an_alert(folder):
    """One command moves over; the next run gives a verdict for each constraint, and explain names
    the one that broke.
    """
    files = ("baseline/statistics.json", "baseline/constraints.json")
    done = in_a_shell(folder, "reference", "import", *files, "-c", "driftline.yaml")
    assert "_c5" in done.stderr
    assert "fractional, at least 100% complete, not below 0" in done.stderr
    text = (folder / "driftline.yaml").read_text()
    assert text.startswith(CONFIG.split("sinks")[0])
    assert "path: baseline/statistics.json" in text
    assert (folder / "driftline.yaml.bak").read_text() == CONFIG
    in_a_shell(folder, "validate")
    in_a_shell(folder, "run", "--once", expect=1)

    asked = ("explain", "quality", "--check", "model_monitor", "--json")
    first = json.loads(in_a_shell(folder, *asked, "--window", "2026-03-02T09:00").stdout)
    verdicts = {
        (told["labels"].get("column"), told["measurement"]): told["verdict"]
        for told in first["findings"]
    }
    assert set(verdicts) == {(f"_c{place}", name) for place in range(6) for name in CONSTRAINTS} | {
        (None, "extra_columns")
    }
    # 100 rows of baseline can't prove a distance below 0.1; everything else is kept.
    assert {name for (_, name), verdict in verdicts.items() if verdict == "unsure"} <= {
        "baseline_drift"
    }
    assert set(verdicts.values()) <= {"ok", "unsure"}

    second = json.loads(in_a_shell(folder, *asked).stdout)
    broken = {
        (told["labels"]["column"], told["measurement"])
        for told in second["findings"]
        if told["verdict"] == "changed"
    }
    assert broken == {
        ("_c0", "non_negative"), ("_c0", "baseline_drift"), ("_c1", "data_type"), ("_c2", "completeness"),
        ("_c5", "completeness"), ("_c5", "missing_column"),
    }  # fmt: skip

    incidents = json.loads(in_a_shell(folder, "status", "--json", expect=1).stdout)["models"][
        "quality"
    ]["incidents"]
    [quality] = [each["id"] for each in incidents if each["cause"] == "quality"]
    said = in_a_shell(
        folder, "explain", quality.removeprefix("inc_")[:8], "--check", "model_monitor"
    ).stdout
    assert "model_monitor: completeness of _c2" in said
    assert "completeness 75% (was 100%), at least 100% asked, 95% sure: 66% to 82%, " in said
    assert '"completeness": 1.0' in said
    assert "checks.model_monitor.options.features._c2" in said
    assert "before: 2026-03-02 09:00 1 ok" in said
    assert "compared with reference 1: 100 rows of file://" in said
    assert "statistics.json" in said
    assert "format sagemaker_statistics 0.1.0" in said
    assert f"file://{folder}/capture/10.jsonl" in said
    told = json.loads(in_a_shell(folder, "explain", quality, "--json").stdout)
    assert told["incident"]["id"] == quality
    [window] = told["windows"]
    assert [
        (obj["uri"].rpartition("/")[2], obj["rows"], obj["state"]) for obj in window["objects"]
    ] == [("10.jsonl", 100, "done")]
    assert window["configuration"]["content"]["checks"]["model_monitor"]["type"] == "constraints"
    assert {finding["since"] for finding in told["findings"]} == {"2026-03-02T10:00:00+00:00"}

    [reference] = json.loads(in_a_shell(folder, "reference", "list", "--json").stdout)
    assert (reference["number"], reference["rows"], reference["current"]) == (1, 100, True)
    assert "statistics.json" in in_a_shell(folder, "reference", "list", "quality").stdout


def test_importing_again_replaces_what_was_imported(folder, driftline):
    """A folder is enough; a newer baseline goes in the place of the old one, and checks that were
    added stay.
    """
    driftline(folder, "reference", "import", "baseline", "-c", "driftline.yaml")
    text = (
        (folder / "driftline.yaml")
        .read_text()
        .replace("drift: {type: drift}", "drift: {type: drift}   # mine")
    )
    (folder / "driftline.yaml").write_text(text)
    shutil.copy(BASELINE / "constraints_too_strict.json", folder / "baseline" / "constraints.json")
    driftline(folder, "reference", "import", "baseline", "-c", "driftline.yaml")
    again = (folder / "driftline.yaml").read_text()
    changed = [line for line in again.splitlines() if line not in text.splitlines()]
    assert [line.strip() for line in changed] == [
        "_c5: {type: string, completeness: 1.0, non_negative: true}"
    ]
    driftline(folder, "run", "--once", expect=1)
    found = json.loads(
        driftline(
            folder,
            "explain",
            "quality",
            "--column",
            "_c5",
            "--window",
            "2026-03-02 09:00",
            "--json",
        ).stdout
    )
    [strict] = [told for told in found["findings"] if told["measurement"] == "data_type"]
    assert (strict["verdict"], strict["value"], strict["detail"]["type"]) == (
        "changed",
        0.0,
        "string",
    )


def test_without_a_configuration_the_part_to_paste_is_printed(folder, driftline):
    """Standard output is YAML, or JSON that says the same; nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    printed = driftline(
        folder, "reference", "import", "baseline/statistics.json", "baseline/constraints.json"
    ).stdout
    told = json.loads(driftline(folder, "reference", "import", "baseline", "--json").stdout)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    (folder / "pasted.yaml").write_text(
        CONFIG.replace("sinks: {}\n", "".join(f"    {line}\n" for line in printed.splitlines()))
    )
    driftline(folder, "validate", "-c", "pasted.yaml")
    assert told["reference"]["options"]["format"] == "sagemaker_statistics"
    assert told["checks"]["model_monitor"]["options"]["drift"] == {
        "threshold": 0.1,
        "method": "robust",
    }
    assert [feature["name"] for feature in told["features"]] == [f"_c{place}" for place in range(6)]


def test_mistakes_are_told_and_nothing_is_written(folder, driftline):
    """Files that are none, a model that is none, a file that can't be edited: an error with its
    mend, and the old file.
    """
    assert (
        "no such file" in driftline(folder, "reference", "import", "nowhere.json", expect=3).stderr
    )
    (folder / "other.json").write_text('{"a": 1}')
    assert (
        "neither statistics"
        in driftline(folder, "reference", "import", "other.json", expect=3).stderr
    )
    args = ("reference", "import", "baseline", "-c", "driftline.yaml")
    assert "there are: quality" in driftline(folder, *args, "--model", "churn", expect=2).stderr
    assert "OLD=NEW" in driftline(folder, *args, "--rename", "x", expect=2).stderr
    shared = CONFIG.replace(
        "  quality:",
        "  other: &o\n    source: {type: local, options: {path: x}}\n  quality: *o\n  rest:",
    )
    (folder / "driftline.yaml").write_text(shared)
    assert "by hand" in driftline(folder, *args, "--model", "quality", expect=2).stderr
    assert (folder / "driftline.yaml").read_text() == shared
    assert not (folder / "driftline.yaml.bak").exists()


def test_explain_says_what_it_can_not_find(folder, driftline):
    """Before a run, with an unknown name, with a window that is none: exit code 2 or 3 and a
    sentence.
    """
    driftline(folder, "explain", "quality", expect=3)
    driftline(folder, "run", "--once", expect=1)
    assert "models: quality" in driftline(folder, "explain", "nothing", expect=2).stderr
    assert (
        "nothing was judged"
        in driftline(folder, "explain", "quality", "--window", "2020-01-01", expect=2).stderr
    )
    assert (
        "should be a time"
        in driftline(folder, "explain", "quality", "--window", "noon", expect=2).stderr
    )


def test_a_baseline_that_begins_with_the_output(tmp_path, driftline):
    """Model Monitor puts what the model says first: renamed to the prediction, the inputs of real
    captures find their names.
    """
    table = pyarrow.csv.read_csv(SAMPLES / "churn" / "training-dataset-with-header.csv")
    features = []
    for name in table.column_names:
        values = np.sort(table[name].to_numpy().astype(float))
        common = {"num_present": len(values), "num_missing": 0}
        kll = {"sketch": {"parameters": {"c": 0.64, "k": 4096.0}, "data": [values.tolist()]}}
        told = {"common": common, "min": values[0], "max": values[-1], "distribution": {"kll": kll}}
        features.append({"name": name, "inferred_type": "Fractional", "numerical_statistics": told})
    statistics = {"version": 0.0, "dataset": {"item_count": table.num_rows}, "features": features}
    (tmp_path / "statistics.json").write_text(json.dumps(statistics))
    captures = SAMPLES / "datacapture" / "DEMO-xgb-churn-pred-model-monitor-2022-04-18-00-13-16"
    (tmp_path / "driftline.yaml").write_text(
        f"""
version: 1
agent: {{http: null}}
models:
  churn:
    source: {{type: local, options: {{path: "{captures}", format: sagemaker}}}}
    schema: {{timestamp: event_time, id: event_id, prediction: {{score: prediction, kind: binary}}}}
    windows: {{backfill: null}}
    checks: {{drift: {{type: drift}}}}
"""
    )
    driftline(
        tmp_path,
        "reference",
        "import",
        "statistics.json",
        "-c",
        "driftline.yaml",
        "--rename",
        "Churn=prediction",
    )
    driftline(tmp_path, "run", "--once")
    found = json.loads(driftline(tmp_path, "explain", "churn", "--check", "drift", "--json").stdout)
    ks = {
        told["labels"]["column"]: told for told in found["findings"] if told["measurement"] == "ks"
    }
    means = {column: told["detail"].get("mean_was") for column, told in ks.items()}
    assert len(means) == len(table.column_names)
    assert means["Day Mins"] == pytest.approx(np.mean(table["Day Mins"].to_numpy()))
    assert means["prediction"] == pytest.approx(np.mean(table["Churn"].to_numpy()), rel=1e-4)
    assert (ks["Day Mins"]["rows"], ks["Day Mins"]["value"] is not None) == (3, True)


def test_a_baseline_in_a_bucket(folder, driftline, s3_server, monkeypatch):
    """A prefix of a bucket is read through the same source, which the reference then names."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket="baselines")
    for name in ("statistics.json", "constraints.json"):
        client.upload_file(str(BASELINE / name), "baselines", f"monitor/{name}")
    told = json.loads(
        driftline(
            folder,
            "reference",
            "import",
            "s3://baselines/monitor/",
            "--endpoint-url",
            s3_server,
            "--json",
        ).stdout
    )
    assert told["reference"] == {
        "type": "s3",
        "options": {
            "bucket": "baselines", "prefix": "monitor/statistics.json", "endpoint_url": s3_server,
            "format": "sagemaker_statistics",
        },
    }  # fmt: skip
    assert list(told["checks"]) == ["model_monitor"]


BOOM = '''
from driftline import check, hookimpl


@check()
def boom(window, reference):
    """Fails."""
    raise RuntimeError("the pipeline has no such column")


@hookimpl
def register_checks():
    return [boom]
'''


def test_explain_of_trouble_that_has_no_measurement(folder, driftline):
    """A check that fails is an incident too: what people were told of it is shown, with its
    reason.
    """
    (folder / "boom.py").write_text(BOOM)
    checks = "    checks: {boom: {type: boom}}\nplugins: {paths: [boom.py]}\n"
    (folder / "driftline.yaml").write_text(CONFIG.replace("sinks: {}\n", checks))
    driftline(folder, "run", "--once", expect=1)
    [trouble] = json.loads(driftline(folder, "status", "--json", expect=1).stdout)["models"][
        "quality"
    ]["incidents"]
    said = driftline(folder, "explain", trouble["id"]).stdout
    assert "boom: error" in said
    assert "the pipeline has no such column" in said
    told = json.loads(driftline(folder, "explain", "quality", "--check", "boom", "--json").stdout)
    assert [(each["verdict"], each["rows"]) for each in told["findings"]] == [("error", 0)]


def test_names_of_inputs_become_headers_of_the_format(tmp_path, driftline):
    """Constraints alone name the inputs too; columns with a role are no inputs."""
    features = [
        {"name": name, "inferred_type": "Fractional", "completeness": 1.0}
        for name in ("prediction", "age", "income")
    ]
    (tmp_path / "constraints.json").write_text(json.dumps({"version": 0.0, "features": features}))
    (tmp_path / "driftline.yaml").write_text(
        """
version: 1
agent: {http: null}
models:
  m:
    source: {type: local, options: {path: capture, format: sagemaker}}
    schema: {timestamp: event_time, prediction: {score: prediction, kind: binary}}
"""
    )
    driftline(tmp_path, "reference", "import", "constraints.json", "-c", "driftline.yaml")
    document = parse_document((tmp_path / "driftline.yaml").read_text(), Path("driftline.yaml"))
    options = document.value["models"]["m"]["source"]["options"]
    assert options["format"] == {"type": "sagemaker", "options": {"headers": ["age", "income"]}}
