"""Makes the stored state; runs with the version whose state it is, see README.md."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from click.testing import CliRunner
from driftline.runtime import start
from driftline.runtime.logs import make_log

from driftline.cli.main import cli

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent.parent / "support"))
from earlier_scene import HOURS, START, write_folder, write_hour  # noqa: E402

NOW = START
AUTHOR = ("--author", "ada", "--reason")


def clock() -> datetime:
    """The time of the scene."""
    return NOW


def command(folder: Path, *arguments: str) -> str:
    """Run a command of driftline, and return what it prints."""
    result = CliRunner().invoke(
        cli, [*arguments, "-c", str(folder / "driftline.yaml")], standalone_mode=False
    )
    if result.exception is not None and getattr(result.exception, "code", 2) not in (0, 1):
        raise result.exception
    return result.output


def incident(folder: Path, model: str, cause: str) -> str:
    """The id of the open incident of a model."""
    models = json.loads(command(folder, "status", "--json"))["models"]
    [name] = [
        row["id"]
        for row in models[model]["incidents"]
        if row["state"] == "firing" and row["cause"] == cause
    ]
    return str(name)


def main() -> None:
    """Run the scene with a clock of its own, and store the state and what the commands print."""
    global NOW
    start.system_clock = clock
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(folder)
        with start.running(
            start.read_config(folder / "driftline.yaml"),
            clock=clock,
            log=make_log(io.StringIO(), human=False),
            console=io.StringIO(),
            once=True,
        ) as agent:
            agent.recover()
            for hour in range(HOURS):
                write_hour(folder, hour)
                NOW = START + timedelta(hours=hour + 1, minutes=20)
                tick(agent)
                if hour == 14:
                    name = incident(folder, "store", "drift")
                    command(folder, "reference", "accept", name, *AUTHOR, "new price list")
                if hour == 22:
                    name = incident(folder, "shop", "drift")
                    command(folder, "ack", name, *AUTHOR, "looking at it")
                    name = incident(folder, "store", "quality")
                    command(folder, "snooze", name, "--for", "30d", *AUTHOR, "known fault")
                    matchers = "model=late,family=drift"
                    command(folder, "silence", matchers, "--for", "300d", *AUTHOR, "campaign")
            tick(agent)
            store_outputs(folder)
            with sqlite3.connect(folder / "state.db") as connection:
                content = connection.serialize()
            connection.close()
            (HERE / "state.sqlite.gz").write_bytes(gzip.compress(content, mtime=0))
            before = messages(folder)
            write_hour(folder, HOURS)
            NOW += timedelta(hours=1)
            tick(agent)
            store_output("status-next", command(folder, "status", "--json"))
            store_output("incidents-next", command(folder, "incidents", "--all", "--json"))
            print(before, "messages, then", messages(folder) - before)


def messages(folder: Path) -> int:
    """Count the messages that the diary has."""
    return len((folder / "diary.jsonl").read_text().splitlines())


def store_outputs(folder: Path) -> None:
    """Store what each command prints of the state."""
    for model in ("shop", "store", "late"):
        store_output(f"explain-{model}", command(folder, "explain", model, "--json"))
    status = command(folder, "status", "--json")
    for facts in json.loads(status)["models"].values():
        for row in facts["incidents"]:
            output = command(folder, "explain", row["id"], "--json")
            store_output(f"explain-{row['id']}", output)
    store_output("status", status)
    store_output("incidents", command(folder, "incidents", "--all", "--json"))
    store_output("silences", command(folder, "silences", "list", "--json"))
    store_output("references", command(folder, "reference", "list", "--json"))
    store_output("actions", command(folder, "actions", "list", "--json"))


def tick(agent: object) -> None:
    """Do one round: read and judge each model, and deliver what is due."""
    for model in ("shop", "store", "late"):
        agent.tick(model)
    for worker in agent.workers:
        worker.deliver_due(NOW)


def store_output(name: str, text: str) -> None:
    """Store what a command printed as JSON."""
    value = json.loads(text)
    path = HERE / "outputs" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
