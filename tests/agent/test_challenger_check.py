"""Two versions of a model run side by side: the better one is promoted."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from station import DIARY, START, Station

pytestmark = pytest.mark.system

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      version: v
      features: {{amount: numeric}}
      prediction: {{kind: binary, column: p}}
      label: {{column: y}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    checks:
      challenger: {{type: challenger, options: {{champion: v1, challenger: v2}}}}
"""
HOUR = timedelta(hours=1)
RATES = {"v1": 0.25, "v2": 0.1}


def test_a_challenger_that_errs_less_is_promoted(tmp_path):
    station = Station(tmp_path, MODEL, plugins=DIARY)
    for hour in range(4):
        lines = []
        for line in station.rows(START + hour * HOUR, HOUR, 600):
            label, version = station.rng.randrange(2), station.rng.choice(["v1", "v2"])
            is_wrong = station.rng.random() < RATES[version]
            row = {**json.loads(line), "v": version, "y": label, "p": label ^ is_wrong}
            lines.append(json.dumps(row | {"p": int(row["p"])}))
        (tmp_path / f"log/{hour:04d}.jsonl").write_text("\n".join(lines) + "\n")
    station.clock.now = START + timedelta(hours=5)
    with station.open():
        station.tick()
        decision = station.summary()["decision"]
        [(value, rows)] = station.sql(
            "select value, rows from measurements where name = 'loss_difference' "
            "order by start desc limit 1"
        )
    assert decision["decision"] == "promote"
    assert decision["evidence"] == ["loss_difference"]
    assert value == pytest.approx(0.15, abs=0.05)
    assert rows > 1_000
