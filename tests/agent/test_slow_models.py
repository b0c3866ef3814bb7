"""A model whose log is slow to read, or has months to read, delays no other model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from station import DIARY, MODEL, START, Station

pytestmark = [pytest.mark.system]

PATIENCE = 90.0
DAYS, DAYS_READ_FIRST = 90, 30
PLUGIN = '''
import io, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from driftline import LogObject, Source, hookimpl

class Trickle(Source):
    """Four objects, of which each read gives one byte after a second, until `stop` is there."""
    type = "trickle"
    stop_file: str
    """The file that ends the wait."""
    def discover(self, ctx):
        for n in range(4):
            yield LogObject(uri=f"trickle://{n}", version="1", size=1000, modified=ctx.now)
    def open(self, obj, start=0):
        return Drops(Path(self.stop_file))

class Drops(io.RawIOBase):
    def __init__(self, stop):
        self._stop = stop
    def readable(self):
        return True
    def read(self, size=-1):
        for _ in range(20):
            if self._stop.exists():
                return b""
            time.sleep(0.05)
        return b" "

class Archive(Source):
    """Files of days; after some of them, reading waits for the file `gate`."""
    type = "archive"
    folder: str
    """The folder of the files, named by day."""
    gate: str
    """The file that ends the wait."""
    first: int
    """Files that are read before."""
    def discover(self, ctx):
        for path in sorted(Path(self.folder).iterdir()):
            day = datetime.fromisoformat(path.stem).replace(tzinfo=timezone.utc)
            yield LogObject(uri=path.as_uri(), version="1", size=path.stat().st_size,
                            modified=day + timedelta(days=1), partition=day)
    def open(self, obj, start=0):
        path = Path(obj.uri.removeprefix("file://"))
        number = sorted(Path(self.folder).iterdir()).index(path)
        while number >= self.first and not Path(self.gate).exists():
            time.sleep(0.02)
        return io.BytesIO(path.read_bytes()[start:])

@hookimpl
def register_sources():
    return [Trickle, Archive]
'''
SLOW = """
  slow:
    source: {{type: trickle, options: {{stop_file: {folder}/stop, format: jsonl}}}}
    schema: {{timestamp: t, features: {{amount: numeric}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    first_report: false
"""
OLD = """
  old:
    source: {{type: archive, options: {{folder: {folder}/days, gate: {folder}/gate, first: FIRST, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1d, lateness: 0s, backfill: 120d}}
    checks:
      drift: {{type: drift, rule: {{measurement: psi, above: {{warning: 0.1, critical: 0.25}}}}}}
    first_report: false
""".replace("FIRST", str(DAYS_READ_FIRST))


@pytest.fixture
def station(tmp_path) -> Station:
    made = Station(tmp_path, plugins=DIARY)
    (tmp_path / "plugs" / "slow.py").write_text(PLUGIN)
    made.clock.now = START + timedelta(days=DAYS, hours=1)
    for hour in range(3):
        made.hour(24 * DAYS - 4 + hour, amount=lambda row: row["amount"] + 40)
    return made


@contextmanager
def running(station: Station) -> Iterator[Station]:
    """The loops of the agent run in their threads, as in the daemon."""
    with station.open():
        assert station.agent is not None
        station.agent.start()
        try:
            yield station
        finally:
            for name in ("stop", "gate"):
                (station.folder / name).touch()
            assert station.agent.stop()


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def judged_windows(station: Station, model: str) -> int:
    query = (
        f"select count(*) from windows where model = '{model}' and segment = '' and revision > 0"
    )
    return int(station.sql(query)[0][0])


def test_a_source_of_one_byte_a_second_delays_no_other_model(station):
    """The other model judges its windows and tells of its drift while not one record of the slow
    one has come.
    """
    station.configure(MODEL + "    first_report: false\n" + SLOW)
    with running(station):
        wait_for(
            lambda: judged_windows(station, "shop") == 3 and "opened" in station.events("drift")
        )
        assert station.summary("slow")["rows"] == 0
        assert station.sql("select count(*) from windows where model = 'slow'") == [(0,)]


@pytest.mark.slow
def test_a_backfill_of_90_days_delays_no_other_model_and_pages_nobody(station):
    """It stands still in its first third while the other model is judged. Its old windows are
    judged and marked as quiet, drift in them calls nobody.
    """
    days = station.folder / "days"
    days.mkdir()
    for day in range(DAYS):
        at = START + timedelta(days=day)
        shift = 400 if day < DAYS - 10 else 0
        station.write(
            f"days/{at:%Y-%m-%d}.jsonl", at, timedelta(days=1), 100,
            amount=lambda row, shift=shift: row["amount"] + shift,
        )  # fmt: skip
    station.configure(MODEL + "    first_report: false\n" + OLD)
    with running(station):
        wait_for(
            lambda: judged_windows(station, "shop") == 3 and "opened" in station.events("drift")
        )
        assert station.summary("old")["rows"] <= 100 * DAYS_READ_FIRST
        (station.folder / "gate").touch()
        wait_for(lambda: judged_windows(station, "old") == DAYS)
        assert station.summary("old")["rows"] == 100 * DAYS
        query = (
            "select quiet, count(*) from windows where model = 'old' and segment = '' group by 1"
        )
        marks = dict(station.sql(query))
        assert marks == {1: DAYS - 1, 0: 1}
        drifted = "select count(distinct start) from measurements where model = 'old' and verdict = 'changed'"
        assert station.sql(drifted)[0][0] >= DAYS - 12
    assert [note for note in station.told() if note["model"] == "old"] == []
