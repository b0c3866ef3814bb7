"""Bad predictions and labels of each task through the whole agent: a verdict, never an error."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from station import START, Station

pytestmark = pytest.mark.system

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
      SCHEMA
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      drift: {{type: drift}}
      performance: {{type: performance}}
      estimates: {{type: estimated_performance}}
      label_coverage: {{type: labels}}
      statistics: {{type: statistics, options: {{columns: [amount]}}}}
"""
CLASSES = ("art", "news", "sport")
Row = dict[str, Any]
Change = Callable[[Row, int], Row]
"""A row and its place in the window, to the row as it is logged."""


def binary(row: Row, rng: Any) -> Row:
    score = rng.random()
    return {**row, "p": score, "y": int(rng.random() < score)}


def multiclass(row: Row, rng: Any) -> Row:
    raw = [rng.random() for _ in CLASSES]
    chances = [value / sum(raw) for value in raw]
    topic = CLASSES[chances.index(max(chances))]
    return {**row, "topic": topic, "p": chances, "y": rng.choices(CLASSES, chances)[0]}


def multilabel(row: Row, rng: Any) -> Row:
    truth = [name for name in CLASSES if rng.random() < 0.5]
    return {**row, "p": [name for name in truth if rng.random() < 0.8], "y": truth}


def regression(row: Row, rng: Any) -> Row:
    truth = rng.gauss(50, 5)
    return {**row, "p": truth + rng.gauss(0, 1), "y": truth}


def ranking(row: Row, rng: Any) -> Row:
    clicked = int(rng.random() < 0.2)
    return {
        **row,
        "query": f"{row['t'][:13]}-{rng.randrange(40)}",
        "p": rng.gauss(clicked, 1),
        "y": clicked,
    }


def forecast(row: Row, rng: Any) -> Row:
    truth, days = rng.gauss(50, 5), rng.choice([1, 2])
    p = truth + rng.gauss(0, days)
    return {**row, "days": days, "p": p, "low": p - 2, "high": p + 2, "y": truth}


PLACES = ", ".join(f'{name}: "p[{place}]"' for place, name in enumerate(CLASSES))
TASKS: Mapping[str, tuple[Callable[[Row, Any], Row], str]] = {
    "binary": (binary, "prediction: {{kind: binary, score: p}}\n      label: {{column: y}}"),
    "multiclass": (
        multiclass,
        f"prediction: {{{{kind: multiclass, column: topic, probabilities: {{{{{PLACES}}}}}}}}}\n"
        "      label: {{column: y}}",
    ),
    "multilabel": (
        multilabel,
        "prediction: {{kind: multilabel, column: p}}\n      label: {{column: y}}",
    ),
    "regression": (
        regression,
        "prediction: {{kind: regression, column: p}}\n      label: {{column: y}}",
    ),
    "ranking": (
        ranking,
        "prediction: {{kind: ranking, column: p}}\n      label: {{column: y}}\n      group: query",
    ),
    "forecast": (
        forecast,
        "prediction: {{kind: regression, column: p, lower: low, upper: high, coverage: 0.8}}\n"
        "      label: {{column: y}}\n      series: plan\n      horizon: days\n      season: 2",
    ),
}


def set_all(**values: Any) -> Change:
    """Each row gets these values."""
    return lambda row, place: {**row, **values}


def set_one(**values: Any) -> Change:
    """One row gets these values."""
    return lambda row, place: {**row, **values} if place == 3 else row


def double_chances(row: Row, place: int) -> Row:
    return {**row, "p": [2 * value for value in row["p"]]}


def swap_ends(row: Row, place: int) -> Row:
    return {**row, "low": row["high"], "high": row["low"]}


def split_groups(row: Row, place: int) -> Row:
    return {**row, "query": f"{row['query']}-{place}"}


@dataclass(frozen=True)
class Fault:
    """Rows of one hour that are bad, and what is measured of them."""

    change: Change
    rows: int = 200
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Part of the reason of each measurement that has no value because of it."""
    values: Mapping[str, float] = field(default_factory=dict)
    """The value of each measurement that has one in spite of it."""


INFINITE = "infinite"
NO_PROBABILITY = "0 to 1"
FAULTS: Mapping[str, Mapping[str, Fault]] = {
    "binary": {
        "one class": Fault(set_all(y=1), reasons={"roc_auc": "needs 10 positive and negative"}),
        "an unknown class": Fault(set_all(y="maybe"), reasons={"accuracy": "no labelled rows"}),
        "one score of 1.7": Fault(
            set_one(p=1.7), reasons={"brier": NO_PROBABILITY, "log_loss": NO_PROBABILITY}
        ),
        "scores in percent": Fault(
            lambda row, place: {**row, "p": 100 * row["p"]},
            reasons={"accuracy": NO_PROBABILITY, "estimated_accuracy": "", "brier": NO_PROBABILITY},
        ),
        "logits": Fault(
            lambda row, place: {**row, "p": math.log(row["p"] / (1 - row["p"]))},
            reasons={"accuracy": NO_PROBABILITY, "brier": NO_PROBABILITY},
        ),
        "a list as score": Fault(set_all(p=[0.2, 0.8]), reasons={"accuracy": "no labelled rows"}),
        "three rows": Fault(set_all(), rows=3, reasons={"roc_auc": "needs 10"}),
    },
    "multiclass": {
        "one class": Fault(
            set_all(y="art", topic="art"),
            reasons={"roc_auc_ovr": "needs 10"},
            values={"accuracy": 1.0},
        ),
        "one label of an unknown class": Fault(
            set_one(y="food"), reasons={"brier": "class without probability"}
        ),
        "an unknown prediction": Fault(set_all(topic="food"), values={"accuracy": 0.0}),
        "a sum of 2": Fault(
            double_chances, reasons={"brier": "sum that is not 1", "log_loss": "sum that is not 1"}
        ),
        "a negative probability": Fault(
            set_one(p=[-0.1, 0.6, 0.5]), reasons={"brier": NO_PROBABILITY}
        ),
        "a short list": Fault(set_all(p=[0.5, 0.5]), reasons={"brier": "no labelled rows"}),
        "three rows": Fault(set_all(), rows=3),
    },
    "multilabel": {
        "empty lists": Fault(
            set_all(p=[], y=[]),
            reasons={"macro_recall": "no row has a class"},
            values={"subset_accuracy": 1.0},
        ),
        "an unknown class": Fault(set_all(y=["food"]), values={"subset_accuracy": 0.0}),
        "lists in lists": Fault(set_all(p=[["art"]]), reasons={"subset_accuracy": "no labelled"}),
        "a class twice": Fault(set_all(p=["art", "art"], y=["art"]), values={"jaccard": 1.0}),
        "null in a list": Fault(set_all(p=[None]), reasons={"subset_accuracy": "no labelled"}),
        "three rows": Fault(set_all(), rows=3),
    },
    "regression": {
        "one infinite label": Fault(set_one(y=math.inf), reasons={"mae": INFINITE, "r2": INFINITE}),
        "huge labels": Fault(set_all(y=1e308), reasons={"mae": "beyond 1e+150"}),
        "infinite predictions": Fault(set_all(p=math.inf), reasons={"mae": INFINITE}),
        "labels of 0": Fault(set_all(y=0), reasons={"mape": "0", "r2": "all labels are the same"}),
        "no error": Fault(set_all(y=50, p=50), values={"mae": 0.0, "rmse": 0.0}),
        "three rows": Fault(set_all(), rows=3),
    },
    "ranking": {
        "groups of one item": Fault(
            split_groups, reasons={"ndcg": "no group has two labelled items"}
        ),
        "no group": Fault(set_all(query=None), reasons={"ndcg": "no labelled rows"}),
        "one group": Fault(set_all(query="same")),
        "nothing relevant": Fault(set_all(y=0), reasons={"ndcg": "no group has a relevant item"}),
        "a negative label": Fault(set_one(y=-1), reasons={"ndcg": "below 0"}),
        "equal scores": Fault(set_all(p=1.0)),
        "three rows": Fault(set_all(), rows=3),
    },
    "forecast": {
        "one infinite label": Fault(
            set_one(y=math.inf), reasons={"mae": INFINITE, "mase": INFINITE}
        ),
        "labels of 0": Fault(set_all(y=0), reasons={"wape": "every label is 0"}),
        "an unknown horizon": Fault(set_all(days=99)),
        "a horizon without number": Fault(set_all(days="soon")),
        "swapped ends": Fault(swap_ends, reasons={"interval_coverage": "above the upper one"}),
        "no ends": Fault(
            set_all(low=None, high=None), reasons={"pinball": "row has a prediction interval"}
        ),
        "many horizons": Fault(lambda row, place: {**row, "days": place}),
        "three rows": Fault(set_all(), rows=3),
    },
}


@pytest.mark.parametrize(
    "task",
    [
        "multiclass",
        *(pytest.param(task, marks=pytest.mark.slow) for task in TASKS if task != "multiclass"),
    ],
)
def test_bad_rows_get_a_verdict_and_leave_other_windows_alone(tmp_path, task):
    """Each hour has another fault, and good hours lie between: no check fails, each number is
    finite or has a reason, the columns are judged, and good hours have their metrics.
    """
    make, schema = TASKS[task]
    metric = "mape" if task == "regression" else ""
    options = f"{{{{type: performance, options: {{{{metrics: [mae, rmse, r2, {metric}]}}}}}}}}"
    model = MODEL.replace("SCHEMA", schema)
    station = Station(
        tmp_path, model.replace("{{type: performance}}", options) if metric else model
    )

    def write(name: str, start: datetime, count: int, change: Change) -> None:
        lines = station.rows(start, timedelta(hours=1), count)
        rows = [make(json.loads(line), station.rng) for line in lines]
        text = "".join(json.dumps(change(row, place)) + "\n" for place, row in enumerate(rows))
        (tmp_path / name).write_text(text)

    write("reference.jsonl", START - timedelta(days=1), 1000, set_all())
    faults = FAULTS[task]
    for number, fault in enumerate(faults.values()):
        for part, (count, change) in enumerate(((fault.rows, fault.change), (200, set_all()))):
            hour = 2 * number + part
            write(f"log/{hour:04d}.jsonl", START + timedelta(hours=hour), count, change)
    station.clock.now = START + timedelta(hours=2 * len(faults) + 1)
    with station.open():
        station.tick()
        found = station.sql(
            'select start, "check", name, labels, value, verdict, reason from measurements'
        )
    hours: dict[int, list[Any]] = {}
    for start, *rest in found:
        hours.setdefault(round(start / 3.6e9 - START.timestamp() / 3600), []).append(rest)
    assert sorted(hours) == list(range(2 * len(faults)))
    for check, name, _, value, verdict, reason in (row for rows in hours.values() for row in rows):
        assert verdict != "error", (check, name, reason)
        assert reason if value is None else math.isfinite(value), (check, name)
    good_names = {row[1] for row in hours[1] if row[0] == "performance" and row[3] is not None}
    for number, (what, fault) in enumerate(faults.items()):
        bad, good = hours[2 * number], hours[2 * number + 1]
        assert {"drift", "statistics"} <= {row[0] for row in bad if row[3] is not None}
        assert good_names == {
            row[1] for row in good if row[0] == "performance" and row[3] is not None
        }, what
        whole = {row[1]: row for row in bad if "horizon" not in str(row[2])}
        for name, reason in fault.reasons.items():
            assert whole[name][3] is None, (what, name)
            assert reason in whole[name][5], (what, name, whole[name][5])
        for name, expected in fault.values.items():
            assert whole[name][3] == pytest.approx(expected), (what, name)
