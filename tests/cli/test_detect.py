"""`driftline detect` and `changepoints` on files that people have."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from driftline.cli.main import _run

START = datetime(2026, 5, 1, tzinfo=UTC)


def write(path: Path, values: list[float], header: str = "time,value", step: int = 1) -> Path:
    lines = [header]
    lines += [
        f"{(START + timedelta(hours=at)):%Y-%m-%d %H:%M:%S},{value}"
        for at, value in enumerate(values)
    ]
    lines[1:] = lines[1:][::step]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(capsys, *args: object) -> tuple[int, str]:
    code = _run([str(arg) for arg in args])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def levels(step_at: int, spike_at: int) -> list[float]:
    rng = random.Random(3)
    values = [rng.gauss(100, 2) + (20 if at >= step_at else 0) for at in range(400)]
    values[spike_at] += 40
    return values


def test_each_value_is_scored_in_time_order(tmp_path, capsys):
    """Also where the file is in another order; the spike and the step are anomalies."""
    path = write(tmp_path / "a.csv", levels(300, 150))
    head, *lines = path.read_text().splitlines()
    random.Random(1).shuffle(lines)
    path.write_text("\n".join([head, *lines]))
    code, text = run(capsys, "detect", path, "--json")
    rows = json.loads(text)
    assert code == 1
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert len(rows) == 400
    marks = [at for at, row in enumerate(rows) if row["anomaly"]]
    assert 150 in marks
    assert set(marks) & {300, 301, 302}
    assert rows[150]["score"] > 0.998 > rows[100]["score"]
    assert lines[rows[7]["row"] - 1].startswith("2026-05-01 07:00:00")


def test_a_lasting_change_is_dated_with_its_span(tmp_path, capsys):
    """The spike is no lasting change; the step begins at hour 300."""
    code, text = run(capsys, "changepoints", write(tmp_path / "a.csv", levels(300, 150)), "--json")
    [change] = json.loads(text)
    assert code == 1
    assert change["time"] == "2026-05-13T12:00:00Z"
    assert change["from"] <= change["time"] <= change["to"]
    assert change["after"] - change["before"] == pytest.approx(20, abs=1.5)


def test_people_read_a_table_and_a_count(tmp_path, capsys):
    """The findings and how many values there are; 0 findings end with 0."""
    code, text = run(capsys, "changepoints", write(tmp_path / "a.csv", levels(300, 150)))
    assert code == 1
    assert "2026-05-13T12:00:00Z" in text
    assert "1 change in 400 values" in text
    quiet = write(tmp_path / "b.csv", [float(at % 2) for at in range(60)])
    assert run(capsys, "detect", quiet) == (0, "0 anomalies in 60 values of value\n")


@pytest.mark.parametrize("header", ["ds,y", "Timestamp,cpu", "when,load"])
def test_columns_are_found_by_name_and_by_content(tmp_path, capsys, header):
    """Any names do."""
    code, text = run(capsys, "detect", write(tmp_path / "a.csv", [1.0] * 20, header), "--json")
    assert (code, len(json.loads(text))) == (0, 20)


def test_columns_can_be_named(tmp_path, capsys):
    """Of several columns of numbers one is chosen."""
    path = tmp_path / "a.csv"
    path.write_text("time,a,b\n2026-01-01,1,5\n2026-01-02,2,6\n")
    _, text = run(capsys, "detect", path, "--value", "b", "--json")
    assert [row["value"] for row in json.loads(text)] == [5, 6]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "Empty CSV file"),
        ("a,b\nx,y\n", "no column of times is found; name one with --time"),
        ("time,name\n2026-01-01,x\n", "no column of values is found; name one with --value"),
        ("time,value\nx,1\ny,2\n", "no time can be read; name one with --time"),
        ("time,value\n2026-01-01,x\n", "has no number; name one with --value"),
    ],
)
def test_a_file_without_a_series_has_a_clear_error(tmp_path, capsys, content, error):
    """The error says what is missing and which option names it."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    code, text = run(capsys, "detect", path)
    assert code != 0
    assert error in text


def test_rows_without_a_time_are_counted(tmp_path, capsys):
    """They are left out, and people hear of it; a missing value has no score above 0."""
    path = tmp_path / "a.csv"
    path.write_text("time,value\n2026-01-01,1\nbad,3\n2026-01-02,\n2026-01-03,2\n2026-01-03,2\n")
    code, text = run(capsys, "detect", path)
    assert (code, text) == (
        0,
        "0 anomalies in 4 values of value\n1 row without a readable time left out\n",
    )


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("delimiter", "spelling", "encoding"),
    [
        (";", lambda value: f"{value:.2f}".replace(".", ","), "utf-8"),
        ("\t", "{:.2f}".format, "utf-16"),
        (",", '"{:,.2f}"'.format, "utf-8-sig"),
        (";", lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,")), "cp1252"),
    ],
)
def test_every_spelling_of_numbers_is_the_same_series(
    tmp_path, capsys, delimiter, spelling, encoding
):
    """Delimiters, separators of thousands and decimals, and encodings that spreadsheets write."""
    values = [at * 13.5 for at in range(40, 140)]
    lines = [delimiter.join(("time", "value", "Straße"))]
    lines += [
        delimiter.join((f"{START + timedelta(hours=at):%Y-%m-%d %H:%M}", spelling(value), "ü"))
        for at, value in enumerate(values)
    ]
    path = write_text(tmp_path / "a.csv", "\r\n".join(lines), encoding)
    _, text = run(capsys, "detect", path, "--json")
    assert [row["value"] for row in json.loads(text)] == pytest.approx(values)


def test_no_value_and_no_row_is_left_out_without_a_word(tmp_path, capsys):
    """Words and torn rows are counted; a row keeps its number in the file."""
    lines = [f"{START + timedelta(hours=at):%Y-%m-%dT%H:%M},{at % 3}" for at in range(60)]
    lines[4], lines[9], lines[20] = "2026-05-01T04:00", lines[9] + ",7,8", lines[20][:-1] + "error"
    lines[30] = lines[30][:-1]
    path = write_text(tmp_path / "a.csv", "\n".join(["time,value", *lines]))
    _, text = run(capsys, "changepoints", path)
    assert "2 rows with too few or too many values left out" in text
    assert "1 value that is no finite number left out, such as 'error'" in text
    assert "in 56 values" in text
    _run(["detect", str(path), "--json"])
    captured = capsys.readouterr()
    assert [row["row"] for row in json.loads(captured.out)][3:9] == [4, 6, 7, 8, 9, 11]
    assert "2 rows with too few or too many values left out" in captured.err


def test_a_first_row_without_names_is_a_row(tmp_path, capsys):
    path = write(tmp_path / "a.csv", levels(300, 150))
    path.write_text(path.read_text().partition("\n")[2])
    _, text = run(capsys, "detect", path, "--json")
    assert len(json.loads(text)) == 400


def test_two_columns_of_one_name_are_an_error(tmp_path, capsys):
    path = write_text(tmp_path / "a.csv", "time,value,value\n2026-05-01T00:00,1,2\n")
    code, text = run(capsys, "detect", path)
    assert code == 3
    assert "2 columns are named value; rename them" in text


@pytest.mark.parametrize("command", ["detect", "changepoints"])
def test_the_last_line_names_the_column_that_was_read(tmp_path, capsys, command):
    """A file of several columns of numbers: the first one is taken, and the reader sees which."""
    path = tmp_path / "a.csv"
    rows = [f"2026-05-01 {hour:02}:00:00,{hour % 3},7" for hour in range(24)]
    path.write_text("\n".join(["time,latency,errors", *rows]))
    assert "values of latency" in run(capsys, command, path)[1]
    assert "values of errors" in run(capsys, command, path, "--value", "errors")[1]
