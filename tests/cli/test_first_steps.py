"""The way of a newcomer: init, validate, doctor, run --once, status."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from receivers import WebhookReceiver

from driftline.cli.main import main

pytestmark = pytest.mark.system

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(args))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("sample", "form", "rows", "column"),
    [
        (
            "aws/datacapture/DEMO-xgb-churn-pred-model-monitor-2022-04-18-00-13-16",
            "sagemaker",
            3,
            "_c0: numeric",
        ),
        (
            "azure/reference/credit_default_baseline_with_timestamp.csv",
            "csv",
            198,
            "LIMIT_BAL: numeric",
        ),
        ("drift/titanic/titanic_reference.csv", "csv", 891, "Sex: categorical"),
    ],
)
def test_init_writes_a_configuration_that_runs(call, sample, form, rows, column):
    """What init finds out by looking is enough: the file it writes is valid, commented, and reads
    every record.
    """
    code, _, told = call("init", str(SAMPLES / sample))
    assert code == 0
    text = Path("driftline.yaml").read_text()
    assert f"format: {form}" in text
    assert column in text
    assert "# " in text
    assert f"format {form}" in told
    assert call("validate")[0] == 0
    code, out, err = call("run", "--once", "--json")
    assert code in (0, 1), err
    assert json.loads(out)["models"]["my-model"]["rows"] == rows


def test_init_tells_its_doubts_and_overwrites_nothing(call):
    """Columns it left out are named, in the file too; an existing file stands."""
    code, _, told = call("init", str(SAMPLES / "drift/titanic/titanic_reference.csv"))
    assert code == 0
    assert "Name is left out" in told
    assert "CHECK: Name is left out" in Path("driftline.yaml").read_text()
    before = Path("driftline.yaml").read_text()
    code, _, told = call("init", str(SAMPLES / "drift/titanic/titanic_analysis.csv"))
    assert code == 2
    assert "--force" in told
    assert Path("driftline.yaml").read_text() == before


def configured(url: str) -> None:
    Path("driftline.yaml").write_text(
        f"""
version: 1
agent: {{http: null}}
models:
  titanic:
    source: {{type: local, options: {{path: "{SAMPLES}/drift/titanic/titanic_analysis.csv"}}}}
    reference: {{type: local, options: {{path: "{SAMPLES}/drift/titanic/titanic_reference.csv"}}}}
sinks:
  hook: {{type: webhook, allow_private: true, options: {{url: "{url}", secret: "${{env:HOOK_SECRET}}"}}}}
"""
    )


def test_doctor_reaches_everything_and_sends_a_test_message(call, monkeypatch):
    """Sources are counted, each sink gets one message that says it is a test; what fails is named,
    with exit code 3.
    """
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with WebhookReceiver(SECRET, __import__("time").time) as receiver:
        configured(receiver.url)
        code, out, _ = call("doctor", "--json")
        assert code == 0, out
        assert [finding["part"] for finding in json.loads(out)["findings"]] == [
            "state",
            "models.titanic.source",
            "models.titanic.rows",
            "models.titanic.reference",
            "models.titanic.reference.rows",
            "sinks.hook",
        ]
        assert [message["type"] for message in receiver.accepted] == ["incident.test"]
        configured(receiver.url.replace("hooks", "elsewhere"))
        code, out, _ = call("doctor")
        assert code == 3
        assert "fail  sinks.hook" in out
        assert SECRET not in out


def test_status_shows_the_state_and_needs_one(call, monkeypatch):
    """Before the first run it says so; after it, it tells what was read, without the secrets and
    without the lock.
    """
    configured("http://127.0.0.1:9/x")
    code, _, told = call("status")
    assert code == 3
    assert "driftline run" in told
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert call("run", "--once")[0] in (0, 1)
    monkeypatch.delenv("HOOK_SECRET")
    code, out, _ = call("status", "--json")
    assert code in (0, 1)
    assert json.loads(out)["models"]["titanic"]["rows"] == 418
    assert "418" in call("status")[1]


def test_a_missing_secret_stops_before_anything_starts(call):
    """The place of the reference and the name of the variable are told; nothing is made."""
    configured("http://127.0.0.1:9/x")
    code, _, told = call("run", "--once")
    assert code == 2
    assert "driftline.yaml:" in told
    assert "HOOK_SECRET" in told
    assert not Path("driftline.db").exists()


def test_init_looks_into_a_bucket(call, s3_server, monkeypatch):
    """A bucket is enough: layout, format, columns and doubts are found, ten rows shown, and what is
    written is valid.
    """
    from stores import S3Store

    for name, value in (
        ("ACCESS_KEY_ID", "k"),
        ("SECRET_ACCESS_KEY", "s"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    store = S3Store(s3_server)
    for hour in range(3):
        lines = [
            {
                "captureData": {
                    "endpointInput": {
                        "mode": "INPUT",
                        "data": json.dumps({"zip": 10_000 + n % 97, "age": n}),
                        "encoding": "JSON",
                    },
                    "endpointOutput": {"mode": "OUTPUT", "data": "0.5", "encoding": "CSV"},
                },
                "eventMetadata": {
                    "eventId": f"{hour}-{n}",
                    "inferenceTime": f"2026-05-01T0{hour}:00:00Z",
                },
            }
            for n in range(200)
        ]
        body = "\n".join(map(json.dumps, lines)) + "\n"
        store.put(f"capture/ep/blue/2026/05/01/0{hour}/00-00-000-a.jsonl", body.encode())
    code, _, told = call(
        "init", f"s3://{store.name}/capture/", "--endpoint-url", s3_server, "--model", "churn"
    )
    assert code == 0, told
    assert "3 objects, format sagemaker, layout sagemaker" in told
    assert "zip looks numeric, 97 distinct values" in told
    assert sum(f"0-{n}" in told for n in range(10)) == 10
    text = Path("driftline.yaml").read_text()
    for line in (
        "type: s3",
        "layout: sagemaker",
        "format: sagemaker",
        "zip: numeric",
        "# CHECK: zip looks numeric",
    ):
        assert line in text
    assert call("validate")[0] == 0


def test_init_shows_whole_times_and_names_the_columns_beside_the_preview(call):
    """A time of Parquet with its zone is not cut; no column is hidden without its name."""
    names = ["timestamp", *(f"measurement_number_{number}" for number in range(6)), "outcome"]
    times = [datetime(2026, 5, 1, hour, tzinfo=UTC) for hour in range(24)]
    columns = [times, *([float(hour) for hour in range(24)] for _ in range(6)), ["yes", "no"] * 12]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), "log.parquet")
    code, _, text = call("init", "log.parquet")
    assert code == 0
    assert "2026-05-01 00:00:00+00:00" in text
    assert re.search(r"more columns: [\w, ]+, outcome ", " ".join(text.split()))


def test_explain_says_that_a_report_is_no_incident(call):
    """The first report carries an id, too; the error names the command for its numbers."""
    Path("log.csv").write_text(
        "time,a\n" + "".join(f"2026-05-01 {hour:02}:00:00,{hour}\n" for hour in range(24))
    )
    call("init", "log.csv")
    call("run", "--once")
    code, _, text = call("explain", "rep_57a1ea74e1cb4d9c")
    assert code == 2
    assert "`driftline explain MODEL`" in text
    assert "driftline incidents --all" in call("explain", "inc_57a1")[2]


@pytest.mark.parametrize(
    ("classes", "positive", "code"),
    [
        (("0", "1"), "yes", 3),
        (("Y", "N"), "yes", 3),
        (("yes", "no"), "yes", 0),
        (("no", "no"), "yes", 0),
        (("True", "False"), "1", 0),
        (("1.0", "0.0"), "true", 0),
    ],
)
def test_doctor_sees_a_reference_whose_classes_are_not_those_of_the_model(
    call, classes, positive, code
):
    """Two other classes mean that no metric can be computed; a sample of one class says nothing."""
    first, second = ("yes", "no") if positive == "yes" else ("1", "0")
    lines = [f"2026-05-01 {hour:02}:00:00,{hour},{first},{second}" for hour in range(24)]
    lines += [f"2026-05-02 {hour:02}:00:00,{hour},{second},{first}" for hour in range(24)]
    Path("log.csv").write_text("\n".join(["time,a,guess,truth", *lines]))
    rows = [f"{number},{classes[number % 2]},{classes[number % 2]}" for number in range(40)]
    Path("train.csv").write_text("\n".join(["a,guess,truth", *rows]))
    Path("driftline.yaml").write_text(f"""
version: 1
models:
  churn:
    source: {{type: local, options: {{path: log.csv}}}}
    reference: {{type: local, options: {{path: train.csv}}}}
    schema:
      timestamp: time
      features: {{a: numeric}}
      prediction: {{column: guess, kind: binary, positive: "{positive}"}}
      label: truth
""")
    result, text, _ = call("doctor", "--json")
    findings = {finding["part"]: finding for finding in json.loads(text)["findings"]}
    assert result == code
    assert findings["models.churn.rows"]["ok"]
    assert findings["models.churn.reference.rows"]["ok"] is (code == 0)
    if code:
        told = findings["models.churn.reference.rows"]["text"]
        assert ", ".join(sorted(classes)) in told
        assert "schema.prediction.positive" in told
