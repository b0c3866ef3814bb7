"""A small world to crash in: many log objects with a change that comes and goes, three receivers,
one configuration.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import databases
from database_dump import dump
from receivers import PagerDutyReceiver, SlackReceiver, WebhookReceiver

from driftline.state.factory import open_store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
COMPARED = (
    "objects",
    "shares",
    "windows",
    "reference_profiles",
    "measurements",
    "alerts",
    "incidents",
    "incident_events",
)
"""Everything whose content doesn't depend on the machine's clock."""
HOURS, DRIFTED = 6, (2, 3)


@dataclass
class World:
    """Folders, receivers, and how to start the agent."""

    folder: Path
    slack: SlackReceiver
    pagerduty: PagerDutyReceiver
    webhook: WebhookReceiver

    @property
    def config(self) -> Path:
        return self.folder / "driftline.yaml"

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "driftline",
            "run",
            "--once",
            "--json",
            "-c",
            str(self.config),
        ]

    def environment(self) -> dict[str, str]:
        secrets = {"SLACK": self.slack.url, "PAGERDUTY": "r" * 32, "WEBHOOK": SECRET}
        return os.environ | secrets | {"DRIFTLINE_DEBUG": "1"}

    def run(self) -> dict:
        """One undisturbed run; its summary."""
        done = subprocess.run(
            self.command(), env=self.environment(), capture_output=True, text=True, timeout=120
        )
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    def kill_after(self, seconds: float) -> bool:
        """Start the agent and kill it after a time; returns whether it was still running."""
        process = subprocess.Popen(
            self.command(),
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._unlocked()
            return True
        return False

    def _unlocked(self) -> None:
        """Until the server has noticed that the agent is gone."""
        if databases.ON_POSTGRES:
            store = open_store(databases.of(self.folder), readonly=True)
            while store.leader() is not None:
                time.sleep(0.01)
            store.close()

    def state(self) -> dict[str, list[tuple[object, ...]]]:
        """What two runs are compared by."""
        store = open_store(databases.of(self.folder), readonly=True)
        try:
            with store.read() as connection:
                found = dump(connection)
        finally:
            store.close()
        return {name: found[name] for name in COMPARED}

    def forget(self) -> None:
        """A fresh state; the logs stay."""
        databases.anew(self.folder)
        for receiver in (self.slack, self.pagerduty, self.webhook):
            receiver.accepted.clear()
            receiver.requests.clear()
        self.webhook.ids.clear()

    def assert_everyone_was_told(self, incidents: list[dict]) -> None:
        """Each incident's opening and its resolution reached each receiver, once where a repeat can
        be recognised.
        """
        assert incidents, "the world must contain a change"
        for incident in incidents:
            assert incident["state"] == "resolved"
            alerts = [
                alert for alert in self.pagerduty.accepted if alert.key.endswith(incident["id"])
            ]
            assert [alert.status for alert in alerts] == ["resolved"], incident
            told = [
                message["type"]
                for message in self.webhook.accepted
                if message["data"]["incident"] == incident["id"]
            ]
            assert told.count("incident.opened") == 1, told
            assert told.count("incident.resolved") == 1, told
            texts = [
                request.body.decode()
                for request in self.slack.requests
                if request.status == 200 and incident["id"] in request.body.decode()
            ]
            assert len(texts) >= 2
        assert len(self.pagerduty.accepted) == len(incidents)


def build(
    folder: Path,
    slack: SlackReceiver,
    pagerduty: PagerDutyReceiver,
    webhook: WebhookReceiver,
    objects: int,
    rows: int,
    hours: int = HOURS,
) -> World:
    """Write the logs, `rows` rows in each of `objects` files, and the configuration."""
    begin = datetime(2026, 5, 1, tzinfo=UTC)
    rng = random.Random(5)
    (folder / "log").mkdir(parents=True)
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["amount", "plan", "score", "churned"])
    for _ in range(2000):
        writer.writerow(
            [
                round(rng.gauss(50, 10), 3),
                rng.choice("abc"),
                round(rng.random(), 3),
                int(rng.random() < 0.5),
            ]
        )
    (folder / "reference.csv").write_text(table.getvalue())
    for number in range(objects):
        at = number * hours * 3600 // objects
        hour = at // 3600
        lines = []
        for row in range(rows):
            second = min(at + row * hours * 3600 // objects // rows, hours * 3600 - 1)
            amount = rng.gauss(50, 10) * (3 if hour % HOURS in DRIFTED else 1)
            stamp = f"{begin + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}"
            record = {
                "t": stamp,
                "id": f"{number}-{row}",
                "amount": round(amount, 3),
                "plan": rng.choice("abc"),
                "score": round(rng.random(), 3),
            }
            lines.append(json.dumps(record))
        path = folder / "log" / f"{number:05d}.jsonl"
        path.write_text("\n".join(lines) + "\n")
        os.utime(path, (1_777_600_000 + number, 1_777_600_000 + number))
    (folder / "driftline.yaml").write_text(
        f"""
version: 1
agent: {{state: "{databases.of(folder)}", http: null, workers: 2}}
models:
  shop:
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
      prediction: {{kind: binary, score: score}}
    reference: {{type: local, options: {{path: {folder}/reference.csv}}}}
    windows: {{notify_within: null}}
    checks:
      drift: {{type: drift}}
      missing: {{type: missing}}
      range: {{type: range}}
sinks:
  chat: {{type: slack, allow_private: true, options: {{webhook_url: "${{env:SLACK}}"}}}}
  pager: {{type: pagerduty, allow_private: true, options: {{routing_key: "${{env:PAGERDUTY}}", url: "{pagerduty.url}"}}}}
  hook: {{type: webhook, allow_private: true, options: {{url: "{webhook.url}", secret: "${{env:WEBHOOK}}"}}}}
"""
    )
    return World(folder, slack, pagerduty, webhook)


def receivers() -> tuple[SlackReceiver, PagerDutyReceiver, WebhookReceiver]:
    """The three, not started."""
    return SlackReceiver(), PagerDutyReceiver(), WebhookReceiver(SECRET, time.time)
