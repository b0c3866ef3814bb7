"""A configuration with records of two models, and the ways to write and read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import databases
from click.testing import CliRunner, Result

from driftline.agent.composition_root import open_agent, read_config
from driftline.cli.main import cli
from driftline.telemetry.logs import make_log

NOW = datetime(2026, 5, 2, tzinfo=UTC)


def configure(folder: Path, models: dict[str, dict[str, Any]] | None = None) -> Path:
    """Write a configuration with these settings of models, and make the state."""
    path = folder / "driftline.yaml"
    (folder / "logs").mkdir(exist_ok=True)
    source = {"type": "local", "options": {"path": "logs"}}
    document = {
        "version": 1,
        "agent": {"state": databases.of(folder), "http": None},
        "models": {
            name: {"source": source, **settings}
            for name, settings in (models or {"churn": {}}).items()
        },
    }
    path.write_text(json.dumps(document))
    start(path)
    return path


def start(path: Path) -> None:
    """Start an agent and end it: the records of the configuration are written."""
    with open_agent(read_config(path), clock=lambda: NOW, log=make_log(), once=True):
        pass


def run(path: Path, *args: str) -> Result:
    """Run a command with this configuration."""
    return CliRunner().invoke(cli, [*args, "-c", str(path)], standalone_mode=False)


def run_json(path: Path, *args: str) -> Any:
    """Run a command that prints JSON."""
    result = run(path, *args, "--json")
    if result.exception:
        raise result.exception
    return json.loads(result.stdout)
