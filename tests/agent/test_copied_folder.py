"""A folder with the state and the logs that is moved, or copied and used further in the copy."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_commands import configure, run_once

pytestmark = pytest.mark.system

HEADER = "timestamp,amount\n"
SCHEMA = {"timestamp": "timestamp", "features": {"amount": "numeric"}}


def lines(day: int, rows: int = 20) -> str:
    return "".join(f"2026-05-{day:02d}T{n:02d}:00:00Z,{n}.5\n" for n in range(rows))


def make(folder: Path, form: str, days: Sequence[int] = (1, 2)) -> Path:
    """One file for each day, with the same name."""
    for day in days:
        place = folder / "log" / f"day={day}"
        place.mkdir(parents=True)
        if form == "csv":
            (place / "part.csv").write_text(HEADER + lines(day))
        else:
            times = [line.split(",")[0] for line in lines(day).splitlines()]
            table = pa.table({"timestamp": times, "amount": [float(n) for n in range(20)]})
            pq.write_table(table, place / "part.parquet")
    source = {"type": "local", "options": {"path": f"log/**/*.{form}", "format": form}}
    return configure(folder, {"m": {"source": source, "schema": SCHEMA}})


def counted(config: Path) -> int:
    return run_once(config)[1]["models"]["m"]["rows"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("way", ["copied", "moved", "sent to another machine"])
def test_a_folder_with_state_and_logs(tmp_path, form, way):
    """Nothing counts twice, nothing is read again, and what is added later counts once. On another
    machine the old files can't be read, and the new ones have other times and inodes.
    """
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    assert counted(make(old, form)) == 40
    if way == "copied":
        shutil.copytree(old, new)
    elif way == "moved":
        old.rename(new)
    else:
        shutil.copytree(old, new, copy_function=shutil.copy)
        shutil.rmtree(old)
    config = new / "driftline.yaml"
    config.write_text(config.read_text().replace(str(old), str(new)))
    answer = run_once(config)[1]["models"]["m"]
    assert (answer["rows"], answer["added"]["objects"]) == (40, 0)
    if form == "csv":
        with (new / "log/day=2/part.csv").open("a") as file:
            file.write("2026-05-02T21:00:00Z,1.5\n")
        assert counted(config) == 41
    assert counted(config) == (41 if form == "csv" else 40)


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("day", ["0", "9"])
def test_a_new_file_in_a_copy_counts_alone(tmp_path, form, day):
    """Whether it comes before or after the files that were copied."""
    old, new, other = tmp_path / "old", tmp_path / "new", tmp_path / "other"
    for folder in (old, other):
        folder.mkdir()
    assert counted(make(old, form)) == 40
    shutil.copytree(old, new)
    shutil.rmtree(old)
    config = new / "driftline.yaml"
    config.write_text(config.read_text().replace(str(old), str(new)))
    make(other, form, days=(3,))
    (new / f"log/day={day}").mkdir()
    shutil.copy(other / f"log/day=3/part.{form}", new / f"log/day={day}/part.{form}")
    answer = run_once(config)[1]["models"]["m"]
    assert (answer["rows"], answer["added"]["rows"]) == (60, 20)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_another_file_of_the_same_name_in_a_copy(tmp_path, form):
    """It counts as what it is: only equal content is known."""
    old, new, other = tmp_path / "old", tmp_path / "new", tmp_path / "other"
    for folder in (old, other):
        folder.mkdir()
    assert counted(make(old, form)) == 40
    shutil.copytree(old, new)
    shutil.rmtree(old)
    config = new / "driftline.yaml"
    config.write_text(config.read_text().replace(str(old), str(new)))
    make(other, form, days=(3,))
    shutil.copy(other / f"log/day=3/part.{form}", new / f"log/day=2/part.{form}")
    assert counted(config) == 60


@pytest.mark.slow
def test_a_new_day_with_the_content_of_the_day_before(tmp_path):
    """It is no copy of a folder: the rows of both count."""
    config = make(tmp_path, "csv")
    assert counted(config) == 40
    place = tmp_path / "log" / "day=3"
    place.mkdir()
    shutil.copy(tmp_path / "log/day=2/part.csv", place / "part.csv")
    assert counted(config) == 60
