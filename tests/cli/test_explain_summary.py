"""`explain INCIDENT` begins with what a person needs; the derivation follows."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from station import START, Station

from driftline.cli.explain import explain

pytestmark = pytest.mark.system


def test_the_first_lines_say_what_since_when_how_sure_and_what_to_do(tmp_path):
    """Ten lines at most before an empty line; JSON has no other fields than before."""
    station = Station(tmp_path)
    with station.open():
        for hour in range(4):
            moved = {"amount": lambda row: row["amount"] + 30} if hour >= 2 else {}
            station.hour(hour, **moved)
        station.clock.now = START + timedelta(hours=4, minutes=20)
        station.tick()
        [[id]] = station.sql("select id from incidents")
    result = CliRunner().invoke(explain, [id, "-c", str(station.config)])
    assert result.exit_code == 0, result.output
    head = result.output.partition("\n\n")[0].splitlines()
    assert len(head) <= 10
    assert "amount" in head[0]
    assert "critical, 2026-05-01 02:00" in head[1]
    assert head[2].startswith("  amount: mean 49.95 → ")
    assert [line.partition(":")[0] for line in head[3:]] == ["how sure", "rests on", "to do"]
    assert f"driftline ack {id}" in head[-1]
    document = json.loads(
        CliRunner().invoke(explain, [id, "-c", str(station.config), "--json"]).output
    )
    assert "message" not in document
