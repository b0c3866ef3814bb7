"""The first report of a model version: once, without an incident, when there is something to say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import START, Station

pytestmark = [pytest.mark.system]
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
"""
OFF = MODEL + "    first_report: false\n"
VERSIONED = MODEL.replace("      id: id\n", "      id: id\n      version: version\n")


def reports(station: Station) -> list[dict]:
    return [message for message in station.told() if message["event"] == "report"]


def run_hours(station: Station, hours: range, count: int = 200, **changes: object) -> None:
    for hour in hours:
        station.hour(hour, count, **changes)
        station.clock.now = START + timedelta(hours=hour + 1, minutes=20)
        station.tick()


def test_a_live_model_is_reported_once_after_its_first_day(tmp_path):
    """Nothing is reported after 23 hours, one report comes after 24, and none after it. It names
    the column that differs by less than an alarm needs, and opens no incident.
    """
    station = Station(tmp_path, MODEL)
    shifted = {"amount": lambda row: station.rng.gauss(53, 10)}
    with station.open():
        run_hours(station, range(23), **shifted)
        assert reports(station) == []
        run_hours(station, range(23, 30), **shifted)
        [report] = reports(station)
        assert station.summary()["incidents"] == []
        print(report)
    assert report["title"] == (
        "shop: first day read: 4,800 rows; 1 of 2 columns differs from the reference"
    )
    assert report["severity"] == "info"
