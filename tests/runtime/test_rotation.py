"""Log rotation: a file that took the place of another is not its continuation."""

from __future__ import annotations

from datetime import timedelta

from station import START, Station


def _windows(station: Station) -> list[int]:
    return [rows for (rows,) in station.sql("select rows from windows where segment = '' and rows > 0 order by start")]


def test_a_larger_file_that_replaced_the_old_one_is_read_whole(tmp_path):
    """After a rotation by rename, the new file counts from its first row and the old file's rows are taken out."""
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


def test_a_file_that_grew_is_read_from_its_old_end(tmp_path):
    """Rows that were appended are added to those that were read before."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=9)
    log = station.hour(0, 300, name="app")
    with station.open():
        station.tick()
        with log.open("a") as file:
            file.write("\n".join(station.rows(START + timedelta(hours=1), timedelta(hours=1), 500)) + "\n")
        report = station.tick()
        assert report.taken.rows == 500
        assert (station.summary()["rows"], _windows(station)) == (800, [300, 500])
