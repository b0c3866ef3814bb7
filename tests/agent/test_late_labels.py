"""Labels that come days later: joined, counted once, told, and let go, by a whole agent."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from station import DIARY, START, Station

from driftline.agent import composition_root
from driftline.cli.main import _run
from driftline.ingest.labels import join_labels as joining

pytestmark = pytest.mark.system

SAMPLES = Path(__file__).parent.parent / "data/samples/aws/ground_truth/test_gt"
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    labels: {{type: local, options: {{path: {folder}/truth}}, label: truth, time: given%s}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
      prediction: {{kind: binary, score: s}}
      label: {{column: y}}
      segments: [plan]
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      drift: {{type: drift}}
      performance: {{type: performance}}
      labels: {{type: labels}}
"""
DAY = timedelta(days=1)


class Late(Station):
    """A station whose labels come on their own."""

    def __init__(
        self, folder: Path, extra: str = "", model: str = MODEL, plugins: str = DIARY
    ) -> None:
        super().__init__(folder, model % extra if "%s" in model else model, plugins=plugins)
        (folder / "truth").mkdir()
        rows = [json.loads(line) for line in self.rows(START - DAY, DAY, 3000, s=self.score)]
        lines = [json.dumps({**row, "y": int(self.rng.random() < row["s"])}) for row in rows]
        (folder / "reference.jsonl").write_text("\n".join(lines))

    def score(self, row: object = None) -> float:
        return round(self.rng.random(), 3)

    def predictions(
        self, hour: int, count: int = 400, name: str | None = None, **changes: object
    ) -> list[dict]:
        path = self.hour(hour, count, name, **{"s": self.score, **changes})
        return [json.loads(line) for line in path.read_text().splitlines()]

    def labels(self, name: str, rows: list[dict], given: datetime, value=None) -> None:
        """A CSV with the labels of some predictions: as good as the reference's, unless `value`
        tells them.
        """
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["id", "truth", "given"])
        for row in rows:
            truth = value(row) if value else int(self.rng.random() < row["s"])
            writer.writerow([row["id"], truth, given.isoformat()])
        (self.folder / "truth" / name).write_text(text.getvalue())

    def until(self, hours: float) -> object:
        self.clock.now = START + timedelta(hours=hours)
        return self.tick()

    def said(self, check: str, hour: int = 0, segment: str = "") -> dict[str, tuple]:
        """Value, rows and revision of a check's measurements of one window."""
        start = int((START + timedelta(hours=hour)).timestamp() * 1_000_000)
        rows = self.sql(
            f"select name, value, rows, revision from measurements where start = {start} and \"check\" = '{check}' "
            f"and segment = '{segment}' order by name, labels"
        )
        return {name: (value, count, revision) for name, value, count, revision in rows}

    def window(self, hour: int = 0) -> tuple[int, int, int]:
        """Revision, settled, dirty."""
        start = int((START + timedelta(hours=hour)).timestamp() * 1_000_000)
        return self.sql(
            f"select revision, settled, dirty from windows where start = {start} and segment = ''"
        )[0]


def opposite(row: dict) -> int:
    return int(row["s"] < 0.5)


@pytest.mark.slow
def test_labels_thirty_days_late_restate_and_tell(tmp_path):
    """A window settled weeks ago gets its performance, as a new revision; people hear that it was
    bad; the rest stays.
    """
    made = Late(tmp_path)
    rows = made.predictions(0)
    with made.open():
        made.until(1.5)
        drift = made.said("drift")
        assert made.said("labels")["coverage"] == (0.0, 400, 1)
        assert made.said("performance")["drop"][0] is None
        for day in range(1, 31):
            made.predictions(24 * day, 50)
            made.until(24 * day + 1.5)
        assert made.window() == (1, 1, 0)
        made.labels("late.csv", rows, START + 30 * DAY, opposite)
        report = made.until(24 * 30 + 2)
        assert (
            report.labels.join.labels,
            report.labels.join.matches,
            report.labels.join.windows,
        ) == (400, 400, 1)
        assert report.closing.windows == 1
        assert made.window() == (2, 1, 0)
        assert made.said("labels")["coverage"] == (1.0, 400, 2)
        assert 29.9 * 24 * 0.955 < made.said("labels")["delay"][0] < 30 * 24 * 1.045
        assert made.said("performance")["roc_auc"][:2] == (0.0, 400)
        assert made.said("drift") == drift, "what labels say nothing about stays as it was judged"
        assert made.events("performance") == ["opened"]
        assert made.tick().closing.windows == 0


def test_what_labels_said_later_is_computed_again(tmp_path, monkeypatch, capsys):
    """`reproduce` joins the labels that came later again and gets the same values."""
    made = Late(tmp_path)
    monkeypatch.setattr(composition_root, "system_clock", made.clock)
    rows = made.predictions(0)
    with made.open():
        made.until(1.5)
        made.labels("late.csv", rows, START + timedelta(hours=2), opposite)
        made.until(3)
    [name] = {note["incident"] for note in made.told() if note["cause"] == "performance"}
    assert _run(["reproduce", name, "-c", str(made.config)]) == 0
    assert "the same: 16 numbers" in capsys.readouterr().out


@pytest.mark.slow
def test_what_comes_after_the_time_to_live_is_too_late(tmp_path):
    """Beyond wait_for a prediction waits no longer: its label changes nothing, and both are
    counted.
    """
    made = Late(tmp_path, ", wait_for: 5d")
    rows = made.predictions(0)
    with made.open():
        made.until(1.5)
        made.predictions(24 * 5 + 2, 50)
        made.until(24 * 5 + 3.5)
        assert made.summary()["labels"]["predictions_unlabelled"] == 400
        assert made.summary()["labels"]["predictions_waiting"] == 50
        made.labels("late.csv", rows, START + 5 * DAY)
        made.until(24 * 5 + 4)
        assert made.window()[0] == 1
        assert made.summary()["labels"]["unmatched"] == 400
        made.hour(0, name="0000", count=401, s=made.score)
        made.until(24 * 5 + 5)
        assert made.window()[0] == 1, (
            "nor does its object, written again, let a few of its rows wait anew"
        )
        made.predictions(24 * 20, 50)
        made.until(24 * 20 + 1.5)
        assert made.summary()["labels"]["too_late"] == 400
        assert made.summary()["labels"]["unmatched"] == 0


def test_twice_and_corrected_and_contradicting(tmp_path):
    """A repeat changes nothing; a correction restates the window; a contradiction is decided by
    place, and shown.
    """
    made = Late(tmp_path)
    rows = made.predictions(0, 200)
    with made.open():
        made.until(1.5)
        made.labels("a.csv", rows, START + DAY, lambda row: 1)
        made.until(25)
        assert made.window()[0] == 2
        made.labels("b.csv", rows, START + 2 * DAY, lambda row: 1)
        made.until(49)
        assert made.window()[0] == 2
        recall = made.said("performance")["recall"]
        made.labels("c.csv", rows[:50], START + 3 * DAY, lambda row: 0)
        made.until(73)
        assert made.window()[0] == 3
        assert made.said("labels")["corrected"] == (0.25, 200, 3)
        assert made.said("labels")["contradicting"] == (0.0, 200, 3)
        assert made.said("performance")["recall"][1] < recall[1]
        made.labels("d.csv", rows[:50], START + 3 * DAY, lambda row: 1)
        made.until(74)
        assert made.said("labels")["contradicting"] == (0.25, 200, 4)
        assert made.said("performance")["recall"] == (*recall[:2], 4), "d.csv comes after c.csv"
        (made.folder / "truth" / "c.csv").write_text("id,truth,given\n")
        made.until(75)
        assert made.said("labels")["corrected"] == (0.0, 200, 5), (
            "a withdrawn correction is as if it had never been"
        )


def test_labels_before_their_predictions_and_for_nobody(tmp_path):
    """Labels wait too: a window is judged with them at once; ids that nobody knows are counted."""
    made = Late(tmp_path)
    rows = made.predictions(0, 100)
    (made.folder / "log/0000.jsonl").rename(made.folder / "aside")
    made.labels("early.csv", [*rows, {"id": "nobody", "s": 0.5}], START)
    with made.open():
        made.until(0.1)
        assert made.summary()["labels"]["unmatched"] == 101
        (made.folder / "aside").rename(made.folder / "log/0000.jsonl")
        made.until(0.9)
        made.until(1.5)
        assert made.said("labels")["coverage"] == (1.0, 100, 1)
        assert made.summary()["labels"]["unmatched"] == 1
        assert made.summary()["labels"]["predictions_waiting"] == 0


def test_an_id_of_many_rows_and_segments(tmp_path):
    """One label counts for every prediction that bears its id, in each window, version and
    segment.
    """
    made = Late(tmp_path, ", id: order, joins: order")
    made.hour(0, 120, s=made.score, order="x")
    made.hour(1, 60, s=made.score, order="x", plan="b")
    (made.folder / "truth/one.csv").write_text(f"order,truth,given\nx,1,{START.isoformat()}\n")
    with made.open():
        made.until(3)
        assert made.said("labels", 0)["coverage"] == (1.0, 120, 1)
        assert made.said("labels", 1)["coverage"] == (1.0, 60, 1)
        assert (
            made.said("performance", 1, "plan=b")["recall"][0]
            == made.said("performance", 1)["recall"][0]
        )
        parts = [made.said("labels", 0, f"plan={plan}")["coverage"] for plan in "abc"]
        assert sum(rows for _, rows, _ in parts) == 120
        assert {share for share, _, _ in parts} == {1.0}


def test_a_label_source_that_fails_holds_up_nothing(tmp_path):
    """Windows are judged on time, people hear of it, and what could not be read restates the
    windows later.
    """
    made = Late(tmp_path)
    rows = made.predictions(0)
    made.labels("a.csv", rows, START)
    (made.folder / "truth").rename(made.folder / "away")
    with made.open():
        assert made.until(1.5).closing.windows == 1
        assert made.events("monitoring") == ["opened"]
        (made.folder / "away").rename(made.folder / "truth")
        assert made.until(1.6).closing.windows == 1
        assert made.said("labels")["coverage"] == (1.0, 400, 2)
        assert made.events("monitoring") == ["opened", "resolved"]


def test_unusable_labels_are_counted_and_told(tmp_path):
    """Labels without id, value or time are held back; when they are many, people hear of it."""
    made = Late(tmp_path)
    rows = made.predictions(0)
    made.labels("a.csv", rows, START)
    (made.folder / "truth/b.csv").write_text(
        f"id,truth,given\n{rows[0]['id']},,{START.isoformat()}\n,1,\n" + "q,1,never\n" * 98
    )
    with made.open():
        made.until(1.5)
        assert made.summary()["labels"]["held"] == 100
        assert made.said("labels")["coverage"] == (1.0, 400, 1), "an empty label takes nothing back"
        [note] = [note for note in made.told() if note["cause"] == "monitoring"]
        assert "100 of 500 labels have no id, time or value" in json.dumps(note)


def test_the_disk_bound_drops_the_oldest_and_tells(tmp_path):
    """More than max_disk never waits: the oldest predictions go, counted, and people hear of it."""
    made = Late(tmp_path, ", max_disk: 0.02MB")
    first = made.predictions(0)
    second = made.predictions(1)
    third = made.predictions(2)
    with made.open():
        made.until(3.5)
        status = made.summary()["labels"]
        assert status["bytes"] <= 20_000
        assert (status["predictions_waiting"], status["predictions_unlabelled"]) == (800, 400)
        [note] = [note for note in made.told() if note["cause"] == "monitoring"]
        assert "400 predictions from before 2026-05-01 01:00 wait no longer" in json.dumps(note)
        made.hour(0, 10, name="more", s=made.score)
        made.labels("a.csv", [*first[:20], *third[:20]], START + DAY)
        made.until(4)
        assert made.said("labels", 0)["coverage"] == (0.0, 410, 2), (
            "what comes later to such a window waits no more either"
        )
        assert made.said("labels", 2)["coverage"] == (0.05, 400, 2)
        assert second


def test_a_new_reference_leaves_old_windows_alone(tmp_path):
    """Windows judged by an older reference keep their numbers when labels for them come; new
    windows are labelled.
    """
    made = Late(tmp_path)
    old = made.predictions(0)
    with made.open():
        made.until(1.5)
        before = made.said("performance")
    made.configure((MODEL % "").replace("amount: numeric, ", ""))
    new = made.predictions(1)
    with made.open():
        made.until(2.5)
        made.labels("a.csv", [*old, *new], START + timedelta(hours=3))
        made.until(3.5)
        assert made.said("performance") == before
        assert made.window()[0] == 1
        assert made.said("labels", 1)["coverage"] == (1.0, 400, 2)
        assert made.summary()["labels"]["unmatched"] == 400


def test_a_restart_in_the_middle_changes_nothing(tmp_path, monkeypatch):
    """An agent that dies between two windows of a join ends with what an undisturbed one has."""

    def run(folder: Path, dies: bool) -> list[tuple]:
        made = Late(folder)
        rows = [row for hour in range(4) for row in made.predictions(hour, 50)]
        made.labels("a.csv", rows, START + DAY)
        monkeypatch.setattr(joining.join_labels, "__defaults__", (1,))
        if dies:
            relabel, left = joining.windows.relabel, [2]

            def once(*args: object) -> bool:
                left[0] -= 1
                if not left[0]:
                    raise RuntimeError("the power fails")
                return relabel(*args)

            monkeypatch.setattr(joining.windows, "relabel", once)
            with made.open():
                assert "the power fails" in made.until(25).error
        with made.open():
            made.until(25)
            return made.sql(
                "select start, segment, revision, labelled, dirty from windows order by 1, 2"
            )

    assert run(tmp_path / "one", False) == run(tmp_path / "two", True)


CAPTURED = """
    source: {{type: local, options: {{path: {folder}/log, format: {{type: sagemaker, options: {{headers: [amount]}}}}}}}}
    labels: {{type: local, options: {{path: {folder}/truth, format: sagemaker}}}}
    schema:
      timestamp: event_time
      id: event_id
      features: {{amount: numeric}}
      prediction: {{kind: binary, score: prediction}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
"""


def test_ground_truth_as_model_monitor_wants_it(tmp_path):
    """The files of an official example, one label each and without a time, join with captures by
    their ids, uploaded twice.
    """
    made = Late(tmp_path, model=CAPTURED)
    truth = {}
    for number, path in enumerate(sorted(SAMPLES.glob("*.jsonl"))):
        record = json.loads(path.read_text())
        truth[record["eventMetadata"]["eventId"]] = record["groundTruthData"]["data"].strip()
        for hour in ("05", "06"):
            copy = made.folder / "truth" / hour / path.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
            os.utime(copy, times=(START.timestamp() + 5 * 3600 + number,) * 2)
    assert len(truth) == 101
    lines = [
        json.dumps(
            {
                "captureData": {
                    "endpointInput": {
                        "observedContentType": "text/csv",
                        "mode": "INPUT",
                        "data": "12.5",
                        "encoding": "CSV",
                    },
                    "endpointOutput": {
                        "observedContentType": "text/csv",
                        "mode": "OUTPUT",
                        "data": "0.9",
                        "encoding": "CSV",
                    },
                },
                "eventMetadata": {
                    "eventId": name,
                    "inferenceTime": (START + timedelta(seconds=place)).isoformat(),
                },
                "eventVersion": "0",
            }
        )
        for place, name in enumerate(truth)
    ]
    (made.folder / "log/00-00-000.jsonl").write_text("\n".join(lines) + "\n")
    with made.open():
        made.until(8)
        assert made.said("labels")["coverage"] == (1.0, 101, 1)
        assert made.said("labels")["corrected"][0] == 0.0
        positive = sum(value == "1" for value in truth.values())
        assert made.said("performance")["precision"][0] == positive / 101


METRIC = '''
from driftline import metric

@metric(better="higher", margin=0.03)
def hits(rows):
    """Share of scores on the right side of 0.5."""
    return float(((rows.score >= 0.5) == (rows.label == "1")).mean())

@hookimpl
def register_checks():
    return [hits]
'''


def test_a_metric_of_ones_own_is_restated_by_late_labels(tmp_path):
    """Before its labels come a window has no value; then it has one, also for each segment."""
    model = MODEL.replace("labels: {{type: labels}}", "hits: {{type: hits}}") % ""
    made = Late(tmp_path, model=model, plugins=DIARY + METRIC)
    rows = made.predictions(0)
    with made.open():
        made.until(1.5)
        assert made.said("hits")["hits"] == (None, 0, 1)
        made.labels("late.csv", rows, START + DAY, opposite)
        made.until(25)
        assert made.said("hits")["hits"] == (0.0, 400, 2)
        parts = [made.said("hits", segment=f"plan={plan}")["hits"] for plan in "abc"]
    assert [value for value, _, _ in parts] == [0.0] * 3
    assert sum(count for _, count, _ in parts) == 400
