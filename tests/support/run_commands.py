"""`driftline run --once --json` and `status --json`, in this process."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import databases
from click.testing import CliRunner

from driftline.cli.run import run
from driftline.cli.status import status

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


def configure(
    folder: Path, models: dict[str, Any], sinks: dict[str, Any] | None = None, agent: str = ""
) -> Path:
    """A configuration of these models. YAML reads JSON."""
    path = folder / "driftline.yaml"
    state = {"state": databases.of(folder), "http": None, "workers": 2}
    path.write_text(
        json.dumps({"version": 1, "agent": state, "models": models, "sinks": sinks or {}})
    )
    return path


def run_once(config: Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the one JSON object on standard output."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        return _invoke(run, ["--once", "--json", "-c", str(config)])
    finally:
        signal.signal(signal.SIGTERM, handler)


def show_status(config: Path) -> dict[str, Any]:
    """What `status --json` says."""
    return _invoke(status, ["--json", "-c", str(config)])[1]


def _invoke(command: Any, arguments: list[str]) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(command, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    found = json.loads(done.stdout)
    json.dumps(found, allow_nan=False)
    return done.exit_code, found
