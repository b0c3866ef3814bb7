"""Rows whose time can't be used are held back, counted, and people hear of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import START, Station

pytestmark = [pytest.mark.system]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"t": None}, "the column t is missing or empty"),
        ({"t": "noon"}, "noon"),
        ({"t": "1709-01-01T00:00:00Z"}, "1709"),
    ],
    ids=["no time", "no spelling of a time", "long ago"],
)
def test_rows_without_a_usable_time_open_an_incident(tmp_path, change, cause):
    """One hour of two has no time that can be used: its rows are held and not counted, and the
    incident names the file and the cause. It ends when the times are right again.
    """
    station = Station(tmp_path)
    station.hour(0, 200)
    station.hour(1, 200, name="bad", **change)
    with station.open():
        station.clock.now = START + timedelta(hours=2, minutes=20)
        station.tick()
        [incident] = [note for note in station.told() if note["cause"] == "monitoring"]
        assert "200 of 400 rows held back in bad.jsonl" in incident["title"]
        assert cause in str(incident["alerts"])
        status = station.summary()
        assert (status["rows"], status["rejected"], status["held"]) == (400, 0, 200)
        station.hour(2, 200)
        station.clock.now = START + timedelta(hours=3, minutes=20)
        station.tick()
    assert station.told()[-1]["event"] == "resolved"
