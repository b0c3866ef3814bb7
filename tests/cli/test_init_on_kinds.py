"""`driftline init` on logs with traps, then `run --once` as it is written: all rows are read, the
features are the inputs of the model, and a sound log has no incident.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from run_commands import run_once

from driftline.cli.main import main
from driftline.config import load_config

pytestmark = pytest.mark.system

ROWS = 1200
START = datetime(2026, 1, 5, tzinfo=UTC)
DRAW = np.random.default_rng(11)
AGE = DRAW.normal(40, 8, ROWS).round(1).tolist()
PLAN = DRAW.choice(["gold", "free"], ROWS).tolist()
ANSWER = (DRAW.random(ROWS) < 0.3).astype(int).tolist()
TIMES = [START + timedelta(seconds=15 * row) for row in range(ROWS)]


def lines(*columns: list[object], separator: str = ",") -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def index_of_pandas(folder: Path) -> None:
    """`DataFrame.to_csv` writes the index as a column without a name."""
    text = lines([*range(ROWS)], TIMES, AGE, PLAN, ANSWER)
    (folder / "log.csv").write_text(f",timestamp,age,plan,prediction\n{text}")


def no_header(folder: Path) -> None:
    (folder / "log.csv").write_text(lines(TIMES, AGE, PLAN, ANSWER))


def decimal_commas(folder: Path) -> None:
    ages = [str(age).replace(".", ",") for age in AGE]
    text = lines(TIMES, ages, PLAN, ANSWER, separator=";")
    (folder / "log.csv").write_text(f"timestamp;age;plan;prediction\n{text}")


def missing_numbers(folder: Path) -> None:
    ages = ["NA" if row % 20 == 0 else age for row, age in enumerate(AGE)]
    (folder / "log.csv").write_text(
        f"timestamp,age,plan,prediction\n{lines(TIMES, ages, PLAN, ANSWER)}"
    )


def inference_table(folder: Path) -> None:
    """The records of a serving endpoint say how they were served."""
    records = [
        {
            "databricks_request_id": f"r{row}",
            "client_request_id": None,
            "date": f"{TIMES[row]:%Y-%m-%d}",
            "timestamp_ms": int(TIMES[row].timestamp() * 1000),
            "status_code": 200,
            "sampling_fraction": 1.0,
            "execution_time_ms": 5 + row % 3,
            "request": json.dumps({"dataframe_records": [{"age": AGE[row], "plan": PLAN[row]}]}),
            "response": json.dumps({"predictions": [ANSWER[row]]}),
            "request_metadata": {"endpoint_name": "e", "model_version": "1"},
        }
        for row in range(ROWS)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def one_side_of_a_collector(folder: Path) -> None:
    """An endpoint of Azure ML that collects its outputs only."""
    source = "/subscriptions/0/onlineEndpoints/ep-a/deployments/blue"
    records = [
        {
            "specversion": "1.0",
            "id": f"o{row}",
            "source": source,
            "type": "azureml.inference.model_outputs",
            "time": f"{TIMES[row]:%Y-%m-%dT%H:%M:%SZ}",
            "data": [{"plan": PLAN[row], "age": AGE[row], "prediction": ANSWER[row]}],
            "modelversion": "default",
            "contentrange": "bytes 0-10/11",
            "correlationid": f"c{row}",
        }
        for row in range(ROWS)
    ]
    path = folder / "collected/ep-a/blue/model_outputs/2026/01/05/00/a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def decision_by_a_score(folder: Path) -> None:
    """What was decided stands beside the score, in words."""
    scores = [
        round(0.3 + 0.4 * answer + age / 400, 3) for answer, age in zip(ANSWER, AGE, strict=True)
    ]
    decisions = ["approve" if score >= 0.6 else "decline" for score in scores]
    text = lines(TIMES, AGE, PLAN, scores, decisions)
    (folder / "log.csv").write_text(f"timestamp,age,plan,score,decision\n{text}")


def days_before_months(folder: Path) -> None:
    """Dates that no standard orders; some of the days are above 12."""
    times = [f"{START + timedelta(minutes=37 * row):%d/%m/%Y %H:%M}" for row in range(ROWS)]
    (folder / "log.csv").write_text(f"day,age,plan,prediction\n{lines(times, AGE, PLAN, ANSWER)}")


def label_in_the_training_file(folder: Path) -> None:
    (folder / "log.csv").write_text(
        f"timestamp,age,plan,prediction\n{lines(TIMES, AGE, PLAN, ANSWER)}"
    )
    (folder / "train.csv").write_text(f"age,plan,churned\n{lines(AGE, PLAN, ANSWER)}")


def several_models(folder: Path) -> None:
    names = [["churn", "fraud"][row % 2] for row in range(ROWS)]
    text = lines(TIMES, AGE, PLAN, names, ANSWER)
    (folder / "log.csv").write_text(f"timestamp,age,plan,model_name,prediction\n{text}")


INPUTS = ["age", "plan"]
KINDS: dict[str, tuple[Callable[[Path], None], str, list[str]]] = {
    # What writes the log, its path, the features.
    "index of pandas": (index_of_pandas, "log.csv", INPUTS),
    "no header": (no_header, "log.csv", ["_c1", "_c2", "_c3"]),
    "decimal commas": (decimal_commas, "log.csv", INPUTS),
    "missing numbers": (missing_numbers, "log.csv", INPUTS),
    "inference table": (inference_table, "log.jsonl", INPUTS),
    "decision by a score": (decision_by_a_score, "log.csv", INPUTS),
    "days before months": (days_before_months, "log.csv", INPUTS),
    "label in the training file": (label_in_the_training_file, "log.csv", INPUTS),
    "several models": (several_models, "log.csv", INPUTS),
    "one side of a collector": (one_side_of_a_collector, "collected", ["plan", "age"]),
}
USUAL = {"one side of a collector"}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k in USUAL else pytest.mark.slow) for k in KINDS]
)
def test_a_sound_log_is_read_whole_and_has_no_incident(tmp_path, monkeypatch, kind):
    write, where, features = KINDS[kind]
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["init", where])
    assert not left.value.code
    path = Path("driftline.yaml")
    path.write_text(path.read_text().replace("127.0.0.1:8080", "null"))
    schema = load_config(path).models["my-model"].schema_
    assert schema is not None
    assert sorted(schema.to_schema().features) == sorted(features)
    code, report = run_once(path)
    model = report["models"]["my-model"]
    assert (model["rows"], model["rejected"], model["held"]) == (ROWS, 0, 0)
    assert (code, model["incidents"]) == (0, [])
