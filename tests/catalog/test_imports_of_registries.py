"""Imports: documents as the registries of clouds and MLflow print them, and a server of MLflow."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from catalog_scene import configure, run, run_json

from driftline.catalog.catalog import RecordError
from driftline.catalog.imports.documents import read_documents

PACKAGE = {
    "ModelPackageGroupName": "churn",
    "ModelPackageVersion": 4,
    "ModelPackageArn": "arn:aws:sagemaker:eu-west-1:1:model-package/churn/4",
    "ModelPackageDescription": "smaller trees",
    "CreationTime": "2026-04-20T10:00:00+02:00",
    "InferenceSpecification": {
        "Containers": [
            {"Image": "xgboost:1.7", "ModelDataUrl": "s3://models/4.tgz", "Framework": "XGBOOST"}
        ]
    },
    "ModelPackageStatus": "Completed",
    "ModelApprovalStatus": "Approved",
    "MetadataProperties": {"CommitId": "abc", "Repository": "https://git.example/churn"},
    "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://models/quality.json"}}},
    "CustomerMetadataProperties": {"team": "growth"},
}
CARD = {
    "ModelCardArn": "arn:aws:sagemaker:eu-west-1:1:model-card/churn-card",
    "ModelCardName": "churn-card",
    "ModelCardVersion": 2,
    "ModelCardStatus": "Approved",
    "Content": json.dumps(
        {
            "model_overview": {
                "model_name": "churn",
                "model_description": "who leaves",
                "model_owner": "Ada",
                "model_version": 4,
                "model_artifact": ["s3://models/4.tgz"],
            },
            "intended_uses": {"risk_rating": "Low"},
            "training_details": {
                "training_job_details": {
                    "training_datasets": ["s3://data/train"],
                    "training_metrics": [{"name": "auc", "value": 0.86}],
                    "hyper_parameters": [{"name": "max_depth", "value": "3"}],
                }
            },
            "evaluation_details": [
                {
                    "name": "holdout",
                    "metric_groups": [
                        {
                            "name": "binary",
                            "metric_data": [
                                {"name": "f1", "type": "number", "value": 0.7},
                                {"name": "matrix", "type": "matrix", "value": [[1, 2], [3, 4]]},
                            ],
                        }
                    ],
                }
            ],
        }
    ),
}
VERTEX = {
    "name": "projects/1/locations/europe-west4/models/77",
    "displayName": "churn",
    "versionId": "4",
    "versionAliases": ["default", "champion"],
    "versionCreateTime": "2026-04-20T08:00:00Z",
    "labels": {"team": "growth"},
    "artifactUri": "gs://models/churn/4",
    "modelEvaluations": [{"metrics": {"auRoc": 0.86, "confusionMatrix": {"rows": [[1], [2]]}}}],
}
AZURE = {
    "id": "/subscriptions/1/resourceGroups/g/providers/Microsoft.MachineLearningServices/"
    "workspaces/w/models/churn/versions/4",
    "name": "churn",
    "version": "4",
    "path": "azureml://models/churn/4",
    "description": "smaller trees",
    "tags": {"team": "growth"},
    "properties": {"max_depth": "3"},
    "stage": "Production",
    "creation_context": {"created_at": "2026-04-20T08:00:00+00:00", "created_by": "Ada"},
}
AZURE_REST = {
    "id": AZURE["id"],
    "name": "4",
    "properties": {
        "modelUri": AZURE["path"],
        "description": AZURE["description"],
        "tags": AZURE["tags"],
        "properties": AZURE["properties"],
        "stage": "Production",
    },
    "systemData": {"createdAt": "2026-04-20T08:00:00+00:00", "createdBy": "Ada"},
}
RUN = {
    "info": {
        "run_id": "r4",
        "run_name": "depth 3",
        "experiment_id": "1",
        "status": "FINISHED",
        "start_time": 1776672000000,
        "artifact_uri": "s3://mlflow/1/r4/artifacts",
        "user_id": "Ada",
    },
    "data": {
        "metrics": [{"key": "train.auc", "value": 0.86, "timestamp": 1, "step": 0}],
        "params": [{"key": "max_depth", "value": "3"}],
        "tags": [{"key": "stage", "value": "production"}],
    },
    "inputs": {
        "dataset_inputs": [
            {
                "tags": [{"key": "mlflow.data.context", "value": "training"}],
                "dataset": {
                    "name": "train-2026-04",
                    "digest": "d4",
                    "source_type": "s3",
                    "source": json.dumps({"uri": "s3://data/churn/2026-04.csv"}),
                },
            }
        ]
    },
}
REGISTERED = {
    "name": "churn",
    "description": "who leaves",
    "tags": [{"key": "team", "value": "growth"}],
    "aliases": [{"alias": "champion", "version": "4"}],
}
VERSIONS = [
    {
        "name": "churn",
        "version": number,
        "creation_timestamp": 1776672000000,
        "source": f"s3://models/churn/{number}",
        "run_id": "r4",
        "current_stage": "None",
        "tags": [{"key": "checked", "value": "yes"}],
    }
    for number in ("4", "3")
]


def read(document, model=""):
    """Fields by kind and name."""
    return {
        (record.kind, record.name): record.fields
        for record in read_documents(json.dumps(document), model)
    }


def test_a_model_package_is_a_version():
    """With its artefacts, its reports and its state as links and tags."""
    fields = read(PACKAGE)["version", "4"]
    assert fields["tags"] == {
        "team": "growth",
        "approval": "Approved",
        "status": "Completed",
        "commit": "abc",
    }
    assert fields["links"]["model"] == "s3://models/4.tgz"
    assert fields["links"]["ModelQuality.Statistics"] == "s3://models/quality.json"
    assert fields["created"] == "2026-04-20T10:00:00+02:00"


def test_a_model_card_is_a_model_and_a_version():
    """Metrics that are no numbers are left out."""
    records = read(CARD)
    assert records["model", ""]["owner"] == "Ada"
    version = records["version", "4"]
    assert version["metrics"] == {"train.auc": 0.86, "holdout.f1": 0.7}
    assert version["params"] == {"max_depth": "3"}
    assert version["datasets"] == ["s3://data/train"]


def test_a_model_of_vertex_has_aliases():
    """Of its evaluations the numbers are taken."""
    records = read(VERTEX)
    assert records["alias", "champion"] == {"version": "4"}
    assert records["version", "4"]["metrics"] == {"auRoc": 0.86}
    assert records["version", "4"]["tags"] == {"team": "growth"}


def test_a_model_of_azure_is_the_same_from_its_tool_and_from_rest():
    """Name and version stand in other places."""
    assert read(AZURE) == read(AZURE_REST)
    assert read(AZURE)["version", "4"]["tags"] == {"team": "growth", "stage": "Production"}


def test_a_run_is_a_version_of_the_named_model():
    """Named by its id."""
    fields = read({"run": RUN}, "churn")["version", "r4"]
    assert fields["metrics"] == {"train.auc": 0.86}
    assert fields["datasets"] == ["train-2026-04"]
    with pytest.raises(RecordError, match="--model"):
        read({"run": RUN})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "can't be read as JSON"),
        ("[1]", "a JSON object"),
        ('{"a": 1}', "no known document"),
        ('{"ModelCardName": "a", "Content": "{"}', "another form than its kind"),
        ('{"ModelPackageArn": "a", "InferenceSpecification": 3}', "another form than its kind"),
    ],
)
def test_what_is_no_document_is_said(text, message):
    """With what there is."""
    with pytest.raises(RecordError, match=message):
        list(read_documents(text))


class Registry(BaseHTTPRequestHandler):
    """Answers as MLflow's REST API does, with pages of one version each."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        path = url.path.removeprefix("/api/2.0/mlflow/")
        page = int(query.get("page_token", "0"))
        answers = {
            "registered-models/search": {"registered_models": [REGISTERED]},
            "registered-models/get": {"registered_model": REGISTERED},
            "model-versions/search": {"model_versions": VERSIONS[page : page + 1]}
            | ({"next_page_token": "1"} if page == 0 else {}),
            "runs/get": {"run": RUN},
        }
        is_known = path in answers and query.get("name", "churn") == "churn"
        body = answers[path] if is_known else {"error_code": "X", "message": "not found"}
        self.send_response(200 if is_known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.system
def test_a_server_of_mlflow_is_imported_once(tmp_path):
    """With versions of all pages, runs, datasets and aliases; a second import changes nothing."""
    server = HTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    path = configure(tmp_path)
    try:
        for _ in range(2):
            result = run(path, "records", "import", address, "--author", "Ada")
            assert result.exception is None, result.output
        missing = run(path, "records", "import", address, "--model", "absent")
        assert "404: not found" in str(missing.exception)
    finally:
        server.shutdown()
        server.server_close()
    rows = {(row["kind"], row["name"]): row for row in run_json(path, "records", "list", "churn")}
    assert set(rows) == {
        ("model", ""),
        ("version", "3"),
        ("version", "4"),
        ("dataset", "train-2026-04"),
        ("alias", "champion"),
    }
    assert {row["revision"] for row in rows.values()} == {1}
    assert {row["way"] for row in rows.values()} == {"import"}
    found = run_json(
        path,
        "search",
        "models",
        "metrics.`train.auc` > 0.85 and params.max_depth = '3' and tags.checked = 'yes' "
        "and attributes.status = 'FINISHED' and alias = 'champion'",
    )
    assert [row["version"] for row in found] == ["4"]


@pytest.mark.system
def test_records_go_round_by_plain_json(tmp_path):
    """What `records list --json` prints is what `records import` reads."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = configure(tmp_path / "a"), configure(tmp_path / "b")
    for number, document in enumerate((PACKAGE, CARD, VERTEX, AZURE)):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(document))
        assert run(first, "records", "import", str(file)).exception is None
    rows = run_json(first, "records", "list")
    rows.sort(key=lambda row: row["kind"] == "alias")
    file = tmp_path / "all.json"
    file.write_text(json.dumps(rows))
    assert run(second, "records", "import", str(file)).exception is None
    kept = ("model", "kind", "name", "fields")
    again = [{key: row[key] for key in kept} for row in run_json(second, "records", "list")]
    expected = [{key: row[key] for key in kept} for row in run_json(first, "records", "list")]
    assert again == expected
