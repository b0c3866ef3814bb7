"""`driftline init` on what clouds and tools really wrote: the configuration validates and runs, a
sound log raises no incident, and each column has the role that an expert would give it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from run_commands import SAMPLES, run_once

from driftline.cli.main import main
from driftline.config import load_config
from driftline.types.model import Schema

pytestmark = pytest.mark.system

UNNAMED_14 = " ".join(f"_c{place}" for place in range(14))
UNNAMED_69 = " ".join(f"_c{place}" for place in range(69))
IRIS = "sepal_length sepal_width petal_length petal_width"
STATES = (
    "AK AL AR AZ CA CO CT DC DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH "
    "NJ NM NV NY OH OK OR PA RI SC SD TN TX UT VA VT WA WI WV WY"
)
CHURN = "aws/datacapture/DEMO-xgb-churn-pred-model-monitor-"
ADULT = "aws/datacapture/DEMO-ll-adult-pred-model-monitor-"
CAPTURE = {"timestamp": "event_time", "id": "event_id", "version": "variant"}
COLLECTED = {"timestamp": "event_time", "id": "event_id", "version": "model_version"}
LABELS = {"prediction": "predicted_label", "score": "score", "task": "binary"}
REJECTED = "1 of 7 records rejected"
Expected = tuple[dict[str, str], str, int, str]
LOGS: dict[str, Expected] = {
    # Where: roles, features (separated by two spaces where names have one), rows, incident.
    f"{CHURN}2020-11-09-20-28-50": (
        {**CAPTURE, "score": "prediction", "task": "binary"}, UNNAMED_69, 3, ""),
    f"{CHURN}2021-05-18-00-13-12": (
        {**CAPTURE, "score": "prediction", "task": "binary"}, UNNAMED_69, 3, ""),
    f"{CHURN}2022-04-18-00-13-16": (
        {**CAPTURE, "score": "prediction", "task": "binary"}, UNNAMED_69, 3, ""),
    f"{ADULT}1674106124-9611": ({**CAPTURE, **LABELS}, UNNAMED_14, 3, ""),
    f"{ADULT}1705692264-e088": ({**CAPTURE, **LABELS}, UNNAMED_14, 3, ""),
    "aws/ground_truth/test_gt": (
        {"id": "event_id", "label": "label", "task": "binary"}, "", 101, ""),
    "aws/merge/endpoint_jsonl.jsonl": (
        {"timestamp": "event_time", "id": "event_id", **LABELS, "label": "label"},
        UNNAMED_14, 1, ""),
    "aws/merge/batch_jsonl.jsonl": (
        {"id": "event_id", **LABELS, "label": "label"}, UNNAMED_14, 1, ""),
    "aws/batch_transform_jsonl/test-dataset.jsonl.out": (
        {"timestamp": "event_time", "id": "event_id", **LABELS}, UNNAMED_14, 5, ""),
    "aws/baseline/data_quality/baseline_dataset.csv": (
        {}, " ".join(f"_c{place}" for place in range(6)), 100, ""),
    "aws/churn/training-dataset-with-header.csv": (
        {"label": "Churn", "task": "binary"},
        "Account Length  VMail Message  Day Mins  Day Calls  Eve Mins  Eve Calls  Night Mins  "
        "Night Calls  Intl Mins  Intl Calls  CustServ Calls  "
        + "".join(f"State_{state}  " for state in STATES.split())
        + "Area Code_408  Area Code_415  Area Code_510  Int'l Plan_no  Int'l Plan_yes  "
        "VMail Plan_no  VMail Plan_yes",
        2333, ""),
    "azure/modelDataCollector/momo-endpoint": (COLLECTED, IRIS, 75, ""),
    "azure/modelDataCollector/aistudio-townhall-kuxtz": (
        COLLECTED, "question chat_history", 4, ""),
    # One of its records refers to data that is not there.
    "azure/modelDataCollector/model-monitoring-bug-bash": (COLLECTED, IRIS, 6, REJECTED),
    "azure/reference/iris_baseline.csv": (
        {"label": "target", "task": "multiclass"}, IRIS, 75, ""),
    "drift/titanic/titanic_reference.csv": (
        {"label": "Survived", "task": "binary"},
        "Pclass Sex Age SibSp Parch Fare Embarked boat body", 891, ""),
    "gcp/request_response_log/serving_online_2025-04-04.jsonl": (
        {
            "timestamp": "event_time", "id": "event_id", "prediction": "prediction",
            "task": "multiclass",
        },
        "island flipper_length_mm sex culmen_depth_mm culmen_length_mm body_mass_g", 5, ""),
    "gcp/batch/automl_forecasting_csv/predictions_first_1400.csv": (
        {"timestamp": "date", "prediction": "predicted_sale_dollars", "task": "regression"},
        "city county zip_code", 1400, ""),
    "gcp/batch/automl_image_classification": (
        {"prediction": "prediction", "task": "multiclass"}, "", 1, ""),
    "gcp/batch/custom_cifar10": (
        {}, " ".join(f"_o{place}" for place in range(10)) + " bytes_inputs.b64", 2, ""),
}  # fmt: skip
USUAL = {f"{ADULT}1705692264-e088", "azure/modelDataCollector/momo-endpoint"}


def roles_of(schema: Schema) -> dict[str, str]:
    names = ("timestamp", "id", "version", "prediction", "score", "label")
    parts: dict[str, Any] = {name: getattr(schema, name) for name in names}
    roles = {name: part.name for name, part in parts.items() if part is not None}
    return roles | ({"task": str(schema.task)} if schema.task is not None else {})


@pytest.mark.parametrize(
    "where", [pytest.param(k, marks=[] if k in USUAL else pytest.mark.slow) for k in LOGS]
)
def test_each_column_has_its_role_and_a_sound_log_no_incident(tmp_path, monkeypatch, where):
    """The configuration that `init` writes is run as it is, on a state of its own."""
    monkeypatch.chdir(tmp_path)
    roles, features, rows, incident = LOGS[where]
    assert call("init", str(SAMPLES / where)) == 0
    path = Path("driftline.yaml")
    path.write_text(path.read_text().replace("127.0.0.1:8080", "null"))
    declared = load_config(path).models["my-model"].schema_
    schema = Schema() if declared is None else declared.to_schema()
    names = re.split("  +" if "  " in features else " ", features) if features else []
    found = roles_of(schema)
    if schema.prediction is None and schema.score is None:
        found.pop("task", None)
        roles = {name: value for name, value in roles.items() if name != "task"}
    assert (found, list(schema.features)) == (roles, names)
    code, report = run_once(path)
    model = report["models"]["my-model"]
    assert (model["rows"], model["error"]) == (rows, "")
    troubles = [each["title"] for each in model["incidents"] if each["state"] == "firing"]
    assert len(troubles) == bool(incident), troubles
    assert [incident in title for title in troubles] == [True] * len(troubles), troubles
    assert code == bool(incident)


def call(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)
