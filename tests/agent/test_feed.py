"""Listings that leave old places out, a backlog of months, and windows too old to call anybody
for.
"""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
import sqlalchemy as sa
from station import MODEL, START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]

LAYOUT = MODEL.replace(
    "path: {folder}/log, format: jsonl", "path: {folder}/log, layout: '%Y/%m/%d/%H/', format: jsonl"
)
NULL = LAYOUT.replace("reopen_for: 12h", "reopen_for: 12h, notify_within: null, backfill: null")


@pytest.fixture
def station(tmp_path):
    return Station(tmp_path / "s", NULL)


def hour(station, number, count=60, name="a", **changes):
    """The log of one hour, in the folder of that hour."""
    at = START + timedelta(hours=number)
    (station.folder / "log" / f"{at:%Y/%m/%d/%H}").mkdir(parents=True, exist_ok=True)
    return station.write(
        f"log/{at:%Y/%m/%d/%H}/{name}.jsonl", at, timedelta(hours=1), count, **changes
    )


def test_only_open_places_are_listed_again(station):
    """After the first pass, a tick looks into the folders of the last hours; what is put into an
    old one is found within a day.
    """
    for number in range(40):
        hour(station, number)
    station.clock.now = START + timedelta(hours=40)
    with station.open():
        assert station.tick().object_count == 40
        station.clock.now += timedelta(minutes=30)
        assert station.tick().object_count <= 4
        hour(station, 5, name="late")
        assert station.tick().reading.objects == 0
        station.clock.now = START + timedelta(hours=64, minutes=1)
        report = station.tick()
        assert (report.object_count, report.reading.objects) == (41, 1)


def test_a_new_object_in_an_open_place_is_read_at_once(station):
    """A file of the hour before, written late, is found by the next tick."""
    for number in range(10):
        hour(station, number)
    station.clock.now = START + timedelta(hours=10, minutes=5)
    with station.open():
        station.tick()
        hour(station, 9, name="late")
        hour(station, 10)
        assert station.tick().reading.objects == 2


def test_an_agent_that_was_away_lists_from_where_it_left(station):
    """What came while the agent was off is found, however long that was, without listing what came
    before.
    """
    for number in range(20):
        hour(station, number)
    station.clock.now = START + timedelta(hours=20)
    with station.open():
        station.tick()
    for number in range(20, 40):
        hour(station, number)
    station.clock.now = START + timedelta(hours=40)
    with station.open():
        report = station.tick()
        assert report.reading.objects == 20
        assert report.object_count <= 24


def test_other_settings_of_the_source_list_everything(station):
    """A changed setting may change what there is: nothing is left out then."""
    for number in range(30):
        hour(station, number)
    station.clock.now = START + timedelta(hours=30)
    with station.open():
        station.tick()
    station.configure(NULL.replace("format: jsonl", "grows: false, format: jsonl"))
    with station.open():
        assert station.tick().object_count == 30


def test_an_old_object_that_can_not_be_read_is_looked_for_where_it_is(station):
    """While an object waits to be read again everything is listed, and its windows are judged once
    it is there.
    """
    for number in range(40):
        hour(station, number)
    broken = hour(station, 3, name="b")
    station.clock.now = START + timedelta(hours=40)
    broken.rename(broken.with_suffix(".tmp"))
    with station.open():
        station.tick()
        agent = station.agent
        with agent.store.write() as connection:
            connection.execute(
                sa.text(
                    "UPDATE objects SET state = 'waiting', version = '' WHERE uri LIKE '%/01/03/a.jsonl'"
                )
            )
        station.clock.now += timedelta(minutes=1)
        report = station.tick()
        assert report.reading.objects == 1


def test_months_are_read_and_judged_day_by_day(station):
    """A backlog is judged in the order of its days while it is read, and ends as if it had been
    watched all along.
    """
    for number in range(0, 24 * 6, 3):
        hour(station, number)
    station.clock.now = START + timedelta(days=6, hours=1)
    seen = []
    with station.open():
        agent = station.agent
        watch = agent.watches["shop"]
        _note_progress(watch.callbacks, seen)
        station.tick()
        judged = [name for name, _ in seen if name == "judge"]
        assert judged, "windows are judged"
        first = next(place for place, (name, _) in enumerate(seen) if name == "judge")
        assert any(name == "read" for name, _ in seen[first:]), "while there is more to read"
        starts = [
            row[0]
            for row in station.sql("SELECT start FROM windows WHERE revision = 1 ORDER BY start")
        ]
        assert len(starts) == len({*starts}) == 142, "the hours without rows between them, too"
        assert station.sql("SELECT max(revision) FROM windows") == [(1,)]


def _note_progress(callbacks, seen):
    callbacks.progress = lambda stage, done, total, rows: seen.append((stage, done))


def test_what_happened_before_anybody_watched_calls_nobody(tmp_path):
    """Old windows are judged and kept; the first window that is young enough tells."""
    station = Station(tmp_path / "s", LAYOUT)
    for number in range(30):
        hour(
            station, number, count=400, **({"amount": 500.0} if number < 10 or number > 24 else {})
        )
    station.clock.now = START + timedelta(hours=31)
    with station.open():
        report = station.tick()
        assert report.closing.silenced_windows > 0
        assert (
            station.sql(
                "SELECT count(*) FROM measurements WHERE verdict = 'changed' AND start < 1777633200000000"
            )[0][0]
            > 0
        )
        starts = {note["since"] for note in station.told() if note["cause"] == "drift"}
        assert starts == {"2026-05-01T06:00:00Z", "2026-05-02T01:00:00Z"}, (
            "told from 24 hours ago on"
        )


def test_a_late_row_in_a_silent_window_stays_silent(tmp_path):
    """A window that told nobody when it was first judged tells nobody when it is judged again."""
    station = Station(tmp_path / "s", LAYOUT.replace("reopen_for: 12h", "reopen_for: 90d"))
    hour(station, 0, count=400, amount=500.0)
    hour(station, 50)
    station.clock.now = START + timedelta(hours=51, minutes=20)
    with station.open():
        station.tick()
        told = len(station.told())
        hour(station, 0, count=400, amount=500.0, name="late")
        station.clock.now += timedelta(days=1)
        station.tick()
        assert station.sql("SELECT revision, quiet FROM windows ORDER BY start LIMIT 1") == [(2, 1)]
        assert [note for note in station.told()[told:] if note["cause"] == "drift"] == []


def test_logs_older_than_backfill_are_left_alone(tmp_path):
    """A folder named by a day long past is not read at first sight, and the report says so."""
    station = Station(
        tmp_path / "s", LAYOUT.replace("reopen_for: 12h", "reopen_for: 12h, backfill: 1d")
    )
    for number in (0, 40):
        hour(station, number)
    station.clock.now = START + timedelta(hours=41)
    with station.open():
        report = station.tick()
        assert report.reading.objects == 1
        assert [reason for _, reason in report.skipped_objects] == ["older than windows.backfill"]


def test_what_a_folder_says_is_a_column(tmp_path):
    """A name in the layout can be the version of the model, where the records have no such
    column.
    """
    station = Station(
        tmp_path / "s",
        NULL.replace("'%Y/%m/%d/%H/'", "'{{variant}}/%Y/%m/%d/%H/'").replace(
            "id: id", "id: id\n      version: variant"
        ),
    )
    for variant in ("blue", "green"):
        at = START
        folder = station.folder / "log" / variant / f"{at:%Y/%m/%d/%H}"
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text("\n".join(station.rows(at, timedelta(hours=1), 50)) + "\n")
    station.clock.now = START + timedelta(hours=2)
    with station.open():
        station.tick()
        assert station.sql("SELECT version, rows FROM windows WHERE rows > 0 ORDER BY version") == [
            ("blue", 50),
            ("green", 50),
        ]


def test_a_place_that_vanished_is_noted_by_the_next_whole_listing(station):
    """What a narrow listing leaves out is not taken for gone."""
    for number in range(30):
        hour(station, number)
    station.clock.now = START + timedelta(hours=30)
    with station.open():
        station.tick()
        shutil.rmtree(station.folder / "log" / "2026/05/01/03")
        station.clock.now += timedelta(hours=1)
        assert station.tick().reading.gone == 0
        station.clock.now += timedelta(days=1)
        assert station.tick().reading.gone == 1
        assert json.loads(json.dumps(station.summary()))["rows"] == 30 * 60
