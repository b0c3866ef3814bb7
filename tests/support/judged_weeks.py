"""A model with a past: an agent that judged ten weeks of days, and what it told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from station import START, Station

from driftline.agent.composition_root import make_guard, read_config, system_clock
from driftline.backtest.stored_history import StoredHistory, load_history

DAYS = 68
SHIFTED, FEW, MISSING = range(42, 52), range(55, 57), range(60, 68)
"""Days of a shift in `amount`, of few rows, and of a missing rate in `fee`."""
MODELS = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric, fee: numeric, plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1d, lateness: 15m, notify_within: 365d}}
    first_report: false
    checks:
      drift: {{type: drift}}
      missing: {{type: missing}}
      volume: {{type: volume}}
  parts:
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      {{timestamp: t, id: id, version: made, segments: [plan],
        features: {{amount: numeric, fee: numeric, plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1d, lateness: 15m, notify_within: 365d}}
    first_report: false
    checks:
      drift: {{type: drift}}
      creeping: {{type: drift, rule: {{measurement: mean_shift, ewma: {{}}}}}}
      volume: {{type: volume}}
"""


def made(folder: Path) -> Station:
    """The agent's state and log after all days, read in one go."""
    station = Station(folder)
    station.configure(MODELS, ", keep: {profiles_hourly: 400d}")
    usual = {
        "plan": lambda row: station.rng.choice("ab"),
        "fee": lambda row: station.rng.gauss(0, 1),
    }
    station.write("reference.jsonl", START - timedelta(days=1), timedelta(days=1), 2000, **usual)
    for number in range(DAYS):
        day(station, number)
    station.clock.now = START + timedelta(days=DAYS, minutes=20)
    with station.open():
        for model in ("shop", "parts"):
            station.tick(model)
    return station


def day(station: Station, number: int) -> None:
    """Two versions a day from the 25th day on, two plans; three things happen."""
    rng, shift, lost = station.rng, 6 * (number in SHIFTED), 0.15 * (number in MISSING)
    station.write(
        f"log/{number:04d}.jsonl", START + timedelta(days=number), timedelta(days=1), 60 if number in FEW else 200,
        amount=lambda row: row["amount"] + shift,
        fee=lambda row: None if rng.random() < lost else rng.gauss(0, 1),
        plan=lambda row: rng.choice("ab"),
        made=lambda row: rng.choice(["v1", "v2"]) if number >= 25 else "v1",
    )  # fmt: skip


def past(station: Station, model: str = "shop", **span: Any) -> StoredHistory:
    """What a backtest of the station is of."""
    return load_history(
        read_config(station.config),
        model,
        span.get("since"),
        span.get("until"),
        make_guard(system_clock),
    )
