"""Every command of the README runs as it is written there, on the example's log in an S3 bucket."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from driftline.extensions.registry import Registry

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
[BLOCK] = re.findall(r"```\n(pip install .*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].split() for line in BLOCK.splitlines() if line.startswith("driftline ")
]
DRIFTLINE = Path(sys.executable).parent / "driftline"


@dataclass
class Desk:
    """A folder with the example's configuration, reading the example's log from a bucket."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [DRIFTLINE, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, s3_server: str) -> Desk:
    folder = tmp_path_factory.mktemp("readme")
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_server,
        "NO_COLOR": "1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket="ml-logs")
    capture = ROOT / "examples/churn/capture"
    for path in sorted(capture.rglob("*.gz")):
        key = f"churn/{path.relative_to(capture).as_posix()}"
        client.put_object(Bucket="ml-logs", Key=key, Body=path.read_bytes())
    shutil.copytree(ROOT / "examples", folder / "examples")
    return Desk(folder, environment)


def configuration() -> str:
    """The example's configuration, with its source in the bucket."""
    text = (ROOT / "config.example.yaml").read_text()
    text = text.replace("http: 127.0.0.1:8080", "http: 127.0.0.1:0")
    return text.replace(
        "type: local\n      options:\n        path: examples/churn/capture/**/*.jsonl*\n",
        "type: s3\n      options:\n        bucket: ml-logs\n        prefix: churn/\n",
    )


def test_every_command_is_tried_here() -> None:
    """A command that is added to the README needs a test of its own."""
    assert [command[1] for command in COMMANDS] == [
        "init",
        "validate",
        "doctor",
        "run",
        "explain",
        "reproduce",
    ]


@pytest.mark.slow
def test_the_commands_work_in_their_order(desk: Desk) -> None:
    """`init` writes a file that is valid; with the example's configuration the others follow."""
    init, validate, doctor, run, explain, reproduce = (command[1:] for command in COMMANDS)
    file = desk.folder / "driftline.yaml"

    answer = desk.run(*init)
    assert (answer.returncode, file.exists()) == (0, True), answer.stderr
    assert desk.run(*validate).returncode == 0

    file.write_text(configuration())
    answer = desk.run(*validate)
    assert (answer.returncode, "1 model" in answer.stdout) == (0, True), answer.stdout
    answer = desk.run(*doctor)
    assert answer.returncode == 0, answer.stdout + answer.stderr

    with subprocess.Popen(
        [DRIFTLINE, *run],
        cwd=desk.folder,
        env=desk.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as agent:
        try:
            wait_for_incidents(desk)
            agent.send_signal(signal.SIGINT)
            assert agent.wait(60) == 0
        finally:
            agent.kill()

    answer = desk.run(*explain)
    assert answer.returncode in (0, 1), answer.stderr
    assert "churn" in answer.stdout
    [incident] = json.loads(desk.run("incidents", "--json").stdout)
    assert "Day Mins" in incident["title"]
    answer = desk.run(*(incident["id"] if word == "inc_eb76" else word for word in reproduce))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def wait_for_incidents(desk: Desk) -> None:
    """Until the incident of the last fault is open: the agent reads three days in some seconds."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        answer = desk.run("incidents", "--json")
        if answer.returncode in (0, 1) and "Day Mins" in answer.stdout:
            return
        time.sleep(0.5)
    raise AssertionError("the agent opened no incident")


ROWS = {
    title.strip("[]").split("]")[0]: text
    for title, text in re.findall(r"^\| ([^|]+?) \| (.+) \|$", README, re.MULTILINE)
    if not title.startswith(("-", "`make", "command"))
}
PLUGINS = {
    "reads from": ("source", {"s3": "S3", "gcs": "Cloud Storage", "azure_blob": "Azure Blob", "bigquery": "BigQuery", "local": "files", "prometheus": "Prometheus", "cloudwatch": "CloudWatch", "cloud_monitoring": "Cloud Monitoring", "azure_monitor": "Azure Monitor"}),
    "notifies": ("sink", {"slack": "Slack", "slack_bot": "bot", "pagerduty": "PagerDuty", "webhook": "webhook", "teams": "Teams", "google_chat": "Google Chat", "discord": "Discord", "opsgenie": "Opsgenie", "email": "email", "file": "files", "apprise": "Apprise", "console": "terminal"}),
    "acts": ("action", {"sagemaker_pipeline": "SageMaker pipelines", "sagemaker_weights": "traffic", "vertex_pipeline": "Vertex AI", "azureml_job": "Azure ML", "airflow": "Airflow", "kubernetes_job": "Kubernetes", "github_dispatch": "GitHub", "shell": "command"}),
}  # fmt: skip
"""Rows that name plugins: their kind, and the word for each type that ships."""
TESTED = {
    "reads from": ["sources/test_store_conformance.py", "agent/test_three_clouds.py", "sources/test_source_bigquery.py", "sources/test_metric_sources.py"],
    "understands": ["samples/test_samples.py", "formats/test_format_hostile.py"],
    "joins": ["agent/test_pairs.py", "agent/test_late_labels.py"],
    "compares with": ["agent/test_reference_state.py", "cli/test_reference_import.py"],
    "checks": ["checks/test_all_checks_degenerate.py", "extensions/test_testing_kit.py"],
    "alarms": ["agent/test_unusual.py", "agent/test_too_little_data.py"],
    "notifies": ["sinks/test_sink_messages.py", "delivery/test_delivery_whole.py"],
    "looks back": ["backtest/test_replayed.py"],
    "incidents": ["agent/test_people.py", "agent/test_web_acts.py"],
    "acts": ["actions/test_actions_arrive.py", "actions/test_actions_whole.py"],
    "looks at any series": ["cli/test_detect.py"],
    "reports": ["comparison/test_report_forms.py"],
    "keeps records": ["catalog/test_records.py", "catalog/test_imports_of_registries.py", "catalog/test_questions.py"],
    "works in Python": ["client/test_recipes.py", "client/test_connection.py", "client/test_spark.py"],
    "reads on more machines": ["agent/test_executor.py"],
    "stays in operation": ["agent/test_heartbeat.py", "cli/test_backup_command.py", "agent/test_reloading.py"],
    "keeps its state in": ["agent/test_standby.py", "state/test_leadership.py"],
}  # fmt: skip
"""The tests that run what a row says, on whole agents or on the real protocol."""


def test_every_row_is_run_by_a_test() -> None:
    """A row that is added to the README needs tests that run what it says."""
    assert set(ROWS) == set(TESTED)
    for row, files in TESTED.items():
        for file in files:
            assert "\ndef test_" in (ROOT / "tests" / file).read_text(), f"{row}: {file}"


@pytest.mark.parametrize("row", sorted(PLUGINS))
def test_rows_name_what_ships(row: str) -> None:
    """Each plugin of the kind is in the row, and the row promises no other."""
    kind, words = PLUGINS[row]
    registry = Registry.load()
    assert set(registry.names(kind)) == set(words)
    assert [word for word in words.values() if word not in ROWS[row]] == []
