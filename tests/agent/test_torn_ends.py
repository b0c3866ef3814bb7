"""Files that are still being written: no end of a line is lost, whatever was there when it was
read.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from station import START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]

LONG = timedelta(minutes=10)


def _append(path: Path, text: str, at: datetime) -> None:
    with path.open("a") as file:
        file.write(text)
    os.utime(path, (at.timestamp(), at.timestamp()))


def _counted(station: Station) -> tuple[int, int, int]:
    [(rows,)] = station.sql("select coalesce(sum(rows), 0) from windows where segment = ''")
    return rows, station.summary()["rows"], station.summary()["rejected"]


@pytest.fixture
def station(tmp_path):
    """An agent that runs, nine hours after the start."""
    made = Station(tmp_path)
    made.clock.now = START + timedelta(hours=9)
    with made.open():
        yield made


@pytest.mark.parametrize("whole", [0, 5])
def test_a_last_line_without_its_end_counts_once_the_file_rests(station, whole):
    """A file, or its new part, that holds one line without newline is taken when nothing more
    comes.
    """
    log, lines = (
        station.folder / "log" / "a.jsonl",
        station.rows(START, timedelta(hours=1), whole + 1),
    )
    if whole:
        _append(log, "\n".join(lines[:whole]) + "\n", station.clock.now)
        station.tick()
    _append(log, lines[whole], station.clock.now)
    station.tick()
    assert _counted(station) == (whole, whole, 0)
    station.clock.now += LONG
    station.tick()
    assert _counted(station) == (whole + 1, whole + 1, 0)
    assert station.tick().reading.objects == 0


@pytest.mark.parametrize("first", [0, 5])
@pytest.mark.parametrize("missing", [0, 7])
def test_a_line_that_was_taken_torn_is_taken_again_when_its_end_comes(station, first, missing):
    """A writer may pause within a line for longer than anyone waits: in the end every line counts
    once, none is rejected.
    """
    log, lines = station.folder / "log" / "a.jsonl", station.rows(START, timedelta(hours=1), 12)
    if first:
        _append(log, "\n".join(lines[:first]) + "\n", station.clock.now)
        station.tick()
    torn = "\n".join(lines[first:8])
    _append(log, torn[: len(torn) - missing], station.clock.now)
    station.clock.now += LONG
    station.tick()
    _append(
        log, torn[len(torn) - missing :] + "\n" + "\n".join(lines[8:]) + "\n", station.clock.now
    )
    station.tick()
    assert _counted(station) == (12, 12, 0)


def test_a_file_that_was_written_anew_in_its_place_is_read_whole(station):
    """Truncated and written again beyond its old size, it is no continuation: the old rows go, the
    new ones all count.
    """
    log = station.hour(0, 300, name="a")
    station.tick()
    log.write_text(
        "".join(
            f'{line[:-1]}, "more": "{"x" * 50}"}}\n'
            for line in station.rows(START, timedelta(hours=1), 320)
        )
    )
    station.tick()
    assert _counted(station) == (320, 320, 0)
