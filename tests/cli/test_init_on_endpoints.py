"""`driftline init` on folders with the logs of several models: each gets a model of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from run_commands import run_once

from driftline.cli.main import main
from driftline.config import load_config

pytestmark = pytest.mark.system

ROWS = 30
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = "2026/01/05/00"
TIMES = [f"{START + timedelta(seconds=15 * row):%Y-%m-%dT%H:%M:%SZ}" for row in range(ROWS)]


def write(path: Path, records: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def capture(folder: Path, endpoint: str) -> None:
    """An endpoint of SageMaker with data capture."""

    def side(text: str) -> dict[str, str]:
        return {"observedContentType": "text/csv", "data": text, "encoding": "CSV"}

    write(
        folder / endpoint / "AllTraffic" / HOUR / "a.jsonl",
        [
            {
                "captureData": {
                    "endpointInput": side(f"{row % 7}.5,{'ab'[row % 2]}"),
                    "endpointOutput": side(f"0.{row % 9}"),
                },
                "eventMetadata": {"eventId": f"e{row}", "inferenceTime": TIMES[row]},
                "eventVersion": "0",
            }
            for row in range(ROWS)
        ],
    )


def collect(folder: Path, endpoint: str) -> None:
    """An endpoint of Azure ML that collects its inputs and outputs."""
    data: dict[str, Callable[[int], dict[str, object]]] = {
        "model_inputs": lambda row: {"age": row % 7 + 0.5},
        "model_outputs": lambda row: {"prediction": row % 2},
    }
    for name, values in data.items():
        write(
            folder / endpoint / "blue" / name / HOUR / "a.jsonl",
            [
                {
                    "specversion": "1.0",
                    "id": f"{name}{row}",
                    "source": f"/subscriptions/0/onlineEndpoints/{endpoint}/deployments/blue",
                    "type": f"azureml.inference.{name}",
                    "time": TIMES[row],
                    "data": [values(row)],
                    "correlationid": f"c{row}",
                }
                for row in range(ROWS)
            ],
        )


def predict(folder: Path, model: str, day: str = "05") -> None:
    """A batch prediction of Vertex AI."""
    job = f"prediction-{model}-2026_01_{day}T00_00_00_123Z"
    write(
        folder / job / "prediction.results-00000-of-1",
        [
            {"instance": {"age": row % 7 + 0.5}, "prediction": ["yes", "no"][row % 2]}
            for row in range(ROWS)
        ],
    )


def endpoints_of_projects(root: Path) -> None:
    capture(root / "proj-a", "churn")
    capture(root / "proj-b", "fraud")


def endpoints_with_one_name(root: Path) -> None:
    capture(root / "prod", "churn")
    capture(root / "test", "churn")


def endpoints_below_a_folder(root: Path) -> None:
    collect(root / "modelDataCollector", "churn")
    collect(root / "modelDataCollector", "fraud")


def endpoints(root: Path) -> None:
    collect(root, "churn")
    collect(root, "fraud")


def jobs_in_a_folder_each(root: Path) -> None:
    predict(root / "a", "churn")
    predict(root / "b", "fraud")


FOLDERS: dict[str, tuple[Callable[[Path], None], dict[str, str]]] = {
    # What writes the folders; the models, and the path of each.
    "endpoints": (endpoints, {"churn": "log/churn", "fraud": "log/fraud"}),
    "endpoints below a folder": (
        endpoints_below_a_folder,
        {
            "churn": "log/modelDataCollector/churn",
            "fraud": "log/modelDataCollector/fraud",
        },
    ),
    "endpoints of projects": (
        endpoints_of_projects,
        {"churn": "log/proj-a/churn", "fraud": "log/proj-b/fraud"},
    ),
    "endpoints with one name": (
        endpoints_with_one_name,
        {"prod-churn": "log/prod/churn", "test-churn": "log/test/churn"},
    ),
    "jobs in a folder each": (jobs_in_a_folder_each, {"a": "log/a", "b": "log/b"}),
}


def run_init(where: str) -> str:
    """Run `init` and return the text of the configuration."""
    with pytest.raises(SystemExit) as left:
        main(["init", where])
    assert left.value.code in (None, 0)
    return Path("driftline.yaml").read_text()


@pytest.mark.parametrize("kind", FOLDERS)
def test_each_folder_of_a_model_gives_a_model(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    write_folders, expected = FOLDERS[kind]
    write_folders(tmp_path / "log")
    run_init("log")
    models = load_config(Path("driftline.yaml")).models
    assert {name: model.source.path for name, model in models.items()} == expected


def test_jobs_of_models_that_no_beginning_tells_apart_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for model in ("churn", "churn-v2"):
        predict(tmp_path / "log", model)
    assert "# CHECK: model has the names of several models (churn, churn-v2)" in run_init("log")


def test_jobs_in_one_folder_are_read_by_model(tmp_path, monkeypatch):
    """Each model has the rows of its own jobs, at the times in the names of their folders."""
    monkeypatch.chdir(tmp_path)
    for model in ("churn", "fraud"):
        predict(tmp_path / "log", model)
    predict(tmp_path / "log", "fraud", day="06")
    path = Path("driftline.yaml")
    path.write_text(run_init("log").replace("127.0.0.1:8080", "null"))
    _, report = run_once(path)
    read = {name: (model["rows"], model["last_event"]) for name, model in report["models"].items()}
    assert {name: (rows, str(at)[:10]) for name, (rows, at) in read.items()} == {
        "churn": (ROWS, "2026-01-05"),
        "fraud": (2 * ROWS, "2026-01-06"),
    }


def test_folders_with_equal_columns_are_one_model_to_check(tmp_path, monkeypatch):
    """They may as well be places of one model, which is what the configuration says."""
    monkeypatch.chdir(tmp_path)
    for name in ("churn", "fraud"):
        rows = [{"ts": TIMES[row], "age": row % 7, "prediction": row % 2} for row in range(ROWS)]
        write(tmp_path / "log" / name / "a.jsonl", rows)
    text = run_init("log")
    assert list(load_config(Path("driftline.yaml")).models) == ["my-model"]
    assert "# CHECK: the folders churn, fraud have the same columns" in text
