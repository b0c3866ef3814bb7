"""Objects whose source fails: waited for, given up, tried again, and never lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import DIARY, MODEL, START, Station

from driftline.state.ledger import ATTEMPTS

pytestmark = [pytest.mark.postgres, pytest.mark.system]

GUARDED = (
    DIARY
    + '''
import io
from datetime import UTC, datetime
from driftline import LogObject, Source, SourceError

class Guarded(Source):
    """Files of a folder, one of which may not be read while there is a file `closed`; each is listed twice."""
    type = "guarded"
    path: str
    """The folder."""
    def discover(self, ctx):
        for path in sorted(Path(self.path).glob("*.jsonl")) * 2:
            size = path.stat().st_size
            yield LogObject(uri=f"g://{path.name}", version=str(size), size=size, modified=datetime(2026, 5, 1, tzinfo=UTC), grows=True)
    def open(self, obj, start=0):
        if "0001" in obj.uri and (Path(self.path) / "closed").exists():
            raise SourceError("access denied")
        return io.BytesIO((Path(self.path) / obj.uri[4:]).read_bytes()[start:obj.size])

@hookimpl
def register_sources():
    return [Guarded]
'''
)


@pytest.fixture
def station(tmp_path):
    """Two files, of which the agent may read the first."""
    made = Station(
        tmp_path,
        MODEL.replace(
            "type: local, options: {{path: {folder}/log",
            "type: guarded, options: {{path: {folder}/log",
        ),
        plugins=GUARDED,
    )
    for hour in range(2):
        made.hour(hour, 50)
    (tmp_path / "log" / "closed").touch()
    made.clock.now = START + timedelta(hours=5)
    return made


def judged(station: Station) -> list[tuple[int, int]]:
    return station.sql("select rows, revision from windows where rows > 0 order by start")


def test_what_a_source_refuses_is_given_up_and_read_when_it_can_be(station):
    """Windows wait for it, but not for ever; it is tried again each hour, and its rows restate
    their window.
    """
    with station.open():
        for _ in range(ATTEMPTS - 1):
            assert station.tick().closing.windows == 0
        assert station.tick().closing.windows > 0
        assert judged(station) == [(50, 1)]
        assert station.summary()["quarantined"] == 1
        (station.folder / "log" / "closed").unlink()
        station.clock.now += timedelta(minutes=5)
        assert station.tick().reading.objects == 0
        station.clock.now += timedelta(hours=1)
        assert station.tick().reading.rows == 50
        assert [rows for rows, _ in judged(station)] == [50, 50]
        assert station.summary()["quarantined"] == 0


def test_what_was_given_up_is_tried_after_a_start(station):
    """A new agent need not wait an hour; what is still refused holds nothing up."""
    with station.open():
        for _ in range(ATTEMPTS):
            station.tick()
    station.hour(2, 50)
    with station.open():
        report = station.tick()
        assert (report.reading.waiting, report.reading.rows) == (1, 50)
        assert judged(station)[-1] == (50, 1) or report.closing.windows
    (station.folder / "log" / "closed").unlink()
    with station.open():
        assert station.tick().reading.rows == 50
        assert station.summary()["rows"] == 150


def test_an_object_that_is_listed_twice_counts_once(station):
    """Also its new end, when it grew."""
    (station.folder / "log" / "closed").unlink()
    with station.open():
        assert station.tick().reading.rows == 100
        with (station.folder / "log" / "0000.jsonl").open("a") as file:
            file.write("\n".join(station.rows(START, timedelta(hours=1), 20)) + "\n")
        report = station.tick()
        assert (report.error, report.reading.rows) == ("", 20)
        assert [rows for rows, _ in judged(station)] == [70, 50]
