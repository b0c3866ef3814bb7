"""Log rotation: a file that took the place of another is not its continuation."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from station import MODEL, START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]


def _windows(station: Station) -> list[int]:
    return [
        rows
        for (rows,) in station.sql(
            "select rows from windows where segment = '' and rows > 0 order by start"
        )
    ]


def test_a_larger_file_that_replaced_the_old_one_is_read_whole(tmp_path):
    """After a rotation by rename, the new file counts from its first row and the old file's rows
    are taken out.
    """
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=9)
    log = station.hour(0, 300, name="app")
    with station.open():
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (300, [300])
        log.rename(tmp_path / "old.jsonl")
        station.hour(1, 500, name="app")
        assert log.stat().st_size > (tmp_path / "old.jsonl").stat().st_size
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (500, [500])
        assert station.summary()["rejected"] == 0
        (tmp_path / "old.jsonl").rename(tmp_path / "log" / "app.1.jsonl")
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (800, [300, 500])


def test_a_log_that_is_rotated_counts_once(tmp_path):
    """The ledger follows a file to its new name, also where it grew before, and whether or not a
    new one took its place.
    """
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=2)
    log = station.write("log/data.1.log", START, timedelta(hours=1), 300)
    with station.open():
        station.tick()
        _append(log, station.rows(START + timedelta(hours=1), timedelta(minutes=30), 50))
        log.rename(tmp_path / "log/data.1.log.2026-05-01")
        report = station.tick()
        assert (report.reading.rows, station.summary()["rows"], _windows(station)) == (
            50,
            350,
            [300, 50],
        )
        station.write("log/data.1.log", START + timedelta(hours=2), timedelta(hours=1), 700)
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (1050, [300, 50, 700])
        assert station.sql("select count(*) from objects") == [(2,)]
        # Both in one tick, long after the windows have taken their last row.
        station.clock.now = START + timedelta(hours=60)
        station.tick()
        log.rename(tmp_path / "log/data.1.log.2026-05-02")
        station.write("log/data.1.log", START + timedelta(hours=59), timedelta(hours=1), 20)
        assert station.tick().reading.rows == 20
        assert (station.summary()["rows"], station.summary()["held"]) == (1070, 0)
        assert _windows(station) == [300, 50, 700, 20]


def test_a_packed_file_that_was_renamed_counts_once(tmp_path):
    """What is read as a whole is known by its version."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=2)
    log = station.hour(0, 300)
    packed = tmp_path / "log" / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    with station.open():
        station.tick()
        packed.rename(tmp_path / "log" / "b.jsonl.gz")
        assert station.tick().reading.rows == 0
        assert (station.summary()["rows"], station.summary()["objects"]) == (300, 1)


def test_another_file_with_the_same_inode_is_no_renamed_one(tmp_path):
    """File systems give the inode of a deleted file to the next: its rows are all new, and the old
    ones stay.
    """
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    log = station.hour(0, 300, name="old")
    with station.open():
        station.tick()
        inode = log.stat().st_ino
        other = station.write("other.jsonl", START + timedelta(hours=1), timedelta(hours=1), 500)
        log.write_bytes(other.read_bytes())
        log.rename(tmp_path / "log" / "new.jsonl")
        assert (tmp_path / "log" / "new.jsonl").stat().st_ino == inode
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (800, [300, 500])


def test_a_file_written_anew_in_its_place_is_read_whole(tmp_path):
    """Also where a line ended at the same byte before: what was read no longer stands there."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    log = tmp_path / "log" / "app.jsonl"
    first, second = START + timedelta(minutes=10), START + timedelta(minutes=80)
    log.write_text(_line(first) * 10)
    with station.open():
        station.tick()
        log.write_text(_line(second) * 25)
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (25, [25])


def test_a_file_with_two_names_is_no_renamed_one(tmp_path):
    """A hard link is another file as far as anyone can see; the first name keeps its rows."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    log = station.hour(0, 300)
    with station.open():
        station.tick()
        (tmp_path / "log" / "again.jsonl").hardlink_to(log)
        station.tick()
        assert station.sql("select rows from objects order by id") == [(300,), (300,)]


def _line(at: datetime) -> str:
    return json.dumps({"t": at.isoformat(), "id": "x", "amount": 1.0, "plan": "a"}) + "\n"


def _append(log: Path, rows: list[str]) -> None:
    with log.open("a") as file:
        file.write("\n".join(rows) + "\n")


def test_a_file_that_grew_is_read_from_its_old_end(tmp_path):
    """Rows that were appended are added to those that were read before."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=9)
    log = station.hour(0, 300, name="app")
    with station.open():
        station.tick()
        with log.open("a") as file:
            file.write(
                "\n".join(station.rows(START + timedelta(hours=1), timedelta(hours=1), 500)) + "\n"
            )
        report = station.tick()
        assert report.reading.rows == 500
        assert (station.summary()["rows"], _windows(station)) == (800, [300, 500])


def _pack(file: Path, packed: Path, cut: int | None = None) -> Path:
    packed.write_bytes(gzip.compress(file.read_bytes())[:cut])
    return packed


@pytest.mark.parametrize("unread", [0, 40])
@pytest.mark.parametrize("name", ["app.jsonl.1.gz", "app.jsonl.2.gz", "app-20260501.jsonl.gz"])
def test_a_log_that_is_packed_after_its_rotation_counts_once(tmp_path, name, unread):
    """Rows that came after the last look are counted, too."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    log = station.hour(0, 300, name="app")
    with station.open():
        station.tick()
        rotated = log.rename(tmp_path / "log" / "app.jsonl.1")
        station.hour(1, 150, name="app")
        station.tick()
        _append(rotated, station.rows(START + timedelta(minutes=61), timedelta(minutes=9), unread))
        _pack(rotated, tmp_path / "log" / name)
        rotated.unlink()
        for _ in range(2):
            station.tick()
            assert (station.summary()["rows"], sum(_windows(station))) == (450 + unread,) * 2
        (tmp_path / "log" / name).rename(tmp_path / "log" / "app.jsonl.9.gz")
        station.tick()
        assert (station.summary()["rows"], sum(_windows(station))) == (450 + unread,) * 2


@pytest.mark.parametrize("is_read_before", [True, False])
def test_a_packed_file_beside_its_original_counts_once(tmp_path, is_read_before):
    """Also while it is written, and once the original is gone."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    log = station.hour(0, 300, name="app")
    packed = tmp_path / "log" / "app.jsonl.gz"
    with station.open():
        if is_read_before:
            station.tick()
        for cut in (5, 400, None):
            _pack(log, packed, cut)
            station.tick()
            assert (station.summary()["rows"], station.summary()["rejected"]) == (300, 0)
        log.unlink()
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (300, [300])
        assert station.sql("select count(*) from objects") == [(1,)]


@pytest.mark.parametrize("rows", [250, 300, 310])
def test_a_packed_log_that_starts_like_another_one_counts(tmp_path, rows):
    """The same first lines in two logs are no proof that one is the other, nor are all lines of a
    shorter one.
    """
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    log = station.hour(0, 300, name="app")
    lines = log.read_text().splitlines(keepends=True)
    other = tmp_path / "other"
    other.write_text("".join(lines[:250] + [lines[0]] * (rows - 250)))
    with station.open():
        station.tick()
        _pack(other, tmp_path / "log" / "app.jsonl.gz")
        station.tick()
        assert station.summary()["rows"] == 300 + rows
        log.unlink()
        station.tick()
        assert station.summary()["rows"] == 300 + rows


def test_a_log_that_is_copied_and_cut_counts_once(tmp_path):
    """The copy may be packed before anyone looks."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    log = station.hour(0, 300, name="app")
    with station.open():
        station.tick()
        _pack(log, tmp_path / "log" / "app.jsonl.1.gz")
        log.write_text("")
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (300, [300])
        station.hour(1, 150, name="app")
        station.tick()
        copy = tmp_path / "log" / "app.jsonl.1"
        copy.write_bytes(log.read_bytes())
        log.write_text("")
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (450, [300, 150])


def test_a_packed_log_that_grows_counts_once(tmp_path):
    """Each look reads it as a whole: more members, a torn one, another name, all at once."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=3)
    lines = station.hour(0, 300, name="app").read_text().splitlines(keepends=True)
    (tmp_path / "log" / "app.jsonl").unlink()
    members = [gzip.compress("".join(lines[at : at + 100]).encode()) for at in (0, 100, 200)]
    packed = tmp_path / "log" / "app.jsonl.gz"
    with station.open():
        packed.write_bytes(members[0])
        station.tick()
        packed.write_bytes(members[0] + members[1][:-9])
        station.tick()
        packed.write_bytes(members[0] + members[1])
        station.tick()
        assert (station.summary()["rows"], _windows(station)) == (200, [200])
        with packed.open("ab") as file:
            file.write(members[2])
        packed.rename(tmp_path / "log" / "app.1.jsonl.gz")
        for _ in range(2):
            station.tick()
            assert (station.summary()["rows"], _windows(station)) == (300, [300])
        assert station.sql("select count(*) from objects") == [(1,)]


def test_a_log_with_a_header_line_that_is_renamed_and_packed_counts_once(tmp_path):
    """Such a file is read as a whole: its mark is that of its last bytes."""
    station = Station(tmp_path, MODEL.replace("format: jsonl", "format: csv"))
    station.clock.now = START + timedelta(hours=3)
    folder = tmp_path / "log"

    def text(start: int, count: int) -> str:
        minutes = range(start, start + count)
        rows = (f"{(START + timedelta(minutes=n)).isoformat()},{n},{n}.5,a\n" for n in minutes)
        return "t,id,amount,plan\n" + "".join(rows)

    (folder / "app.csv").write_text(text(0, 40))
    with station.open():
        station.tick()
        with (folder / "app.csv").open("a") as file:
            file.write(text(40, 10).partition("\n")[2])
        (folder / "app.csv").rename(folder / "app.1.csv")
        (folder / "app.csv").write_text(text(60, 20))
        station.tick()
        assert station.summary()["rows"] == 70
        _pack(folder / "app.1.csv", folder / "app.1.csv.gz")
        (folder / "app.1.csv").unlink()
        for _ in range(2):
            station.tick()
            assert (station.summary()["rows"], sum(_windows(station))) == (70, 70)
