"""A whole agent in one test: a folder of logs, a clock that is turned by hand, a sink that writes
down what it is told.
"""

from __future__ import annotations

import io
import json
import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import databases
import measurement_sql
import sqlalchemy as sa

from driftline.agent.agent import Agent
from driftline.agent.composition_root import open_agent, read_config
from driftline.agent.services import Timeouts
from driftline.agent.summary import summarise
from driftline.telemetry.logs import make_log

START = datetime(2026, 5, 1, tzinfo=UTC)
DIARY = '''
import json
from pathlib import Path
from driftline import Sink, hookimpl

class Diary(Sink):
    """Writes every message into a file."""
    type = "diary"
    repeat = "deduplicates"
    pace = 0.0
    path: str
    """The file."""
    def send(self, notification):
        with Path(self.path).open("a") as file:
            file.write(notification.model_dump_json() + "\\n")

@hookimpl
def register_sinks():
    return [Diary]
'''
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      drift: {{type: drift, for: 2, rule: {{measurement: psi, above: {{warning: 0.1, critical: 0.25}}}}}}
      volume: {{type: volume}}
      freshness: {{type: freshness}}
"""


class Clock:
    """Time that only moves when told to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Station:
    """The folder, the clock, and the agent's comings and goings."""

    def __init__(
        self, folder: Path, model: str = MODEL, start: datetime = START, plugins: str = DIARY
    ) -> None:
        self.folder = folder
        self.clock = Clock(start)
        self.rng = random.Random(3)
        self.agent: Agent | None = None
        self.screen = io.StringIO()
        (folder / "log").mkdir(parents=True)
        (folder / "plugs").mkdir()
        (folder / "plugs" / "diary.py").write_text(plugins)
        self.write("reference.jsonl", START - timedelta(days=1), timedelta(days=1), 3000)
        self.config = folder / "driftline.yaml"
        self.configure(model)

    def configure(self, model: str, agent: str = "") -> None:
        """Write the configuration; a model without `first_report` has none."""
        if "first_report:" not in model:
            model = f"{model.rstrip()}\n    first_report: false\n"
        text = f"""
version: 1
agent: {{state: "{databases.of(self.folder)}", http: null, workers: 2{agent}}}
plugins: {{paths: [plugs]}}
models:
  shop:{model.format(folder=self.folder)}
sinks:
  diary: {{type: diary, options: {{path: {self.folder}/diary.jsonl}}}}
"""
        self.config.write_text(text)

    def rows(self, start: datetime, span: timedelta, count: int, **changes: object) -> list[str]:
        lines = []
        for place in range(count):
            at = start + span * place / count
            row = {
                "t": at.isoformat(),
                "id": f"{at.timestamp()}-{place}",
                "amount": self.rng.gauss(50, 10),
                "plan": self.rng.choice("abc"),
            }
            row |= {
                name: value(row) if callable(value) else value for name, value in changes.items()
            }
            lines.append(json.dumps(row))
        return lines

    def write(
        self, name: str, start: datetime, span: timedelta, count: int, **changes: object
    ) -> Path:
        """A file of records, spread evenly over `span`; `changes` are values, or functions of the
        row.
        """
        path = self.folder / name
        path.write_text("\n".join(self.rows(start, span, count, **changes)) + "\n")
        return path

    def hour(
        self, number: int, count: int = 400, name: str | None = None, **changes: object
    ) -> Path:
        """The log of the hour `number` after the start."""
        return self.write(
            f"log/{name or f'{number:04d}'}.jsonl",
            START + timedelta(hours=number),
            timedelta(hours=1),
            count,
            **changes,
        )

    @contextmanager
    def open(self, patience: Timeouts | None = None):
        """An agent on this state, stopped at the end."""
        log = make_log(io.StringIO(), human=False)
        with open_agent(
            read_config(self.config),
            clock=self.clock,
            log=log,
            console=self.screen,
            once=True,
            timeouts=patience,
            seed=7,
        ) as agent:
            agent.recover()
            self.agent = agent
            yield self
        self.agent = None

    def tick(self, model: str = "shop", **options: object):
        """One tick and all deliveries that are due."""
        assert self.agent is not None
        report = self.agent.tick(model, **options)
        for worker in self.agent.workers:
            worker.deliver_due(self.clock())
        return report

    def summary(self, model: str = "shop") -> dict:
        assert self.agent is not None
        return summarise(self.agent.store, self.agent.config)["models"][model]

    def told(self) -> list[dict]:
        """What the sink was told, in order."""
        path = self.folder / "diary.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def events(self, cause: str | None = None) -> list[str]:
        return [note["event"] for note in self.told() if cause in (None, note["cause"])]

    def sql(self, query: str) -> list[tuple]:
        assert self.agent is not None
        with self.agent.store.read() as connection:
            if "measurements" in query:
                return [tuple(row) for row in measurement_sql.query(connection, query)]
            return [tuple(row) for row in connection.execute(sa.text(query))]
