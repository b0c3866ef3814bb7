"""Inputs and outputs of one endpoint, logged apart in files that grow: one row each in the end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import databases
import measurement_sql
import pytest
import sqlalchemy as sa
from database_dump import dump
from station import START, Station

from driftline.agent.summary import summarise
from driftline.cli.status import show_models
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.window import Window
from driftline.state import windows
from driftline.types.records import WindowKey
from driftline.types.times import as_micros

pytestmark = [pytest.mark.postgres, pytest.mark.system]

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: azureml}}}}
    schema:
      timestamp: event_time
      id: event_id
      version: model_version
      features: {{amount: numeric}}
      prediction: {{column: churned, kind: binary}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 6h}}
    checks:
      missing: {{type: missing}}
"""
COMPARED = ("objects", "shares", "windows", "measurements", "alerts", "incidents", "waiting")


def at(minutes: float):
    return START + timedelta(minutes=minutes)


def log(
    folder: Path,
    collection: str,
    numbers: Iterable[int],
    *,
    name: str = "a",
    deployment: str = "blue",
    shift: int = 0,
) -> None:
    """Append records of one row; number N comes at minute N, an output three seconds later."""
    later = timedelta(seconds=3 if collection == "model_outputs" else 0)
    for number in numbers:
        moment = at(number) + later
        file = folder / f"log/shop/{deployment}/{collection}/{moment:%Y/%m/%d/%H}/{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        row = (
            {"churned": (number + shift) % 2, "sure": 0.5}
            if collection == "model_outputs"
            else {"amount": float(number)}
        )
        record = {
            "specversion": "1.0",
            "type": "azureml.inference.inputs",
            "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "data": [row],
            "correlationid": f"c-{number}",
        }
        with file.open("a") as lines:
            lines.write(json.dumps(record) + "\n")


@pytest.fixture
def station(tmp_path):
    station = Station(tmp_path, MODEL)
    station.write(
        "reference.jsonl",
        START - timedelta(days=1),
        timedelta(days=1),
        500,
        churned=lambda row: len(row["id"]) % 2,
    )
    return station


def window(station: Station, hour: int, version: str = "blue") -> Window:
    agent = station.agent
    with agent.store.read() as connection:
        key = WindowKey("shop", as_micros(at(60 * hour)), version, "")
        ground = agent.watches["shop"].reference
        return windows.load_profile(connection, key, ground.spec, BUILT_IN).window()


def answered(found: Window) -> tuple[int, int]:
    """Rows, and how many of them have an answer."""
    [churned] = [column for column in found.categorical() if column.name == "churned"]
    return found.rows, churned.count


def revision(station: Station, hour: int) -> int:
    with station.agent.store.read() as connection:
        c = windows.windows.c
        query = sa.select(c.revision).where(
            c.start == as_micros(at(60 * hour)), c.segment == "", c.version == "blue"
        )
        return connection.execute(query).scalar_one()


def tick(station: Station, minutes: float):
    station.clock.now = at(minutes)
    report = station.tick()
    assert report.error == ""
    return report


def test_outputs_that_come_minutes_later_complete_their_rows(station):
    """Before they come a row has no answer; within the lateness nobody sees that; after it the
    window is revised.
    """
    with station.open():
        log(station.folder, "model_inputs", range(40))
        assert tick(station, 41).reading.rows == 40
        assert answered(window(station, 0)) == (40, 0)
        log(station.folder, "model_outputs", range(20))
        log(station.folder, "model_inputs", range(40, 60))
        report = tick(station, 61)
        assert (report.reading.rows, report.reading.responses, report.closing.windows) == (
            20,
            20,
            0,
        )
        assert answered(window(station, 0)) == (60, 20)
        assert station.summary()["unpaired"] == {"requests": 0, "responses": 0, "settled": 0}
        log(station.folder, "model_outputs", range(20, 50))
        assert tick(station, 80).closing.windows == 1
        assert answered(window(station, 0)) == (60, 50)
        assert revision(station, 0) == 1
        assert station.summary()["unpaired"] == {"requests": 10, "responses": 0, "settled": 0}
        log(station.folder, "model_outputs", range(50, 60), name="b")
        tick(station, 90)
        assert answered(window(station, 0)) == (60, 60)
        assert revision(station, 0) == 2
        assert station.summary()["unpaired"] == {"requests": 0, "responses": 0, "settled": 0}
        assert tick(station, 91).closing.windows == 0
        assert station.summary()["rows"] == 60


def test_outputs_may_come_first(station):
    """A response without its request is kept and counts as nothing until that comes."""
    with station.open():
        log(station.folder, "model_outputs", range(30))
        tick(station, 31)
        assert station.summary()["rows"] == 0
        log(station.folder, "model_inputs", range(25))
        tick(station, 76)
        assert answered(window(station, 0)) == (25, 25)
        assert station.summary()["unpaired"] == {"requests": 0, "responses": 5, "settled": 0}


def test_what_stays_alone_is_counted_when_its_window_is_settled(station, capsys):
    """Then its halves are forgotten, and what comes for them still is only counted."""
    with station.open():
        log(station.folder, "model_inputs", range(60))
        log(station.folder, "model_outputs", [*range(50), *range(100, 107)])
        tick(station, 61)
        log(station.folder, "model_inputs", range(560, 566))
        log(station.folder, "model_outputs", range(560, 566))
        for minutes in (570, 680, 681):
            tick(station, minutes)
        assert station.summary()["unpaired"] == {"requests": 0, "responses": 0, "settled": 17}
        log(station.folder, "model_outputs", range(50, 54), name="late")
        log(station.folder, "model_inputs", range(54, 56), name="late")
        tick(station, 690)
        assert answered(window(station, 0)) == (60, 50)
        summary = station.summary()
        assert summary["unpaired"] == {"requests": 0, "responses": 0, "settled": 21}
        assert summary["held"] == 2
        with station.agent.store.read() as connection:
            left = connection.execute(
                sa.text("SELECT sum(rows) FROM waiting WHERE removed = 0")
            ).scalar()
        assert left == 12
        show_models(summarise(station.agent.store, station.agent.config))
        assert "21 stayed without a partner in closed windows" in capsys.readouterr().out


def test_outputs_that_stop_are_an_alert(station):
    """Most requests of an hour without a response, where earlier ones had theirs: the feed is
    broken, and then mended.
    """

    def troubles() -> list[tuple[str, str]]:
        return [(row["state"], row["title"]) for row in station.summary()["incidents"]]

    with station.open():
        log(station.folder, "model_inputs", range(60))
        log(station.folder, "model_outputs", range(60))
        tick(station, 80)
        assert troubles() == []
        log(station.folder, "model_inputs", range(60, 120))
        log(station.folder, "model_outputs", range(60, 70))
        tick(station, 140)
        told = [
            json.loads(line) for line in (station.folder / "diary.jsonl").read_text().splitlines()
        ]
        assert any(
            "50 of 60 requests since 2026-05-01 01:00 have no response" in json.dumps(message)
            for message in told
        )
        log(station.folder, "model_outputs", range(70, 120))
        tick(station, 150)
        assert all(state == "resolved" for state, title in troubles() if "source" in title)


def test_two_deployments_are_two_versions(station):
    """The folder names the deployment, and that is the version where the record says `default` or
    nothing.
    """
    with station.open():
        for deployment, numbers in (("blue", range(30)), ("green", range(30, 50))):
            log(station.folder, "model_inputs", numbers, deployment=deployment)
            log(station.folder, "model_outputs", numbers, deployment=deployment)
        tick(station, 80)
        assert answered(window(station, 0)) == (30, 30)
        assert answered(window(station, 0, "green")) == (20, 20)


def test_an_overwritten_file_takes_its_halves_along(station):
    """Outputs that are written anew, with fewer rows, leave their requests alone again."""
    with station.open():
        log(station.folder, "model_inputs", range(30))
        log(station.folder, "model_outputs", range(30))
        tick(station, 40)
        assert answered(window(station, 0)) == (30, 30)
        [file] = (station.folder / "log").rglob("model_outputs/**/*.jsonl")
        file.unlink()
        log(station.folder, "model_outputs", range(10))
        tick(station, 50)
        assert answered(window(station, 0)) == (30, 10)


def test_what_changes_nothing_is_not_judged_again(station):
    """A copy of the outputs that comes after its window was judged."""
    with station.open():
        log(station.folder, "model_inputs", range(30))
        log(station.folder, "model_outputs", range(30))
        assert tick(station, 80).closing.windows == 1
        log(station.folder, "model_outputs", range(30), name="copy")
        report = tick(station, 90)
        assert (report.reading.responses, report.closing.windows, revision(station, 0)) == (
            30,
            0,
            1,
        )


def test_rows_that_are_seen_again_are_whole(station):
    """A check that rereads its window gets inputs with outputs; the halves come from where they are
    kept.
    """
    (station.folder / "plugs" / "eager.py").write_text(EAGER)
    station.configure(MODEL + "      eager: {{type: eager}}\n")
    with station.open():
        log(station.folder, "model_inputs", range(20))
        log(station.folder, "model_outputs", range(15))
        tick(station, 80)
        with station.agent.store.read() as connection:
            query = "SELECT value FROM measurements WHERE name = 'eager'"
            assert measurement_sql.query(connection, query) == [(2015,)]


def test_another_schema_reads_both_sides_again(station):
    """Windows judged before stay as they are; those still open have the new column, though only
    responses tell it.
    """
    with station.open():
        log(station.folder, "model_inputs", range(90))
        log(station.folder, "model_outputs", range(80))
        tick(station, 91)
        assert (answered(window(station, 0)), answered(window(station, 1))) == ((60, 60), (30, 20))
    station.write(
        "other.jsonl",
        START - timedelta(days=1),
        timedelta(days=1),
        300,
        amount=lambda row: 7.0,
        churned=1,
    )
    station.configure(
        MODEL.replace("reference.jsonl", "other.jsonl").replace(
            "numeric}}", "numeric, sure: numeric}}"
        )
    )
    with station.open():
        tick(station, 92)
        found = window(station, 1)
        assert answered(found) == (30, 20)
        assert [column.count for column in found.numeric() if column.name == "sure"] == [20]
        log(station.folder, "model_outputs", range(80, 90))
        tick(station, 140)
        assert answered(window(station, 1)) == (30, 30)
        summary = station.summary()
        assert (summary["held"], summary["rows"]) == (0, 90)
        assert summary["unpaired"] == {"requests": 0, "responses": 0, "settled": 0}


LABELLED = MODEL.replace(
    "    schema:\n",
    "    labels: {{type: local, options: {{path: {folder}/truth.jsonl, format: jsonl}}, label: truth}}\n    schema:\n",
).replace("    reference:", "      label: {{column: truth}}\n    reference:")


def test_labels_find_predictions_that_came_as_responses(station):
    """Also when the answers are swapped afterwards: as many of each class as before, but each is
    wrong now.
    """

    def accuracy() -> list[float | None]:
        with station.agent.store.read() as connection:
            query = "SELECT value, rows FROM measurements WHERE name = 'accuracy'"
            return [tuple(row) for row in measurement_sql.query(connection, query)]

    station.configure(LABELLED + "      performance: {{type: performance}}\n")
    truth = [json.dumps({"event_id": f"c-{number}_0", "truth": number % 2}) for number in range(40)]
    (station.folder / "truth.jsonl").write_text("\n".join(truth) + "\n")
    with station.open():
        log(station.folder, "model_inputs", range(40))
        log(station.folder, "model_outputs", range(40))
        tick(station, 80)
        tick(station, 81)
        assert accuracy() == [(1.0, 40)]
        [file] = (station.folder / "log").rglob("model_outputs/**/*.jsonl")
        file.unlink()
        log(station.folder, "model_outputs", range(40), shift=1)
        tick(station, 90)
        tick(station, 91)
        assert accuracy() == [(0.0, 40)]


EAGER = '''
from driftline import Check, Measurement, hookimpl

class Eager(Check):
    """Counts rows and answers."""
    type = "eager"
    def evaluate(self, ctx):
        rows = [row for batch in ctx.current.batches() for row in batch.to_pylist()]
        yield Measurement(100.0 * len(rows) + sum(row["churned"] is not None for row in rows))

@hookimpl
def register_checks():
    return [Eager]
'''


class Died(BaseException):
    """The process is no more."""


@contextmanager
def dying(monkeypatch, commits: int):
    """After so many commits nothing is written any more."""
    left = iter(range(commits))
    write = databases.kind().write

    @contextmanager
    def mortal(self):
        if next(left, None) is None:
            raise Died
        with write(self) as connection:
            yield connection

    with monkeypatch.context() as patch:
        patch.setattr(databases.kind(), "write", mortal)
        yield


@pytest.mark.slow
def test_a_death_between_any_two_commits_changes_nothing(station, monkeypatch):
    """However far it came, the next start ends where an undisturbed run ends, byte for byte."""
    log(station.folder, "model_inputs", range(60))
    log(station.folder, "model_outputs", range(0, 60, 2), name="x")
    log(station.folder, "model_outputs", range(1, 40, 2), name="y")

    def state(commits: int | None) -> dict[str, list]:
        databases.anew(station.folder)
        if commits is not None:
            with dying(monkeypatch, commits), pytest.raises(Died), station.open():
                tick(station, 80)
        with station.open():
            tick(station, 80)
            tick(station, 81)
            with station.agent.store.read() as connection:
                found = dump(connection)
        waiting = [row[1:] for row in found["waiting"]]
        return {name: found[name] for name in COMPARED if name != "waiting"} | {
            "waiting": sorted(waiting, key=repr)
        }

    undisturbed = state(None)
    assert len(undisturbed["waiting"]) == 3
    survived = 0
    for commits in range(2, 40):
        try:
            found = state(commits)
        except pytest.fail.Exception:
            break
        for name, rows in undisturbed.items():
            assert found[name] == rows, (commits, name)
        survived += 1
    assert survived > 6
