"""Models of several classes from configuration to measurement: lists, and lists of probabilities."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from station import START, Station

pytestmark = pytest.mark.system

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    LABELS
    schema:
      timestamp: t
      id: id
      features: {{plan: categorical, amount: numeric}}
      prediction: PREDICTION
      label: {{column: truth}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
"""
NAMES = ("art", "news", "sport")


def station_of(folder, prediction, fill, labels=""):
    """A station whose rows `fill` completes; without a list of checks."""
    station = Station(folder, MODEL.replace("PREDICTION", prediction).replace("LABELS", labels))
    (folder / "truth").mkdir()
    for name, start, count in (
        ("reference.jsonl", START - timedelta(days=1), 1000),
        ("log/0000.jsonl", START, 300),
    ):
        rows = [json.loads(line) for line in station.rows(start, timedelta(hours=1), count)]
        for row in rows:
            row |= fill(station.rng)
        write(folder / name, rows)
    return station, rows


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def measured(station, hours):
    station.clock.now = START + timedelta(hours=hours)
    station.tick()
    start = int(START.timestamp() * 1_000_000)
    rows = station.sql(
        f"select name, value, rows, verdict from measurements where start = {start} "
        "and \"check\" = 'performance'"
    )
    faults = station.sql("select name, reason from measurements where verdict = 'error'")
    assert faults == []
    return {name: (value, count) for name, value, count, _ in rows}


def test_sets_of_classes_with_labels_that_come_later(tmp_path):
    """Lists in the log, and texts such as `news|art` in files of their own."""

    def fill(rng):
        truth = [name for name in NAMES if rng.random() < 0.5]
        chosen = [name for name in NAMES if (name in truth) != (rng.random() < 0.2)]
        return {"topics": chosen, "truth": truth}

    labels = "labels: {{type: local, options: {{path: {folder}/truth, format: csv}}, label: truth}}"
    station, rows = station_of(tmp_path, "{{kind: multilabel, column: topics}}", fill, labels)
    write(tmp_path / "log/0000.jsonl", [{**row, "truth": None} for row in rows])
    with station.open():
        assert measured(station, 1.5)["subset_accuracy"][0] is None
        given = [row for row in rows if row["truth"]]
        lines = [f"{row['id']},{'|'.join(reversed(row['truth']))}" for row in given]
        (tmp_path / "truth" / "day.csv").write_text("\n".join(["id,truth", *lines, ""]))
        found = measured(station, 2.5)
    right = [set(row["topics"]) == set(row["truth"]) for row in given]
    assert found["subset_accuracy"] == (pytest.approx(sum(right) / len(right)), len(given))
    both = sum(len(set(row["topics"]) & set(row["truth"])) for row in given)
    total = sum(len(row["topics"]) + len(row["truth"]) for row in given)
    assert found["micro_f1"][0] == pytest.approx(2 * both / total)


def test_probabilities_in_a_list(tmp_path):
    """Each class has its place in the list; loss and order are measured by default."""

    def fill(rng):
        raw = [rng.random() for _ in NAMES]
        chances = [value / sum(raw) for value in raw]
        topic = NAMES[chances.index(max(chances))]
        truth = rng.choices(NAMES, chances)[0]
        return {"topic": topic, "out": {"p": chances}, "truth": truth}

    places = ", ".join(f'{name}: "out.p[{place}]"' for place, name in enumerate(NAMES))
    prediction = f"{{{{kind: multiclass, column: topic, probabilities: {{{{{places}}}}}}}}}"
    station, rows = station_of(tmp_path, prediction, fill)
    with station.open():
        found = measured(station, 1.5)
    briers = [
        sum(
            (chance - (name == row["truth"])) ** 2
            for name, chance in zip(NAMES, row["out"]["p"], strict=True)
        )
        for row in rows
    ]
    assert found["brier"] == (pytest.approx(sum(briers) / 300), 300)
    assert 0.5 < found["roc_auc_ovr"][0] < 0.9
    assert found["log_loss"][1] == 300
