"""`driftline.connect`: what the state knows, as tables of any library, and nothing is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import databases
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from comparison_tables import make_table
from run_commands import configure, run_once

import driftline as dl
from driftline.types.errors import StateError

# The last of the four days has settled, also shortly after midnight.
START = datetime.combine(datetime.now(UTC) - timedelta(hours=1), time(), UTC) - timedelta(days=4)
THIRD = START + timedelta(days=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A configuration whose agent judged four days as they came; the last two drifted."""
    folder = tmp_path_factory.mktemp("agent")
    pq.write_table(make_table(1), folder / "reference.parquet")
    (folder / "log").mkdir()
    model = {
        "source": {"type": "local", "options": {"path": "log"}},
        "reference": {"type": "local", "options": {"path": "reference.parquet"}},
        "windows": {"length": "1d", "notify_within": None},
        "notify": [],
    }
    configuration = configure(folder, {"churn": model})
    for day in range(4):
        rows = make_table(10 + day, rows=1440, drift=day >= 2)
        times = [START + timedelta(days=day, minutes=row) for row in range(1440)]
        pq.write_table(
            rows.append_column("time", pa.array(times)), folder / "log" / f"{day}.parquet"
        )
        run_once(configuration)
    return folder


@pytest.fixture
def state(folder):
    """A connection by the configuration."""
    with dl.connect(folder / "driftline.yaml") as connection:
        yield connection


def test_measurements_are_selected_by_name_and_time(state):
    """A name and a duration that counts back from the newest window select measurements."""
    rows = state.measurements("churn", name="psi", since="2d").to_arrow()
    assert set(rows["name"].to_pylist()) == {"psi"}
    assert set(rows["column"].to_pylist()) == {"x0", "x1", "x2", "x3", "plan", "age"}
    starts = [START + timedelta(days=2), START + timedelta(days=3)]
    assert sorted(set(rows["start"].to_pylist())) == starts
    changed = {row["column"] for row in rows.to_pylist() if row["verdict"] == "changed"}
    assert changed == {"age", "plan"}


@pytest.mark.parametrize(
    "since",
    [f"{THIRD:%Y-%m-%d}", f"{THIRD:%Y-%m-%d}T00:00:00Z", THIRD],
    ids=["date", "text", "time"],
)
def test_since_is_a_date_or_a_time(state, since):
    """A date, a time as text and a datetime mean the same."""
    assert len(state.windows("churn", since=since)) == 2


def test_every_library_takes_the_answer(state):
    """pandas, polars, pyarrow and DuckDB read the answer as it is, and by its methods."""
    rows = state.measurements("churn")
    assert len(rows) > 100
    assert pa.table(rows).equals(rows.to_arrow())
    assert pl.DataFrame(rows).equals(rows.to_polars())
    assert len(pd.DataFrame.from_arrow(rows)) == len(rows.to_pandas()) == len(rows)
    assert duckdb.sql("select count(*) from rows").fetchall() == [(len(rows),)]
    assert rows._repr_html_().count("<tr>") == 21
    assert repr(rows).startswith(f"<{len(rows):,} rows: model, version, segment, start")


def test_incidents_and_windows(state):
    """Incidents and windows have their titles, times and rows."""
    incidents = state.incidents("churn").to_dicts()
    assert [row["state"] for row in incidents] == ["firing"]
    assert "age" in incidents[0]["title"]
    windows = state.windows("churn").to_dicts()
    assert [(row["start"], row["rows"]) for row in windows] == [
        (START + timedelta(days=day), 1440) for day in range(4)
    ]
    assert state.models() == ["churn"]


def contents(path: Path) -> list[str]:
    """All rows of a database of SQLite, as statements."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return list(database.iterdump())


@pytest.mark.skipif(databases.ON_POSTGRES, reason="the contents of the file of SQLite")
def test_nothing_is_written(folder):
    """Reading leaves the database as it is, by its URL, too."""
    path = folder / "state.db"
    before = contents(path)
    with dl.connect(f"sqlite:///{path}") as connection:
        assert len(connection.measurements()) == len(connection.measurements("churn"))
        assert connection.reference("churn").rows == 2000
    assert contents(path) == before


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda state: state.measurements("chrun"), "no model 'chrun'; the state has churn"),
        (lambda state: state.reference("chrun"), "no model 'chrun'"),
        (lambda state: state.windows("churn", since="soon"), "'soon' should be a duration"),
    ],
    ids=["model", "reference", "since"],
)
def test_a_wrong_question_is_answered(state, ask, text):
    """A model that is not there and a time that can't be read are errors that say what is there."""
    with pytest.raises(StateError, match=text):
        ask(state)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("missing.yaml", "missing.yaml"),
        ("state.txt", r"neither a configuration \(\*\.yaml\) nor the URL"),
        ("sqlite:///missing.db", "missing.db"),
        ("mysql://host/db", "no database URL"),
    ],
)
def test_a_wrong_target_is_an_error(tmp_path, monkeypatch, target, text):
    """What is no configuration and no state is an error that names it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dl.DriftlineError, match=text):
        dl.connect(target)
    assert list(tmp_path.iterdir()) == []


def test_no_name_is_no_measurement(state):
    """A name that no check gives selects nothing, with the columns in place."""
    nothing = state.measurements("churn", name="wasserstein2")
    assert len(nothing) == 0
    assert nothing.columns == state.measurements("churn").columns
