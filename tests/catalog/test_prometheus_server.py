"""The rules and the dashboard over `/metrics`, evaluated by a real Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import yaml
from agent_metrics import fill_metrics
from prometheus_client.exposition import generate_latest

from driftline.telemetry.metrics import Metrics

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
RULES = DEPLOY / "prometheus/alerts.yaml"
PROMETHEUS = os.environ.get("DRIFTLINE_PROMETHEUS") or shutil.which("prometheus")
LIMIT = 120.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.skipif(
        PROMETHEUS is None,
        reason="no Prometheus: apt-get install prometheus, or set DRIFTLINE_PROMETHEUS",
    ),
]


class Agent:
    """The metrics of an agent in trouble: nobody leads, rows stop, and each counter grows."""

    def __init__(self) -> None:
        self.metrics = Metrics("0.1.0", label_sets=1)

    def scrape(self) -> bytes:
        metrics = self.metrics
        fill_metrics(metrics, leads=False, tick_seconds=500.0)
        for name in ("outside", "psi"):  # there is room for one of them
            metrics.set_measurement(
                model="churn", check="drift", measurement=name, value=0.1, expected=(0.0, 0.2)
            )
        return generate_latest(metrics.registry)


@contextmanager
def prometheus(folder: Path):
    """A Prometheus that reads the metrics each second; yields what asks it."""
    agent = Agent()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(agent.scrape())

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "alerts.yaml").write_text(RULES.read_text())
    targets = [{"targets": [f"127.0.0.1:{server.server_port}"]}]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": [{"job_name": "driftline", "static_configs": targets}],
    }
    (folder / "prometheus.yaml").write_text(json.dumps(configuration))
    assert PROMETHEUS is not None
    command = [PROMETHEUS, f"--config.file={folder / 'prometheus.yaml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", trust_env=False) as client:
            yield lambda path, **words: ask(client, path, words)
    finally:
        process.terminate()
        process.wait(60)
        server.shutdown()
        server.server_close()


def ask(client: httpx.Client, path: str, words: dict[str, str]) -> dict | None:
    """The data of an answer; None while Prometheus starts."""
    try:
        answer = client.get(f"/{path}", params=words)
    except httpx.HTTPError:
        return None
    if answer.status_code == 503:
        return None
    body = answer.json()
    assert body["status"] == "success", body
    return body["data"]


def wait_for(question, limit: float = LIMIT):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if (answer := question()) is not None:
            return answer
        time.sleep(0.2)
    raise AssertionError("no answer in time")


def test_each_query_returns_data_and_each_rule_is_pending_or_fires(tmp_path):
    """The expressions of all panels and rules select samples of a Prometheus that read `/metrics`."""
    dashboard = json.loads((DEPLOY / "grafana/metrics.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    expressions += [rule["expr"] for rule in rules]
    with prometheus(tmp_path) as answers:
        for expression in expressions:
            query = expression.replace("$model", ".*").replace("$measurement", ".*")
            query = query.replace("$__rate_interval", "1m").replace("$__range", "1m")

            def result(query=query):
                data = answers("query", query=query)
                return (data["result"] or None) if data is not None else None

            try:
                wait_for(result)
            except AssertionError:
                raise AssertionError(f"no data: {query}") from None
        names = {rule["alert"] for rule in rules}

        def active():
            found = {alert["labels"]["alertname"] for alert in answers("alerts")["alerts"]}
            return found if found >= names else None

        assert wait_for(active) == names
