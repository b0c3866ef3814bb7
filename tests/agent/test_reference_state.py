"""What windows are compared with, and what becomes of them when that changes or they grow old."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import MODEL, START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]

REFERENCE = "reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}"
HOUR = 3_600_000_000


def due(station: Station, hours: int) -> None:
    station.clock.now = START + timedelta(hours=hours, minutes=20)


def test_a_model_with_only_a_source_and_a_reference_is_watched(tmp_path):
    """Schema and checks are inferred: drift in a column nobody named is found, and doubts are
    told.
    """
    station = Station(tmp_path)
    station.configure(
        "\n    source: {{type: local, options: {{path: {folder}/log}}}}\n    " + REFERENCE
    )
    hours = 50  # drift of this size takes two whole days to be a change
    for hour in range(hours):
        station.hour(
            hour, amount=lambda row: row["amount"] + 50, note=lambda row: f"free text {row['id']}"
        )
    due(station, hours)
    with station.open():
        report = station.tick()
        assert report.error == ""
        assert report.closing.windows == hours
        *_, told = station.told()
        assert [note["incident"] for note in station.told()] == [told["incident"]] * 2
        assert {(alert["cause"], alert["labels"]["column"]) for alert in told["alerts"]} == {
            ("quality", "amount"), ("drift", "amount"),
        }  # fmt: skip
        assert any("note" in doubt for doubt in report.warnings)
        assert station.tick().warnings == (), "doubts are told once"


def test_trailing_windows_are_the_reference(tmp_path):
    """With `trailing`, each window is compared with those before it; the first has none and is
    unsure.
    """
    station = Station(tmp_path, MODEL.replace(REFERENCE, "reference: {{trailing: 2d}}"))
    with station.open():
        for hour in range(8):
            station.hour(
                hour, amount=lambda row, hour=hour: row["amount"] + (60 if hour >= 6 else 0)
            )
            due(station, hour + 1)
            station.tick()
        assert station.events("drift") == ["opened"]
        first = station.sql(
            "select distinct reason from measurements where name = 'psi' and start = (select min(start) from measurements)"
        )
        assert first == [("no reference yet",)]


def test_a_fixed_span_of_the_log_is_the_reference(tmp_path):
    """With `window`, the model's own records of that span are what later windows are compared
    with.
    """
    span = f"{START.isoformat()}/{(START + timedelta(hours=3)).isoformat()}"
    station = Station(tmp_path, MODEL.replace(REFERENCE, f'reference: {{{{window: "{span}"}}}}'))
    for hour in range(6):
        station.hour(hour, amount=lambda row, hour=hour: row["amount"] + (60 if hour >= 4 else 0))
    due(station, 6)
    with station.open():
        station.tick()
        assert station.sql("select rows from reference_profiles") == [(1200,)]
        assert station.events("drift") == ["opened"]
        assert station.told()[0]["since"].startswith("2026-05-01T04")


def test_versions_and_segments_are_judged_apart(tmp_path):
    """A change in one segment of one version alarms there and nowhere else."""
    schema = "id: id\n      version: v\n      segments: [plan]"
    station = Station(tmp_path, MODEL.replace("id: id", schema))
    for hour in range(3):
        for version in ("a", "b"):

            def moved(row, version=version):
                return row["amount"] + (70 if version == "b" and row["plan"] == "c" else 0)

            station.hour(hour, 3000, name=f"{hour}-{version}", v=version, amount=moved)
    due(station, 3)
    with station.open():
        station.tick()
        changed = set(
            station.sql(
                "select version, segment from measurements where name='psi' and labels like '%amount%' and verdict='changed'"
            )
        )
        assert ("b", "plan=c") in changed
        assert {version for version, _ in changed} == {"b"}
        assert ("b", "plan=a") not in changed
        rows = dict(
            station.sql("select segment, sum(rows) from windows where version='a' group by 1")
        )
        assert rows[""] == 9000
        assert sum(count for segment, count in rows.items() if segment) == 9000


def test_a_new_reference_reads_again_what_is_still_open(tmp_path):
    """Judged windows stay as they are; the rows of open ones are counted anew on the new grid, each
    once.
    """
    station = Station(tmp_path)
    for hour in range(3):
        station.hour(hour)
    station.write(
        "log/straddling.jsonl", START + timedelta(hours=1, minutes=30), timedelta(hours=2), 1000
    )
    due(station, 2)
    with station.open():
        station.tick()
        assert station.summary()["windows"] == 2
    before = [("a",)]
    station.write("reference.jsonl", START - timedelta(days=1), timedelta(days=1), 2000)
    (tmp_path / "reference2.jsonl").write_text((tmp_path / "reference.jsonl").read_text())
    station.configure(MODEL.replace("reference.jsonl", "reference2.jsonl"))
    due(station, 4)
    with station.open():
        before = station.sql(
            f"select start, rows, revision from windows where start < {micros(2)} order by 1"
        )
        station.tick()
        assert (
            station.sql(
                f"select start, rows, revision from windows where start < {micros(2)} order by 1"
            )
            == before
        )
        assert station.sql("select number, rows from reference_profiles order by 1") == [
            (1, 3000),
            (2, 2000),
        ]
        assert station.sql(f"select sum(rows) from windows where start >= {micros(2)}") == [
            (400 + 750,)
        ]
        assert station.summary()["rows"] == 2200
        judged = station.sql(
            f"select distinct rows from measurements where name='psi' and start >= {micros(2)} order by 1"
        )
        assert judged == [(250,), (900,)]


def micros(hour: int) -> int:
    return int((START + timedelta(hours=hour)).timestamp() * 1_000_000)


@pytest.mark.slow
def test_old_windows_settle_roll_up_and_expire_but_the_ledger_stays(tmp_path):
    """Profiles of hours become profiles of days, and go by age; rows, objects and provenance
    remain.
    """
    station = Station(tmp_path)
    keep = ", keep: {profiles_hourly: 2d, profiles_daily: 4d, measurements: 3d}"
    station.configure(MODEL, keep)
    for hour in range(30):
        station.hour(hour, 50)
    due(station, 30)
    with station.open():
        station.tick()
        for _ in range(5):
            station.tick()
        assert station.sql("select count(*) from windows where settled = 1") == [(17,)]
        assert station.sql("select count(*) from shares where profile is null") == [(17,)]
        station.hour(24 * 4 - 1, 50)
        due(station, 24 * 4)
        for _ in range(12):
            station.tick()
        assert station.sql("select rows from rollups where rows > 0 order by start") == [
            (24 * 50,),
            (6 * 50,),
        ]
        assert station.sql(
            f'select count(*) from windows where profile is not null and "end" < {micros(40)} and rows > 0'
        ) == [(0,)]
        late = station.hour(0, 7, name="much-later")
        assert late.exists()
        station.tick()
        assert station.summary()["held"] == 7, "rows for a settled window are counted, not taken"
        station.hour(24 * 9 - 1, 50)
        due(station, 24 * 9)
        for _ in range(12):
            station.tick()
        assert station.sql(f'select count(*) from rollups where "end" < {micros(100)}') == [(0,)]
        assert station.sql(
            f"select count(*) from measurements where start < {micros(24 * 6 - 1)}"
        ) == [(0,)]
        assert station.sql("select count(*), sum(rows) from objects") == [(33, 1607)]
        assert station.sql("select count(*) from shares") == [(32,)]


def test_old_logs_are_not_forgotten_as_soon_as_they_are_judged(tmp_path):
    """Age counts from the newest record: what a replay of logs older than the history measured
    stays.
    """
    station = Station(tmp_path)
    station.configure(MODEL, ", keep: {profiles_hourly: 2d, profiles_daily: 4d, measurements: 3d}")
    station.hour(0, 50)
    due(station, 24 * 30)
    with station.open():
        station.tick()
        assert station.summary()["measurements"] > 0


def test_an_overwritten_object_counts_once(tmp_path):
    """The old share of an object that was written anew is taken out."""
    station = Station(tmp_path)
    station.hour(0, 400)
    due(station, 1)
    with station.open():
        station.tick()
        station.hour(0, 300)
        station.tick()
        assert station.summary()["rows"] == 300
        assert station.sql("select rows, revision from windows") == [(300, 2)]


def test_a_growing_file_counts_each_line_once(tmp_path):
    """Lines appended between ticks, torn ones too, are read from where the last whole line
    ended.
    """
    station = Station(tmp_path)
    lines = station.rows(START, timedelta(hours=1), 300)
    text = "\n".join(lines) + "\n"
    path = tmp_path / "log" / "growing.jsonl"
    with station.open():
        for cut in (1000, 1001, 9_000, 9_500, len(text)):
            path.write_text(text[:cut])
            station.clock.now = __import__("datetime").datetime.now(__import__("datetime").UTC)
            station.tick()
        assert station.summary()["rows"] == 300
        assert station.sql("select sum(rows) from windows where segment = ''") == [(300,)]


READS_ALL = """
from driftline import Check, Measurement, hookimpl

class Tallest(Check):
    \"\"\"The largest amount of all rows, read again one by one.\"\"\"
    type = "tallest"
    on_empty = False
    def evaluate(self, ctx):
        values = [v for batch in ctx.current.batches() for v in batch.column("amount").to_pylist()]
        yield Measurement(max(values), rows=len(values))

@hookimpl
def register_checks():
    return [Tallest]
"""


def test_a_check_may_read_the_rows_of_its_window_again(tmp_path):
    """Exactly the rows of its window, version and segment come back, also where objects hold rows
    of several windows.
    """
    schema = "id: id\n      segments: [plan]"
    station = Station(
        tmp_path, MODEL.replace("id: id", schema) + "      tallest: {{type: tallest}}\n"
    )
    (tmp_path / "plugs" / "tallest.py").write_text(READS_ALL)
    station.write("log/both.jsonl", START, timedelta(hours=2), 600)
    station.hour(1, 100)
    due(station, 2)
    with station.open():
        assert station.tick().error == ""
        found = station.sql(
            "select start, segment, rows from measurements where name='tallest' order by 1, 2"
        )
        assert [rows for _, segment, rows in found if not segment] == [300, 400]
        assert found == station.sql("select start, segment, rows from windows order by 1, 2")
