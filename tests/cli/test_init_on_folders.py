"""`driftline init` on logs of several files: labels in records of their own, days in folders, and
files of several models.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import measurement_sql
import numpy as np
import pytest
from run_commands import run_once

from driftline.cli.main import main
from driftline.config import load_config

pytestmark = pytest.mark.system

START = datetime(2026, 1, 5, tzinfo=UTC)
Row = dict[str, Any]


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def predictions(count: int, step: timedelta, words: tuple[Any, Any] = (1, 0)) -> list[Row]:
    """Predictions of a binary model, each with whether its label is positive."""
    draw = np.random.default_rng(5)
    rows = []
    for place in range(count):
        y = bool(draw.random() < 0.3)
        s = round(float(1 / (1 + np.exp(-(2 * (y - 0.6) + draw.normal())))), 3)
        rows.append(
            {
                "request_id": f"r{place:05}",
                "ts": (START + place * step).isoformat(),
                "age": round(float(draw.normal(40, 8)), 1),
                "plan": str(draw.choice(["gold", "free"])),
                "prediction": words[0] if s >= 0.5 else words[1],
                "score": s,
                "is_positive": y,
            }
        )
    return rows


def split(rows: list[Row], words: tuple[Any, Any] = (1, 0)) -> tuple[list[Row], list[Row]]:
    """The rows without labels, and the labels, which came two days later."""
    served = [{name: row[name] for name in row if name != "is_positive"} for row in rows]
    labels = [
        {
            "request_id": row["request_id"],
            "label": words[0] if row["is_positive"] else words[1],
            "label_time": (datetime.fromisoformat(row["ts"]) + timedelta(days=2)).isoformat(),
        }
        for row in rows
    ]
    return served, labels


def init(where: str) -> tuple[Path, str]:
    """The configuration that `init` writes, and its text."""
    with pytest.raises(SystemExit) as left:
        main(["init", where])
    assert not left.value.code
    path = Path("driftline.yaml")
    path.write_text(path.read_text().replace("127.0.0.1:8080", "null"))
    return path, path.read_text()


def labelled_rows(folder: Path) -> int:
    """The rows that the accuracy of all windows is made from."""
    text = "select sum(rows) from measurements where name = 'accuracy' and segment = ''"
    return int(measurement_sql.query_state(folder / "driftline.db", text)[0][0])


PLACES = {
    # The log, the labels, what `init` gets.
    "a file beside the log": ("predictions.jsonl", "labels.jsonl", "predictions.jsonl"),
    "a file with a date": ("log.jsonl", "ground_truth_2026-01.jsonl", "log.jsonl"),
    "a folder beside that of the log": ("data/requests/a.jsonl", "data/labels/a.jsonl", "data"),
}


@pytest.mark.parametrize(
    "words", [(1, 0), *(pytest.param(w, marks=pytest.mark.slow) for w in [("yes", "no")])]
)
@pytest.mark.parametrize(
    "place",
    [
        "a file beside the log",
        *(pytest.param(p, marks=pytest.mark.slow) for p in list(PLACES)[1:]),
    ],
)
def test_labels_in_records_of_their_own_are_joined(tmp_path, monkeypatch, place, words):
    """The first run measures the model with all labels that came later."""
    monkeypatch.chdir(tmp_path)
    log, labels_path, where = PLACES[place]
    served, labels = split(predictions(1200, timedelta(seconds=30), words), words)
    write(Path(log), served)
    write(Path(labels_path), labels)
    path, text = init(where)
    models = load_config(path).models
    assert len(models) == 1
    assert "id: request_id, label: label, time: label_time}" in text
    code, report = run_once(path)
    (model,) = report["models"].values()
    assert (code, model["incidents"], model["rows"]) == (0, [], 1200)
    assert labelled_rows(tmp_path) == 1200


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("labels.jsonl", [{"other_id": "r00001", "label": 1}] * 9),
        ("targets.jsonl", [{"request_id": f"r{n}", "age": 3.5, "label": n % 2} for n in range(9)]),
        ("outcomes.jsonl", []),
        ("label_studio.json", None),
    ],
)
def test_other_files_beside_the_log_are_no_labels(tmp_path, monkeypatch, name, records):
    """Files with another id, with features of their own, and without records."""
    monkeypatch.chdir(tmp_path)
    write(Path("log.jsonl"), split(predictions(300, timedelta(minutes=1)))[0])
    Path(name).write_text("no json")
    if records is not None:
        write(Path(name), records)
    assert "labels:" not in init("log.jsonl")[1]


@pytest.mark.parametrize("folder", ["date={day}", "{day}", ""])
def test_a_backlog_is_read_from_its_oldest_object(tmp_path, monkeypatch, folder):
    """Days in folders or in names of files: the newest ones alone do not show how far it goes."""
    monkeypatch.chdir(tmp_path)
    today = datetime.now(UTC)
    for age in (2, 3, 4, 5, 6, 89, 120, 400):
        day = (today - timedelta(days=age)).date()
        rows = predictions(60, timedelta(minutes=9))
        for place, row in enumerate(rows):
            row["ts"] = f"{day}T{place % 24:02}:{place % 60:02}:00Z"
        write(Path("logs") / folder.format(day=day) / f"part-{day}.jsonl", rows)
    assert "backfill: null" in init("logs")[1]


def test_files_of_two_models_are_to_be_checked(tmp_path, monkeypatch):
    """One file of each model in a folder: they have different columns."""
    monkeypatch.chdir(tmp_path)
    write(Path("logs/churn.jsonl"), split(predictions(300, timedelta(minutes=1)))[0])
    houses = [
        {"ts": (START + n * timedelta(minutes=1)).isoformat(), "sqm": 50 + n % 90, "price": 9.5 * n}
        for n in range(300)
    ]
    write(Path("logs/houses.jsonl"), houses)
    text = init("logs")[1]
    assert "CHECK: the files churn.jsonl, houses.jsonl have different columns" in text


@pytest.mark.parametrize(
    "names",
    [
        ("app-2026-01-05.jsonl", "app-2026-01-06.jsonl"),
        ("app.jsonl", "app.1.jsonl"),
        ("requests.jsonl", "more.jsonl"),
    ],
)
def test_files_of_one_model_raise_no_doubt(tmp_path, monkeypatch, names):
    """Files that rotation or days make, and two that have the same columns."""
    monkeypatch.chdir(tmp_path)
    for name in names:
        write(Path("logs") / name, split(predictions(200, timedelta(minutes=1)))[0])
    assert "different columns" not in init("logs")[1]


@pytest.mark.parametrize("label", ["label", "Ergebnis"])
def test_a_log_without_a_known_prediction_is_to_be_checked(tmp_path, monkeypatch, label):
    """Columns in another language, with and without a label that is recognised."""
    monkeypatch.chdir(tmp_path)
    rows = split(predictions(300, timedelta(minutes=1)))[0]
    names = {"prediction": "Vorhersage", "score": "Punkte", "plan": label}
    write(Path("log.jsonl"), [{names.get(k, k): row[k] for k in row} for row in rows])
    assert "CHECK: no column is known as the prediction" in init("log.jsonl")[1]
