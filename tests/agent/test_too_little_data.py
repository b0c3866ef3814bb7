"""A check that can tell nothing for want of rows, in a whole agent: people hear of it, once, and
when it is over.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import MODEL, START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]

DAILY = MODEL.replace("length: 1h", "length: 1d").replace(
    "{{type: drift, for: 2, rule: {{measurement: psi, above: {{warning: 0.1, critical: 0.25}}}}}}",
    "{{type: drift}}",
)


def days(station, numbers, rows):
    """Each with so many rows, and a look after each."""
    for number in numbers:
        station.write(
            f"log/{number:04d}.jsonl", START + timedelta(days=number), timedelta(days=1), rows
        )
        station.clock.now = START + timedelta(days=number + 1, minutes=20)
        with station.open():
            station.tick()


def test_a_check_that_can_tell_nothing_for_a_week_is_told_once(tmp_path):
    """Forty rows a day are too few for drift: an info incident with what is lacking after a week,
    its end with more rows.
    """
    station = Station(tmp_path, DAILY)
    days(station, range(6), 40)
    assert station.told() == [], "a few days are no news"
    days(station, range(6, 16), 40)
    [told] = [note for note in station.told() if note["cause"] == "monitoring"]
    assert (told["event"], told["severity"]) == ("opened", "info")
    assert told["title"].startswith(
        "shop: too little data to judge drift: amount: 60 more rows are needed: 40 of 100, "
        "which windows of 7d would have"
    )
    [alert] = told["alerts"]
    assert (alert["state"], alert["check"], alert["rows"]) == ("unsure", "drift", 40)
    days(station, range(16, 18), 300)
    ends = [note for note in station.told() if note["cause"] == "monitoring"][1:]
    assert [(note["event"], note["incident"]) for note in ends] == [("resolved", told["incident"])]
    assert ends[0]["title"].startswith("shop: there is enough data again to judge drift")


def test_too_little_data_ends_only_when_something_can_be_told(tmp_path):
    """One look at other data, late and of the same few rows, changes nothing."""
    station = Station(tmp_path, DAILY)
    days(station, range(9), 40)
    station.write("log/late.jsonl", START + timedelta(days=8), timedelta(days=1), 5)
    station.clock.now += timedelta(minutes=20)
    with station.open():
        station.tick()
    assert [note["event"] for note in station.told() if note["cause"] == "monitoring"] == ["opened"]
