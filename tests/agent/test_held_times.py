"""Rows whose time can't be used are held back, counted, and people hear of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from station import MODEL, START, Station

pytestmark = [pytest.mark.system]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"t": None}, "the column t is missing or empty"),
        ({"t": "noon"}, "noon"),
        ({"t": "1709-01-01T00:00:00Z"}, "1709"),
        ({"t": "03/04/2026 10:00"}, "Set schema.timestamp.format"),
        ({"t": "3-4-26"}, "Set schema.timestamp.format"),
    ],
    ids=["no time", "no spelling of a time", "long ago", "day or month", "dashes"],
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


def test_local_times_in_a_format_count_in_their_hours(tmp_path):
    """The log writes day first and the clock of New York; one row in ISO is held back, and the
    reason names the format.
    """
    form = "{{path: t, format: '%d/%m/%Y %H:%M:%S', zone: America/New_York}}"
    station = Station(tmp_path, MODEL.replace("timestamp: t", f"timestamp: {form}"))

    def local(row):
        at = datetime.fromisoformat(row["t"]).astimezone(ZoneInfo("America/New_York"))
        return f"{at:%d/%m/%Y %H:%M:%S}"

    station.hour(0, 60, t=local)
    station.hour(1, 60, t=local)
    station.hour(2, 10)
    with station.open():
        station.clock.now = START + timedelta(hours=3, minutes=20)
        station.tick()
        status = station.summary()
        assert (status["rows"], status["held"]) == (130, 10)
        [incident] = [note for note in station.told() if note["cause"] == "monitoring"]
        assert "the time in t is not in the format %d/%m/%Y" in str(incident["alerts"])
        starts = station.sql("select start, rows from windows order by start")
    assert [rows for _, rows in starts if rows] == [60, 60]
