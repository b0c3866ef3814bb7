"""Plain statistics in a whole agent: bounds of the user's own, and sentences that people read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import MODEL, START, Station

pytestmark = pytest.mark.system

STATISTICS = MODEL.replace(
    "{{type: drift, for: 2, rule: {{measurement: psi, above: {{warning: 0.1, critical: 0.25}}}}}}",
    "{{type: statistics, options: {{columns: [amount], statistics: [median_value]}}, "
    "rule: {{measurement: median_value, above: {{warning: 60}}}}}}",
)


def test_a_median_beyond_a_bound_is_reported_with_its_number(tmp_path):
    """The third hour has a median of about 90: one incident says so, and ends with the hour."""
    station = Station(tmp_path, STATISTICS)
    for hour in range(5):
        extra = 40 if hour == 2 else 0
        station.write(
            f"log/{hour:04d}.jsonl", START + timedelta(hours=hour), timedelta(hours=1), 300,
            amount=lambda row, extra=extra: row["amount"] + extra,
        )  # fmt: skip
    station.clock.now = START + timedelta(hours=3, minutes=20)
    with station.open():
        station.tick()
        [opening] = [note for note in station.told() if note["cause"] == "quality"]
        assert opening["event"] == "opened"
        [alert] = opening["alerts"]
        assert (alert["measurement"], alert["labels"]) == ("median_value", {"column": "amount"})
        assert alert["value"] == pytest.approx(90, abs=3)
        assert "“amount”: the median" in opening["title"]
        station.clock.now = START + timedelta(hours=5, minutes=20)
        station.tick()
        assert len(station.sql("select value from measurements where name = 'median_value'")) == 5
    assert [note["event"] for note in station.told() if note["cause"] == "quality"] == [
        "opened",
        "resolved",
    ]
