"""72 hours of operation with a clock turned by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import MODEL, START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]
FEW_ROWS = MODEL.replace(
    "volume: {{type: volume}}",
    "volume: {{type: volume, rule: {{measurement: rows, below: {{warning: 200}}}}}}",
)
"""With a number of rows that is too few from the first day on."""


def test_three_days_show_every_turn_of_an_incident_once(tmp_path):
    """Pending, firing, update, resolve, late data that revises a window, silence, a restart: each
    is told once.
    """
    station = Station(tmp_path, FEW_ROWS)
    seen: dict[int, list[str]] = {}

    def hours(first: int, last: int) -> None:
        for hour in range(first, last):
            if hour in range(20, 30):
                station.hour(
                    hour, amount=lambda row: row["amount"] + 30, plan="c" if hour >= 25 else "a"
                )
            elif hour not in range(50, 55):
                station.hour(hour)
            station.clock.now = START + timedelta(hours=hour + 1, minutes=20)
            before = len(station.told())
            station.tick()
            seen[hour] = [f"{note['cause']} {note['event']}" for note in station.told()[before:]]

    with station.open():
        hours(0, 21)
        assert seen[20] == [], "the first changed window is only pending"
        hours(21, 26)
        assert seen[21] == ["drift opened"]
    with station.open():
        hours(26, 40)
        assert seen[26] == [], "a restart repeats nothing"
        assert seen[30] == ["drift resolved"]
        # Two windows that looked changed turn out to be fine once all of their rows have come.
        station.hour(40, 100, amount=150.0)
        station.clock.now = START + timedelta(hours=41, minutes=20)
        station.tick()
        station.hour(41, 100, amount=150.0)
        station.clock.now = START + timedelta(hours=42, minutes=20)
        station.tick()
        held = "select event from incident_events where held like 'inhibited%' or held like 'nobody was told%'"
        assert station.sql(held) == [("reopened",)], "of a window with few rows no drift is told"
        revision = "select max(revision) from windows where start = {}"
        start = int((START + timedelta(hours=40)).timestamp() * 1_000_000)
        assert station.sql(revision.format(start)) == [(1,)]
        station.hour(40, 20_000, name="late-40")
        station.hour(41, 20_000, name="late-41")
        station.clock.now += timedelta(minutes=20)
        station.tick()
        assert station.sql(revision.format(start)) == [(2,)]
        assert station.sql(held) == [("reopened",), ("resolved",)], "late data withdrew the change"
        hours(42, 72)
    later = [turn for hour in range(46, 72) for turn in seen[hour]]
    assert later == ["service reopened", "service updated", "service resolved"], (
        "silence is told: few rows, then none"
    )
    quiet = [hour for hour in range(50, 55) if "service reopened" in seen[hour]]
    assert quiet
    told = station.told()
    assert len({note["id"] for note in told}) == len(told), "no message twice"
    opened = [note["incident"] for note in told if note["event"] in ("opened", "reopened")]
    resolved = [note["incident"] for note in told if note["event"] == "resolved"]
    assert sorted(opened) == sorted(resolved), "nothing is left open"


def test_a_second_tick_changes_nothing(tmp_path):
    """With nothing new, nothing is read, judged or said."""
    station = Station(tmp_path)
    with station.open():
        for hour in range(4):
            station.hour(hour)
        station.clock.now = START + timedelta(hours=4, minutes=20)
        station.tick()
        before = station.summary()
        again = station.tick()
        assert (again.reading.objects, again.closing.windows) == (0, 0)
        assert station.summary() == before
        assert before["rows"] == 1600
        assert before["windows"] == 4
