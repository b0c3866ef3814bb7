"""`driftline reproduce`: numbers computed again from the log, beside those that an incident
told.
"""

import json
import os
from datetime import timedelta

import pytest
from click.testing import CliRunner
from station import MODEL, START, Station

from driftline.agent import composition_root
from driftline.cli.main import _run, cli

pytestmark = [pytest.mark.postgres, pytest.mark.system]

SEGMENTS = MODEL.replace("features:", "segments: [plan]\n      features:")
HIGHER = 30.0


def drifting(folder, monkeypatch, model: str = MODEL, halves: bool = False) -> Station:
    """The state of a stopped agent whose model drifts since the hour 4; with `halves`, each hour is
    two files.
    """
    station = Station(folder, model)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    for hour in range(6):
        changes = {"amount": lambda row, by=HIGHER * (hour >= 4): row["amount"] + by}
        if halves:
            at = START + timedelta(hours=hour)
            for part in range(2):
                half = at + part * timedelta(minutes=30)
                station.write(
                    f"log/{hour}-{part}.jsonl", half, timedelta(minutes=30), 200, **changes
                )
        else:
            station.hour(hour, **changes)
    station.clock.now = START + timedelta(hours=6, minutes=20)
    with station.open():
        station.tick()
    return station


@pytest.fixture
def station(tmp_path, monkeypatch):
    return drifting(tmp_path, monkeypatch)


def reproduce(station: Station, *args: str, code: int = 0) -> str:
    done = CliRunner().invoke(
        cli, ["reproduce", *args, "-c", str(station.config)], standalone_mode=False
    )
    given = done.return_value if done.exception is None else getattr(done.exception, "code", 2)
    assert (given or 0) == code, done.output + repr(done.exception)
    return done.output + (str(done.exception) if code == 2 else "")


def incident(station: Station) -> str:
    return next(note["incident"] for note in reversed(station.told()) if note["cause"] == "drift")


def found(station: Station, *args: str, code: int = 0) -> dict:
    return json.loads(reproduce(station, incident(station), "--json", *args, code=code))


def test_what_was_told_comes_out_again(station):
    """Value, interval and rows are the same, and it is the number that the message told."""
    told = found(station)
    [number] = told["numbers"]
    assert told["same"]
    assert number["now"] == number["stored"]
    assert (
        number["now"]["value"]
        == next(n for n in station.told() if n["cause"] == "drift")["alerts"][0]["value"]
    )
    assert (number["labels"], number["now"]["rows"], number["verdict"]) == (
        {"column": "amount"},
        400,
        "changed",
    )
    assert reproduce(station, incident(station)[:8]).endswith("the same: 1 number\n")


def test_it_runs_beside_the_agent(station):
    """The state is opened for reading, while an agent holds it."""
    with station.open():
        assert found(station)["same"]


def test_a_tampered_log_differs(station):
    """Rows that were changed in place, with the file's time put back, are another number: 1, and
    which.
    """
    path = station.folder / "log/0005.jsonl"
    before = path.stat()
    text = path.read_text()
    first = json.loads(text.splitlines()[0])
    fake = f"{-first['amount']:.20f}"[: len(str(first["amount"]))]
    path.write_text(text.replace(f'"amount": {first["amount"]}', f'"amount": {fake}', 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = found(station, code=1)
    [number] = told["numbers"]
    assert not number["same"]
    assert number["stored"]["rows"] == number["now"]["rows"] == 400
    assert number["stored"]["value"] != number["now"]["value"]
    assert "differs" in reproduce(station, incident(station), code=1)


def test_an_object_that_was_replaced_is_named(station):
    """Of a file with fewer rows, another version is read: both counts are shown."""
    path = station.folder / "log/0005.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:300]))
    [obj] = found(station, code=1)["objects"]
    assert (obj["replaced"], obj["rows"], obj["rows_now"]) == (True, 400, 300)
    shown = reproduce(station, incident(station), code=1)
    assert f"is version {obj['version_now']} now, 300 rows, was 400" in shown


def test_an_object_that_is_gone_ends_with_3_and_is_named(station, capsys):
    """There is nothing to compare: the environment failed."""
    (station.folder / "log/0005.jsonl").unlink()
    assert _run(["reproduce", incident(station), "-c", str(station.config)]) == 3
    assert "log/0005.jsonl" in capsys.readouterr().err


def test_a_reference_that_was_replaced_counts_as_it_did(station):
    """Numbers that were measured against an earlier reference are the same again."""
    with station.open():
        CliRunner().invoke(
            cli,
            [
                "reference",
                "accept",
                incident(station),
                "--author",
                "ada",
                "-c",
                str(station.config),
            ],
        )
        station.clock.now += timedelta(minutes=5)
        station.tick()
    report = found(station)
    assert report["same"]
    assert report["reference"] == "reference 1 (3,000 rows)"


def test_a_window_of_several_objects_and_its_segments(tmp_path, monkeypatch):
    """Each file's share of the window, and of each segment of it, is read again; --window asks for
    an earlier one.
    """
    station = drifting(tmp_path, monkeypatch, SEGMENTS, halves=True)
    told = found(station)
    assert told["same"]
    assert {number["segment"] for number in told["numbers"]} == {"", "plan=a", "plan=b", "plan=c"}
    assert [(each["rows"], each["rows_now"]) for each in told["objects"]] == [(200, 200)] * 2
    earlier = found(station, "--window", "2026-05-01T04:00")
    assert earlier["window"]["start"] == "2026-05-01T04:00:00+00:00"
    assert earlier["same"]
    assert "is kept in a window" in reproduce(
        station, incident(station), "--window", "2026-04-01", code=2
    )


def test_a_file_that_grows_is_read_as_far_as_it_was_counted(tmp_path, monkeypatch):
    """Piece by piece, and no further: what was appended since, seen by the agent or not, changes
    nothing.
    """
    station = Station(tmp_path)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    path = tmp_path / "log/all.jsonl"

    def grow(hour: float, count: int, by: float) -> None:
        at = START + timedelta(hours=hour)
        rows = station.rows(at, timedelta(minutes=30), count, amount=lambda row: row["amount"] + by)
        with path.open("a") as file:
            file.write("\n".join(rows) + "\n")
        os.utime(path, ns=(0, int((at + timedelta(minutes=30)).timestamp() * 1e9)))
        station.clock.now = at + timedelta(minutes=31)

    with station.open():
        for half in range(8):
            grow(half / 2, 150, HIGHER * (half >= 4))
            station.tick()
        station.clock.now += timedelta(minutes=20)
        station.tick()
    grow(3.5, 100, 0.0)
    told = found(station)
    assert told["same"]
    [obj] = told["objects"]
    assert (obj["replaced"], obj["rows"], obj["rows_now"]) == (False, 300, 300)
    path.write_text(path.read_text()[:-1000].replace('"plan": "a"', '"plan": "b"'))
    assert found(station, code=1)["objects"][0]["replaced"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_other_formats_come_out_again(tmp_path, monkeypatch, kind):
    """Whatever the format, an interval, the reference's number and the details are the same,
    too. Two days far from the reference are a change without a baseline.
    """
    import pyarrow.json
    from pyarrow import csv, parquet

    model = MODEL[: MODEL.index("    checks:")].replace("format: jsonl", f"format: {kind}")
    station = Station(tmp_path, model.replace("length: 1h", "length: 1d"))
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    day = timedelta(days=1)
    for number in range(6):
        by = HIGHER * (number >= 4)
        lines = station.write(
            f"log/{number}.jsonl",
            START + number * day,
            day,
            400,
            amount=lambda row, by=by: row["amount"] + by,
        )
        table = pyarrow.json.read_json(lines)
        write = parquet.write_table if kind == "parquet" else csv.write_csv
        write(table, lines.with_suffix(f".{kind}"))
        lines.unlink()
    station.clock.now = START + timedelta(days=6, minutes=20)
    with station.open():
        station.tick()
    told = found(station)
    assert told["same"]
    assert {number["measurement"] for number in told["numbers"]} == {
        "psi",
        "mean_shift",
        "outside_rate",
    }
    assert any(number["now"]["low"] is not None for number in told["numbers"])


def test_nothing_is_written(station):
    """Not a byte of the state, also where a number differs."""
    if not (state := station.folder / "state.db").exists():
        pytest.skip("the state is no file")
    kept = {path.name: path.read_bytes() for path in station.folder.iterdir() if path.is_file()}
    found(station)
    (station.folder / "log/0005.jsonl").write_text("{}\n")
    found(station, code=1)
    assert {
        path.name: path.read_bytes() for path in station.folder.iterdir() if path.is_file()
    } == kept
    assert state.name in kept


def test_what_is_no_number_of_a_window_is_a_mistake(station):
    """No incident of that name, and trouble of the agent, end with 2."""
    assert "there is no incident or model 'inc_none'" in reproduce(station, "inc_none", code=2)
    (station.folder / "log/0005.jsonl").write_bytes(b"\xff\xfe")
    (station.folder / "log/0006.jsonl").write_bytes(b"not json\n" * 50)
    station.clock.now += timedelta(hours=1)
    with station.open():
        station.tick()
    name = next(note["incident"] for note in station.told() if note["cause"] == "monitoring")
    assert "about the agent itself" in reproduce(station, name, code=2)
