"""What is bounded, what is tried again, and what is kept to explain a number later."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import databases
import pytest
from station import DIARY, MODEL, START, Station
from test_isolation import FINE, HANG, OTHER, PLUGIN, SHORT

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.system]


def test_a_column_of_ids_taken_for_versions_does_not_fill_the_state(tmp_path):
    """Beyond a hundred versions of one object the rest are counted together, each row once."""
    station = Station(tmp_path, MODEL.replace("id: id", "id: id\n      version: id"))
    station.hour(0, 1000)
    station.clock.now = START + timedelta(hours=1, minutes=20)
    with station.open():
        station.tick()
        assert station.sql("select count(*), sum(rows) from windows") == [(101, 1000)]


def test_an_object_that_hangs_is_given_up_and_the_others_go_on(tmp_path):
    """A task that never ends is tried a number of times; then its model is judged without it."""
    station = Station(tmp_path, plugins=DIARY)
    slow = f"yield __import__('pyarrow').RecordBatch.from_pydict({{'x': [1.0]}}) if '1' in ctx.uri[-1] else {HANG}"
    discover = "yield from (LogObject(uri=f'bad://{n}', version='1', size=33 << 20, modified=datetime(2026, 5, 1, tzinfo=timezone.utc)) for n in (0, 1))"
    (tmp_path / "plugs" / "bad.py").write_text(
        PLUGIN.format(**(FINE | {"decode": slow, "discover": discover}))
    )
    schema = "    schema: {{features: {{x: numeric}}}}\n    checks: {{volume: {{type: volume}}}}\n"
    station.configure(MODEL + OTHER.replace("FORMAT", "bad") + schema)
    with station.open(replace(SHORT, reading=1)):
        errors = []
        for _ in range(21):
            station.clock.now += timedelta(minutes=1)
            errors.append(station.tick("other").error)
        assert "hangs" in errors[0]
        assert errors[-1] == ""
        assert station.summary("other")["rows"] == 1
        assert station.summary("other")["quarantined"] == 1


def test_what_a_broken_plugin_could_not_read_is_read_once_it_is_mended(tmp_path):
    """After a start with a plugin that works, objects that failed by its fault are read; nothing
    has to be touched by hand.
    """
    station = Station(tmp_path, MODEL.replace("format: jsonl", "format: bad"), plugins=DIARY)
    plugin = tmp_path / "plugs" / "bad.py"
    plugin.write_text(PLUGIN.format(**(FINE | {"decode": "raise RuntimeError('a bug'); yield"})))
    station.hour(0)
    station.clock.now = START + timedelta(hours=1, minutes=20)
    with station.open():
        station.tick()
        assert station.summary()["quarantined"] == 1
        assert station.summary()["rows"] == 0
    mended = (
        "rows = [__import__('json').loads(line) for line in stream.read().splitlines()]; "
        "yield __import__('pyarrow').RecordBatch.from_pylist(rows)"
    )
    plugin.write_text(PLUGIN.format(**(FINE | {"decode": mended})))
    with station.open():
        station.tick()
        assert (station.summary()["quarantined"], station.summary()["rows"]) == (0, 400)


def test_windows_keep_the_configuration_and_the_plugins_that_judged_them(tmp_path):
    """From a window one gets back to the text of the configuration and to plugin versions, also
    after the file changed.
    """
    station = Station(tmp_path)
    station.hour(0)
    station.clock.now = START + timedelta(hours=1, minutes=20)
    with station.open():
        station.tick()
    station.configure(MODEL.replace("for: 2", "for: 3"))
    station.hour(1)
    station.clock.now = START + timedelta(hours=2, minutes=20)
    with station.open():
        station.tick()
        joined = "windows join configurations on digest = config_digest where windows.rows > 0 order by start"
        rows = station.sql(f"select content, plugins from {joined}")
    assert [json.loads(content)["checks"]["drift"]["for"] for content, _ in rows] == [2, 3]
    assert json.loads(rows[0][1])["check drift"].startswith("0.")


def begun(folder) -> bool:
    """Whether an agent is at work on the state of this folder."""
    if databases.ON_POSTGRES:
        return databases.rows(folder, "select 1 from models") != []
    return (folder / "state.db-wal").exists()


def test_a_single_pass_that_is_told_to_stop_says_so(tmp_path):
    """SIGTERM ends `run --once` soon, with an exit code that is neither fine nor findings."""
    station = Station(tmp_path)
    for hour in range(300):
        station.hour(hour, 20)
    command = [sys.executable, "-m", "driftline", "run", "--once", "-c", str(station.config)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while not begun(tmp_path):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 143, told
    assert "continues here" in told


def test_another_window_length_is_refused_with_the_mend(tmp_path):
    """Windows of two lengths would overlap and count rows twice: the model stops and says what to
    do, its state stays.
    """
    station = Station(tmp_path)
    station.hour(0)
    station.clock.now = START + timedelta(hours=1, minutes=20)
    with station.open():
        station.tick()
    station.configure(MODEL.replace("length: 1h", "length: 2h"))
    with station.open():
        assert "give the model another name" in station.tick().error
        assert station.events("monitoring") == ["opened"]
        assert station.summary()["windows"] == 1


def test_what_is_no_longer_watched_does_not_stay_open(tmp_path):
    """The incident of a check that was taken out of the configuration ends at the next start, and
    says why.
    """
    station = Station(tmp_path)
    for hour in range(3):
        station.hour(hour, amount=lambda row: row["amount"] + 40)
    station.clock.now = START + timedelta(hours=3, minutes=20)
    with station.open():
        station.tick()
        assert station.events("drift") == ["opened"]
    drift = next(line for line in MODEL.splitlines(keepends=True) if "type: drift" in line)
    station.configure(MODEL.replace(drift, ""))
    with station.open():
        report = station.tick()
        assert [change.event for change in report.closing.changes] == ["resolved"]
        assert station.events("drift") == ["opened", "resolved"]
        assert "no longer watched" in station.told()[-1]["facts"]["why"]
