"""A reference that leaves records out says so: a count, a metric, a log line, the status, and an
incident where it is more than a few.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driftline.cli.main import main

pytestmark = pytest.mark.system

CONFIG = """
version: 1
agent: {state: "sqlite:///d.db", http: null}
models:
  m:
    source: {type: local, options: {path: log.jsonl}}
    schema:
      timestamp: ts
      features: {a: numeric}
    reference: {type: local, options: {path: ref.jsonl}}
    windows: {length: 1h, lateness: 0s, notify_within: null, backfill: null}
    notify: [terminal]
sinks: {terminal: {type: console}}
"""


def write(folder: Path, bad_lines: int) -> None:
    rows = [json.dumps({"ts": f"2026-11-01T10:{n % 60:02}:00Z", "a": n % 17}) for n in range(400)]
    (folder / "log.jsonl").write_text("\n".join(rows) + "\n")
    bad = [row[:20] for row in rows[:bad_lines]]
    (folder / "ref.jsonl").write_text("\n".join(rows + bad) + "\n")
    (folder / "driftline.yaml").write_text(CONFIG)


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


@pytest.mark.parametrize(("bad_lines", "is_incident"), [(8, False), (100, True)])
def test_records_left_out_of_a_reference_are_counted_and_many_are_an_incident(
    tmp_path, monkeypatch, capsys, bad_lines, is_incident
):
    """The sentence has the count, the file, the reason and the first place."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, bad_lines)
    assert call("run", "--once", "--json") == int(is_incident)
    run = capsys.readouterr()
    sentence = (
        f"{bad_lines} of {400 + bad_lines} records left out of the reference in ref.jsonl: not JSON"
    )
    assert sentence in run.err
    call("status", "--json")
    model = json.loads(capsys.readouterr().out)["models"]["m"]
    assert model["reference"]["losses"].startswith(sentence)
    titles = [incident["title"] for incident in model["incidents"]]
    assert (
        any("the reference lacks some of its records" in title for title in titles) == is_incident
    )
    call("status")
    assert f"{bad_lines} of {400 + bad_lines} records" in capsys.readouterr().out


def test_a_reference_without_any_row_says_why(tmp_path, monkeypatch, capsys):
    """The error has the number of rejected records and their reason."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 0)
    (tmp_path / "ref.jsonl").write_text("{torn\n" * 5)
    assert call("run", "--once", "--json") == 3
    error = json.loads(capsys.readouterr().out)["models"]["m"]["error"]
    assert error.startswith("the reference has no row that can be read: 5 of 5 records left out")
    assert "not JSON" in error


def test_responses_without_requests_are_the_reason(tmp_path, monkeypatch, capsys):
    """A log of one side only, read as if both were there, says which side is missing."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "collected/ep/blue/model_outputs/2026/11/01/10/a.jsonl"
    path.parent.mkdir(parents=True)
    record = {"specversion": "1.0", "time": "2026-11-01T10:00:00Z", "data": [{"reply": "yes"}]}
    lines = [json.dumps({**record, "correlationid": f"c{n}"}) for n in range(40)]
    path.write_text("\n".join(lines) + "\n")
    (tmp_path / "driftline.yaml").write_text(
        """
version: 1
agent: {state: "sqlite:///d.db", http: null}
models:
  m:
    source: {type: local, options: {path: collected, format: azureml}}
    reference: {trailing: 28d}
    windows: {notify_within: null, backfill: null}
"""
    )
    assert call("run", "--once", "--json") == 3
    error = json.loads(capsys.readouterr().out)["models"]["m"]["error"]
    assert "40 of 40 records left out of the reference: a response without a request" in error


def test_doctor_names_what_a_reference_can_not_use(tmp_path, monkeypatch, capsys):
    """It decodes a few records of the reference as well."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 0)
    path = tmp_path / "ref.jsonl"
    path.write_text('{"ts": "torn\n' * 30 + path.read_text())
    call("doctor", "--json")
    findings = json.loads(capsys.readouterr().out)["findings"]
    [rows] = [each for each in findings if each["part"] == "models.m.reference.rows"]
    assert not rows["ok"]
    assert "records are rejected: not JSON" in rows["text"]
