"""Records of three models and six hours of measurements of one, for questions."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import databases

from driftline.agent.composition_root import open_agent, read_config
from driftline.telemetry.logs import make_log

START = datetime(2026, 5, 1, tzinfo=UTC)
RECORD = {
    "versions": {
        "v3": {
            "created": "2026-03-01T00:00:00Z",
            "params": {"max_depth": 6, "booster": "gbtree", "rate": "0.1"},
            "metrics": {"train": {"auc": 0.83}, "loss": 0.41},
            "datasets": ["train-2026-03"],
            "tags": {"stage": "retired"},
        },
        "v4": {
            "created": "2026-04-20T00:00:00Z",
            "params": {"max_depth": 3, "booster": "gbtree", "rate": "0.1"},
            "metrics": {"train": {"auc": 0.86}, "loss": 0.38},
            "datasets": ["train-2026-04"],
            "tags": {"stage": "production"},
            "links": {"model": "s3://models/churn/v4"},
        },
    },
    "aliases": {"champion": "v4"},
    "datasets": {"train-2026-04": {"uri": "s3://data/churn/2026-04", "rows": 120000}},
    "events": [{"type": "deployment", "at": "2026-05-01T03:00:00Z", "version": "v4"}],
}
FRAUD = {
    "versions": {
        "v1": {"params": {"max_depth": 8, "booster": "dart"}, "metrics": {"train": {"auc": 0.78}}}
    },
    "aliases": {"champion": "v1"},
}


def write_rows(path: Path, hours: range, version: str, shift: float) -> None:
    rng = random.Random(5)
    with path.open("w") as file:
        for hour in hours:
            for number in range(200):
                at = START + timedelta(hours=hour, seconds=18 * number)
                row = {
                    "t": at.isoformat(),
                    "v": version,
                    "tenure": rng.gauss(50 + shift, 10),
                    "plan": rng.choice("abc"),
                }
                file.write(json.dumps(row) + "\n")


def make_scene(folder: Path) -> Path:
    """The path of a configuration whose state has records, and six hours of `churn`."""
    (folder / "log").mkdir()
    (folder / "none").mkdir()
    write_rows(folder / "log/a.jsonl", range(3), "v3", 0)
    write_rows(folder / "log/b.jsonl", range(3, 6), "v4", 40)
    write_rows(folder / "reference.jsonl", range(-24, 0), "v3", 0)
    local = {"type": "local", "options": {"path": "none"}}
    document = {
        "version": 1,
        "agent": {"state": databases.of(folder), "http": None, "workers": 1},
        "models": {
            "churn": {
                "source": {"type": "local", "options": {"path": "log"}},
                "schema": {
                    "timestamp": "t",
                    "version": {"column": "v"},
                    "features": {"tenure": "numeric", "plan": "categorical"},
                },
                "reference": {"type": "local", "options": {"path": "reference.jsonl"}},
                "windows": {"length": "1h"},
                "checks": {
                    "drift": {
                        "type": "drift",
                        "rule": {"measurement": "psi", "above": {"warning": 0.2}},
                    },
                    "volume": {"type": "volume"},
                },
                "owner": "Ada",
                "tags": {"team": "growth"},
                "record": RECORD,
            },
            "fraud": {"source": local, "owner": "Bob", "tags": {"team": "risk"}, "record": FRAUD},
            "leads": {"source": local, "tags": {"team": "growth"}},
        },
    }
    path = folder / "driftline.yaml"
    path.write_text(json.dumps(document))
    now = START + timedelta(hours=6, minutes=30)
    with open_agent(read_config(path), clock=lambda: now, log=make_log(), once=True) as agent:
        agent.tick("churn", seal=True)
    return path
