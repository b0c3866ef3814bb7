"""A receiver that is away for a day in which a hundred incidents open: the whole agent tells it
the newest state of each.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest
from receiver_scene import HOUR, SIGNING, Scene, told
from receivers import Fault, WebhookReceiver
from station import START

pytestmark = [pytest.mark.system, pytest.mark.slow]

COLUMNS = [f"f{number}" for number in range(3)]
MODELS = [f"model{number}" for number in range(34)]
CHECKS = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{NAMES}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    first_report: false
    checks:
      missing: {{type: missing, rule: {{measurement: missing_rate, above: {{warning: 0.2}}}}}}
""".replace("NAMES", ", ".join(f"{name}: numeric" for name in COLUMNS))


def lines(start, count: int, gone: set[str]) -> str:
    """The rows of an hour, in which the columns `gone` are empty."""
    rows = []
    for place in range(count):
        row = {"t": (start + place * timedelta(seconds=10)).isoformat(), "id": f"{start}-{place}"}
        row |= {column: None if column in gone else place % 7 for column in COLUMNS}
        rows.append(json.dumps(row))
    return "\n".join(rows) + "\n"


def test_a_hundred_incidents_of_an_outage_are_one_message_each(tmp_path, monkeypatch) -> None:
    """In each of 34 models a column goes missing every eight hours while the receiver is away, and
    the second one comes back: afterwards it gets the newest state of each incident once.
    """
    scene = Scene(tmp_path, monkeypatch)
    station = scene.station
    station.configure(CHECKS + "".join(f"\n  {name}:{CHECKS}" for name in MODELS[1:]))
    scene.without_sink = station.config.read_text()
    (station.folder / "reference.jsonl").write_text(lines(START - timedelta(days=1), 300, set()))
    names = ["shop", *MODELS[1:]]
    with WebhookReceiver(SIGNING, lambda: scene.now) as server:
        scene.use_hook(server)
        with station.open():
            for hour in range(28):
                gone = {
                    column
                    for number, column in enumerate(COLUMNS)
                    if 8 * number + 2 <= hour and (number != 1 or hour < 14)
                }
                at = START + hour * HOUR
                (station.folder / f"log/{hour:03}.jsonl").write_text(lines(at, 40, gone))
                if hour % 4 < 3:
                    continue
                server.faults[:] = [Fault(status=503)] * (1000 if hour < 26 else 0)
                station.clock.now = max(station.clock.now, at + HOUR + timedelta(minutes=20))
                for name in names:
                    station.agent.tick(name)
                scene.pass_time(timedelta(hours=3, minutes=30))
            for _ in range(2):
                station.tick()
                scene.pass_time(2 * HOUR)
            state = dict(station.sql("SELECT id, state FROM incidents WHERE cause <> 'monitoring'"))
            monitoring = station.sql("SELECT state FROM incidents WHERE cause = 'monitoring'")
    messages = [message for message in told(server) if message["cause"] != "monitoring"]
    assert len(state) == 102
    assert sorted(message["incident"] for message in messages) == sorted(state)
    for message in messages:
        assert (message["event"] == "resolved") is (state[message["incident"]] == "resolved")
        assert message["written_at"]
    assert Counter(state.values()) == {"firing": 68, "resolved": 34}
    assert set(monitoring) == {("resolved",)}
