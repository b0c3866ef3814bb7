"""Profiles that a job saved are read by the agent as the rows themselves would be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import databases
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from comparison_tables import make_table, with_outputs
from run_commands import configure, run_once

import driftline as dl

START = datetime(2026, 3, 2, tzinfo=UTC)


def table_of(seed: int, *, drift: bool = False, accuracy: float) -> pa.Table:
    """A table with a label and a prediction."""
    rows = with_outputs(make_table(seed, drift=drift), seed, accuracy=accuracy)
    return rows.rename_columns({"outcome": "label", "guess": "prediction"})


def log_rows() -> pa.Table:
    """Two days of rows with times, outputs and labels."""
    rows = table_of(3, drift=True, accuracy=0.6)
    times = [START + timedelta(minutes=row) for row in range(rows.num_rows)]
    return rows.append_column("time", pa.array(times))


def model(log: str, reference: str) -> dict[str, object]:
    """A model with a log of profiles or rows."""
    return {
        "source": {"type": "local", "options": {"path": log}},
        "reference": {"type": "local", "options": {"path": reference}},
        "windows": {"length": "1d"},
        "notify": [],
    }


def measured(folder: Path) -> dict[tuple[str, ...], tuple[object, ...]]:
    """The measurements of the model by series and window."""
    with dl.connect(databases.of(folder)) as connection:
        rows = connection.measurements("m").to_dicts()
    keys = ("version", "segment", "start", "check", "name", "labels")
    return {
        tuple(str(row[key]) for key in keys): (row["value"], row["rows"], row["verdict"])
        for row in rows
    }


@pytest.fixture
def direct(tmp_path: Path) -> Path:
    """The folder of an agent that has read the rows themselves."""
    folder = tmp_path / "direct"
    folder.mkdir()
    reference = table_of(1, accuracy=0.9)
    times = [START - timedelta(days=9) + timedelta(minutes=row) for row in range(2000)]
    pq.write_table(reference.append_column("time", pa.array(times)), folder / "reference.parquet")
    pq.write_table(log_rows(), folder / "log.parquet")
    run_once(configure(folder, {"m": model("log.parquet", "reference.parquet")}))
    return folder


def test_a_profile_is_read_as_the_rows_are(direct, tmp_path):
    """Rows profiled in parts with the reference of the model give the windows and measurements of
    the direct reading: integers exactly, floats to 1e-12.
    """
    folder = tmp_path / "profiles"
    (folder / "log").mkdir(parents=True)
    (folder / "reference.parquet").write_bytes((direct / "reference.parquet").read_bytes())
    configuration = configure(folder, {"m": model("log", "reference.parquet")})
    with dl.connect(direct / "driftline.yaml") as connection:
        reference = connection.reference("m")
    rows = log_rows()
    for part, start in enumerate(range(0, 2000, 700)):
        made = dl.profile(rows.slice(start, 700), reference)
        made.save(folder / "log" / f"part-{part}.dlprofile")
    _, report = run_once(configuration)
    assert report["models"]["m"]["rows"] == 2000, report
    first, second = measured(direct), measured(folder)
    sampled = {"domain_classifier", "mmd", "reconstruction", "freshness", "volume"}
    compared = 0
    for key, (value, count, verdict) in first.items():
        if key[3] in sampled:
            continue
        compared += 1
        assert second[key][1:] == (count, verdict), key
        assert second[key][0] == (None if value is None else pytest.approx(value, rel=1e-12)), key
    assert compared >= 60
    assert first.keys() == second.keys()


def test_a_saved_profile_is_the_reference(direct, tmp_path):
    """A profile of the training rows serves as the reference, and gives the same drift."""
    folder = tmp_path / "profiled"
    folder.mkdir()
    training = pq.read_table(direct / "reference.parquet")
    dl.profile(training, label="label", prediction="prediction", timestamp="time").save(
        folder / "train.dlprofile"
    )
    pq.write_table(log_rows(), folder / "log.parquet")
    run_once(configure(folder, {"m": model("log.parquet", "train.dlprofile")}))
    first, second = measured(direct), measured(folder)
    drift = [key for key in first if key[3] == "drift" and first[key][0] is not None]
    assert drift
    for key in drift:
        assert second[key][0] == pytest.approx(first[key][0], rel=1e-12)


def test_a_profile_of_another_grid_is_set_aside(direct):
    """A file of another grid is quarantined with the way out, and the rest of the log counts."""
    dl.profile(log_rows(), timestamp="time").save(direct / "log.dlprofile")
    configuration = configure(direct, {"m": model("log.*", "reference.parquet")})
    _, report = run_once(configuration)
    assert report["models"]["m"]["rows"] == 2000
    assert "driftline.profile" in str(report)
