"""The last line of a file that is still written: it waits, whoever looks."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from station import MODEL, START, Station

pytestmark = [pytest.mark.system]

REFERENCE = "{{type: local, options: {{path: {folder}/reference.jsonl}}}}"
CSV = MODEL.replace("format: jsonl", "format: csv")


def _records(station: Station) -> tuple[int, int]:
    return station.summary()["rows"], station.summary()["rejected"]


@pytest.mark.parametrize("bad_line", ["", "no record\n", '{"t\n'])
@pytest.mark.parametrize("whole_rows", [0, 100])
def test_a_torn_line_of_json_waits(tmp_path, whole_rows, bad_line):
    """One pass that reads everything to its end counts neither the torn line nor a reject; once the
    rest of the line is there, it is a row. Another bad line is a reject, also one that looks alike.
    """
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=2)
    lines = station.rows(START, timedelta(hours=1), whole_rows + 1)
    log = tmp_path / "log" / "app.jsonl"
    head = "".join(f"{line}\n" for line in lines[:-1]) + bad_line
    rejects = int(bool(bad_line))
    with station.open():
        for cut in (3, 40):
            log.write_text(head + lines[-1][:cut])
            for _ in range(2):
                station.tick(seal=True)
                assert _records(station) == (whole_rows, rejects)
        log.write_text(head + lines[-1] + "\n")
        station.tick(seal=True)
        assert _records(station) == (whole_rows + 1, rejects)


def test_a_torn_line_that_stays_is_a_reject(tmp_path):
    """After two minutes without a change nobody writes its rest."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=2)
    log = station.hour(0, 50, name="app")
    log.write_text(log.read_text() + '{"t": "2026')
    with station.open():
        station.tick(seal=True)
        assert _records(station) == (50, 0)
        at = station.clock.now.timestamp()
        os.utime(log, (at, at))
        station.clock.now += timedelta(minutes=3)
        station.tick(seal=True)
        assert _records(station) == (50, 1)


def test_a_torn_line_is_no_loss_of_the_reference(tmp_path):
    """The reference that is made from the log says nothing of a line that waits."""
    station = Station(tmp_path, MODEL.replace(REFERENCE, "{{trailing: 28d}}"))
    station.clock.now = START + timedelta(hours=2)
    log = station.hour(0, 1, name="app")
    log.write_text(log.read_text() + '{"t": "2026')
    with station.open():
        station.tick(seal=True)
        assert _records(station) == (1, 0)
        assert "losses" not in station.summary()["reference"]


def test_a_torn_line_alone_is_why_there_is_no_reference(tmp_path):
    """The error says what the only record is; the file is not called empty."""
    station = Station(tmp_path, MODEL.replace(REFERENCE, "{{trailing: 28d}}"))
    station.clock.now = START + timedelta(hours=2)
    (tmp_path / "log").mkdir(exist_ok=True)
    (tmp_path / "log" / "app.jsonl").write_text('{"t": "2026')
    with station.open():
        error = station.tick(seal=True).error
        assert "1 of 1 records left out of the reference in app.jsonl: not JSON" in error


def test_a_torn_line_of_csv_waits(tmp_path):
    """Too few values in the last line may become enough."""
    station = Station(tmp_path, CSV)
    station.clock.now = START + timedelta(hours=2)
    log = tmp_path / "log" / "app.csv"
    (tmp_path / "log").mkdir(exist_ok=True)
    whole = "t,id,amount,plan\n" + "".join(
        f"{(START + timedelta(minutes=n)).isoformat()},{n},5{n},a\n" for n in range(30)
    )
    with station.open():
        log.write_text(whole[:-6])
        station.tick(seal=True)
        assert _records(station) == (29, 0)
        log.write_text(whole)
        station.tick(seal=True)
        assert _records(station) == (30, 0)


def test_a_whole_last_line_without_its_end_is_a_row(tmp_path):
    """One pass reads it; more lines later count once."""
    station = Station(tmp_path)
    station.clock.now = START + timedelta(hours=2)
    log = station.hour(0, 50, name="app")
    text = log.read_text()
    with station.open():
        log.write_text(text.rstrip("\n"))
        station.tick(seal=True)
        assert _records(station) == (50, 0)
        log.write_text(
            text + "".join(f"{line}\n" for line in station.rows(START, timedelta(hours=1), 7))
        )
        station.tick(seal=True)
        assert _records(station) == (57, 0)
