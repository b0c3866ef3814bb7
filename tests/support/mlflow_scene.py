"""A server of MLflow with two registered models, and its recorded answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

RECORDED = Path(__file__).parent.parent / "data/samples/mlflow/answers.json"
"""Answers by path and parameters, as MLflow 3.17.2 gave them."""
SECONDS = 240.0
"""How long the server may take to start."""


def find_mlflow() -> str | None:
    """The command of MLflow: that of DRIFTLINE_MLFLOW, or of this environment; None without it."""
    beside = Path(sys.executable).with_name("mlflow")
    named = os.environ.get("DRIFTLINE_MLFLOW") or (str(beside) if beside.exists() else "")
    return named or shutil.which("mlflow")


@contextmanager
def serve_mlflow(command: str, folder: Path) -> Iterator[str]:
    """Run a server with an empty registry; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--workers", "1"]
    arguments += ["--artifacts-destination", str(folder / "artifacts")]
    arguments += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [command, "server", *arguments], stdout=log, stderr=log, start_new_session=True
        )
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + SECONDS
    try:
        with httpx.Client(trust_env=False) as client:
            while True:
                try:
                    if client.get(f"{address}/health").status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
                assert time.monotonic() < end, (folder / "server.log").read_text()[-2000:]
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def fill(address: str) -> None:
    """Register `churn` with two versions of runs and an alias, and `fraud` with one version."""
    with httpx.Client(trust_env=False, timeout=60) as client:

        def post(path: str, body: Mapping[str, Any]) -> Any:
            answer = client.post(f"{address}/api/2.0/mlflow/{path}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        experiment = post("experiments/create", {"name": "leavers"})["experiment_id"]
        post(
            "registered-models/create",
            {
                "name": "churn",
                "description": "who leaves",
                "tags": [{"key": "team", "value": "growth"}],
            },
        )
        for depth, auc in ((6, 0.83), (3, 0.86)):
            run = post(
                "runs/create",
                {
                    "experiment_id": experiment,
                    "start_time": 1776672000000,
                    "run_name": f"depth {depth}",
                    "tags": [{"key": "mlflow.user", "value": "Ada"}],
                },
            )["run"]
            run_id = run["info"]["run_id"]
            metric = {"timestamp": 1776672000000, "step": 0}
            post(
                "runs/log-batch",
                {
                    "run_id": run_id,
                    "params": [
                        {"key": "max_depth", "value": str(depth)},
                        {"key": "booster", "value": "gbtree"},
                    ],
                    "metrics": [
                        {"key": "train.auc", "value": auc, **metric},
                        {"key": "loss", "value": 1.0, **metric},
                    ],
                },
            )
            dataset = {
                "name": f"train-{depth}",
                "digest": f"d{depth}",
                "source_type": "s3",
                "source": json.dumps({"uri": f"s3://data/churn/{depth}.csv"}),
            }
            context = {"key": "mlflow.data.context", "value": "training"}
            post(
                "runs/log-inputs",
                {"run_id": run_id, "datasets": [{"tags": [context], "dataset": dataset}]},
            )
            post("runs/update", {"run_id": run_id, "status": "FINISHED"})
            post(
                "model-versions/create",
                {
                    "name": "churn",
                    "source": f"s3://models/churn/{depth}",
                    "run_id": run_id,
                    "tags": [{"key": "checked", "value": "yes"}],
                    "description": f"trees of depth {depth}",
                },
            )
        post("registered-models/alias", {"name": "churn", "alias": "champion", "version": "2"})
        post("registered-models/create", {"name": "fraud"})
        post("model-versions/create", {"name": "fraud", "source": "s3://models/fraud/1"})


def key_of(path: str, parameters: Mapping[str, str]) -> str:
    """The name under which an answer is recorded."""
    return mask(f"{path} {json.dumps(dict(sorted(parameters.items())))}")


def mask(text: str) -> str:
    """The text without what differs between two servers: ids of runs, times and addresses."""
    text = re.sub(r"127\.0\.0\.1:\d+", "SERVER", text)
    text = re.sub(r"\bm-[0-9a-f]{32}\b", "MODEL", text)
    return re.sub(r"\b1[6-9]\d{11}\b|\b20\d\d-\d\d-\d\dT[\d:.]+(\+00:00)?", "TIME", text)
