"""Records of a server of MLflow: a real one where it is installed, and its recorded answers."""

from __future__ import annotations

import json
import os
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from catalog_scene import configure, run, run_json
from mlflow_scene import RECORDED, fill, find_mlflow, key_of, mask, serve_mlflow

pytestmark = pytest.mark.system

API = "/api/2.0/mlflow/"


@contextmanager
def front(answer):
    """A server whose answer to a path with parameters is that of `answer`; yields its address."""

    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, body = answer(url.path.removeprefix(API), dict(parse_qsl(url.query)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def imported(folder, address: str) -> list[dict]:
    """What `records list` has after two imports; the second one changes nothing."""
    folder.mkdir()
    path = configure(folder, {"churn": {}, "fraud": {}})
    for _ in range(2):
        result = run(path, "records", "import", address, "--author", "Ada")
        assert result.exception is None, result.output
    rows = run_json(path, "records", "list")
    assert {row["revision"] for row in rows} == {1}
    return [{key: row[key] for key in ("model", "kind", "name", "fields")} for row in rows]


def recorded_answer(path: str, parameters: dict[str, str]) -> tuple[int, object]:
    answers = json.loads(RECORDED.read_text())
    key = key_of(path, parameters)
    return (200, answers[key]) if key in answers else (404, {"message": f"not recorded: {key}"})


def without_ids(value: object) -> str:
    """As text, with the ids of runs numbered in the order in which they appear."""
    text = mask(json.dumps(value, sort_keys=True, indent=1))
    ids: dict[str, str] = {}
    return re.sub(
        r"\b[0-9a-f]{32}\b", lambda match: ids.setdefault(match[0], f"RUN {len(ids)}"), text
    )


def test_recorded_answers_give_records(tmp_path):
    """Models, versions with what their runs have, datasets and aliases."""
    with front(recorded_answer) as address:
        rows = imported(tmp_path / "a", address)
    fields = {(row["model"], row["kind"], row["name"]): row["fields"] for row in rows}
    assert set(fields) == {
        ("churn", "model", ""),
        ("churn", "version", "1"),
        ("churn", "version", "2"),
        ("churn", "dataset", "train-6"),
        ("churn", "dataset", "train-3"),
        ("churn", "alias", "champion"),
        ("fraud", "model", ""),
        ("fraud", "version", "1"),
    }
    version = fields["churn", "version", "2"]
    assert version["params"] == {"max_depth": "3", "booster": "gbtree"}
    assert version["metrics"] == {"train.auc": 0.86, "loss": 1.0}
    assert version["datasets"] == ["train-3"]
    assert version["owner"] == "Ada"
    assert version["links"]["model"] == "s3://models/churn/3"
    assert version["tags"]["checked"] == "yes"
    assert fields["churn", "alias", "champion"] == {"version": "2"}
    assert fields["churn", "dataset", "train-3"]["uri"] == "s3://data/churn/3.csv"


def test_what_was_imported_goes_round_by_plain_json(tmp_path):
    """Another state that imports the list has the same records."""
    with front(recorded_answer) as address:
        rows = imported(tmp_path / "a", address)
    (tmp_path / "b").mkdir()
    path = configure(tmp_path / "b", {"churn": {}, "fraud": {}})
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(sorted(rows, key=lambda row: row["kind"] == "alias")))
    assert run(path, "records", "import", str(file)).exception is None
    again = run_json(path, "records", "list")
    assert [{key: row[key] for key in rows[0]} for row in again] == rows


@pytest.mark.slow
@pytest.mark.skipif(
    find_mlflow() is None, reason="no mlflow: pip install mlflow, or set DRIFTLINE_MLFLOW"
)
def test_a_real_server_answers_as_recorded(tmp_path):
    """What is imported of it is what is imported of the recorded answers.

    UPDATE_GOLDEN=1 records them.
    """
    answers: dict[str, object] = {}
    command = find_mlflow()
    assert command is not None
    with serve_mlflow(command, tmp_path) as real, httpx.Client(trust_env=False) as client:
        fill(real)

        def pass_on(path: str, parameters: dict[str, str]) -> tuple[int, object]:
            answer = client.get(f"{real}{API}{path}", params=parameters)
            answers[key_of(path, parameters)] = answer.json()
            return answer.status_code, answer.json()

        with front(pass_on) as address:
            rows = imported(tmp_path / "real", address)
        direct = imported(tmp_path / "direct", real)
    if os.environ.get("UPDATE_GOLDEN"):
        text = json.dumps(answers, indent=1, sort_keys=True)
        RECORDED.write_text(text.replace(str(tmp_path), "/srv/mlflow") + "\n")
    with front(recorded_answer) as address:
        recorded = imported(tmp_path / "recorded", address)
    assert without_ids(direct) == without_ids(rows)
    text = without_ids(recorded).replace("/srv/mlflow", str(tmp_path))
    assert without_ids(rows) == text
