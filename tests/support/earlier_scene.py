"""The folder around the stored state of an earlier version: configuration, plugins and logs.

It imports nothing of driftline, so that the earlier version can run it too, and no address in it
depends on where the folder is.
"""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 5, 1, tzinfo=UTC)
HOURS = 24
"""Hours of logs that the stored state has read."""
ROWS = 120
SHIFT_BEGINS = {"shop": 20, "store": 10, "late": 1000}
"""The hour from which on `amount` is larger, for each model."""
BLANK_BEGINS = 18
"""The hour from which on `plan` of the model `store` is often missing."""

PLUGIN = '''
"""A source whose addresses do not depend on the folder, and two sinks."""

import io
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from driftline import LogObject, Rejected, Sink, Source, hookimpl


class Logbook(Source):
    """Files below the folder of the configuration."""

    type = "logbook"
    folder: str
    """The folder, seen from the configuration."""
    format: str = "jsonl"
    """The format of its files."""

    def start(self, ctx):
        object.__setattr__(self, "_base", Path(getattr(ctx, "config_folder", None) or ctx.base))

    def discover(self, ctx):
        for path in sorted((self._base / self.folder).iterdir()):
            content = path.read_bytes()
            yield LogObject(
                uri=f"logbook://{self.folder}/{path.name}",
                version=sha256(content).hexdigest()[:16],
                size=len(content),
                modified=datetime(2026, 5, 1, tzinfo=UTC),
            )

    def open(self, obj, start=0):
        path = self._base / obj.uri.removeprefix("logbook://")
        return io.BytesIO(path.read_bytes()[start : obj.size])


class Diary(Sink):
    """Writes every message into a file."""

    type = "diary"
    repeat = "deduplicates"
    pace = 0.0

    def start(self, ctx):
        object.__setattr__(self, "_base", Path(getattr(ctx, "config_folder", None) or ctx.base))

    def send(self, notification):
        with (self._base / "diary.jsonl").open("a") as file:
            file.write(notification.model_dump_json() + "\\n")


class Closed(Sink):
    """Rejects every message."""

    type = "closed"
    pace = 0.0

    def send(self, notification):
        raise Rejected("the channel is archived", 410, "channel_is_archived")


@hookimpl
def register_sources():
    return [Logbook]


@hookimpl
def register_sinks():
    return [Diary, Closed]
'''

MODEL = """
  {name}:
    source: {{type: logbook, options: {{folder: log-{name}, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric, plan: categorical}}}}
    reference: {{type: logbook, options: {{folder: reference-{name}, format: jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      drift: {{type: drift, for: 2, rule: {{measurement: psi, above: {{warning: 0.3, critical: 0.6}}}}}}
      missing: {{type: missing, rule: {{above: {{warning: 0.2}}}}}}
      volume: {{type: volume}}
      freshness: {{type: freshness}}
"""

CONFIGURATION = f"""\
version: 1
agent: {{state: "sqlite:///state.db", http: null, workers: 2}}
plugins: {{paths: [plugs]}}
models:{MODEL.format(name="shop")}{MODEL.format(name="store")}
  late:
    source: {{type: logbook, options: {{folder: log-late, format: jsonl}}}}
    labels:
      type: logbook
      options: {{folder: truth, format: csv}}
      label: truth
      time: given
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
      prediction: {{kind: binary, score: s}}
      label: {{column: y}}
      segments: [plan]
    reference: {{type: logbook, options: {{folder: reference-late, format: jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      drift: {{type: drift, rule: {{measurement: psi, above: {{warning: 0.5}}}}}}
      performance: {{type: performance}}
      labels: {{type: labels}}
sinks:
  diary: {{type: diary}}
  archived: {{type: closed}}
actions:
  look: {{type: shell, enabled: true, options: {{command: [/bin/true, "{{incident}}"]}}}}
  restart:
    type: shell
    enabled: true
    dry_run: false
    approval: true
    approve_within: 1000d
    when: {{models: [shop]}}
    options: {{command: [/bin/true, "{{incident}}"]}}
"""


def write_folder(folder: Path) -> None:
    """Write the configuration, the plugin, the references and empty folders for the logs."""
    for name in ("plugs", "truth", *(f"log-{model}" for model in SHIFT_BEGINS)):
        (folder / name).mkdir(parents=True)
    (folder / "plugs" / "scene.py").write_text(PLUGIN)
    (folder / "driftline.yaml").write_text(CONFIGURATION)
    for model in SHIFT_BEGINS:
        (folder / f"reference-{model}").mkdir()
        rows = _rows(model, -1, 1500)
        (folder / f"reference-{model}" / "0.jsonl").write_text(_lines(rows))


def write_hour(folder: Path, hour: int) -> None:
    """Write the logs of one hour after the start, and the labels that arrived in it."""
    for model in SHIFT_BEGINS:
        rows = _rows(model, hour, ROWS)
        for row in rows:
            row.pop("y", None)  # the labels come later, in the folder "truth"
        (folder / f"log-{model}" / f"{hour:04d}.jsonl").write_text(_lines(rows))
    if hour % 4 == 3 and hour < HOURS:
        with (folder / "truth" / f"{hour:04d}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "truth", "given"])
            arrival = (START + timedelta(hours=hour)).isoformat()
            for row in _rows("late", hour - 3, ROWS):
                writer.writerow([row["id"], row["y"], arrival])


def _rows(model: str, hour: int, count: int) -> list[dict[str, object]]:
    rng = random.Random(f"{model} {hour}")
    rows: list[dict[str, object]] = []
    for number in range(count):
        time = START + timedelta(hours=hour) + timedelta(hours=1) * number / count
        score = round(rng.random(), 3)
        row: dict[str, object] = {
            "t": time.isoformat(),
            "id": f"{model}-{hour}-{number}",
            "amount": round(rng.gauss(50, 10) + 40 * (hour >= SHIFT_BEGINS[model]), 2),
            "plan": rng.choice("abc"),
        }
        if model == "store" and hour >= BLANK_BEGINS and rng.random() < 0.4:
            row["plan"] = None
        if model == "late":
            row |= {"s": score, "y": int(rng.random() < score)}
        rows.append(row)
    return rows


def _lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
