"""Runbook, owner, dashboard and tags of the configuration stand in every message and route it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from station import MODEL, START, Station

from driftline.cli.main import _run

pytestmark = pytest.mark.system

FACTS = (
    MODEL
    + """    runbook: https://wiki/shop
    owner: growth team
    dashboard: https://grafana/shop
    tags: {{tier: gold}}
"""
)
OWN = FACTS.replace("drift: {{type: drift,", "drift: {{type: drift, runbook: 'https://wiki/drift',")


@pytest.mark.parametrize(
    ("model", "runbook"), [(FACTS, "https://wiki/shop"), (OWN, "https://wiki/drift")]
)
def test_every_message_has_them_and_a_check_may_have_its_own_runbook(tmp_path, model, runbook):
    """From the opening to the end, each message says who looks after it and what to do."""
    station = Station(tmp_path, model)
    for hour in range(8):
        moved = 30 if hour in (3, 4) else 0
        station.hour(hour, amount=lambda row, moved=moved: row["amount"] + moved)
    station.clock.now = START + timedelta(hours=8, minutes=20)
    with station.open():
        station.tick()
        messages = [note for note in station.told() if note["cause"] == "drift"]
    assert {note["event"] for note in messages} >= {"opened", "resolved"}
    wanted = {
        "runbook": runbook,
        "owner": "growth team",
        "dashboard": "https://grafana/shop",
        "tier": "gold",
    }
    for note in messages:
        assert wanted.items() <= note["facts"].items()


def test_routes_match_on_owner_and_tags(tmp_path, capsys):
    """An incident goes to the sink of the route for its owner."""
    station = Station(tmp_path, FACTS)
    text = (
        station.config.read_text()
        + """  rest: {type: console}
routes:
  sinks: [rest]
  routes:
    - {match: {tags: {owner: growth team, tier: gold}}, sinks: [diary]}
"""
    )
    station.config.write_text(text)
    assert not _run(["routes", "explain", "shop", "-c", str(station.config), "--json"])
    assert list(json.loads(capsys.readouterr().out)["sinks"]) == ["diary"]
