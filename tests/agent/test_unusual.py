"""The default rule in a whole agent: a past that was there already, a change that no bound would
find, restarts amid it.
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
CHANGE = 50


def day(station, number, **changes):
    """The log of one day, whose mean wobbles a little."""
    wobble = station.rng.gauss(0, 0.5)
    shift = 4 if number >= CHANGE else 0
    station.write(
        f"log/{number:04d}.jsonl", START + timedelta(days=number), timedelta(days=1), 300,
        amount=lambda row: row["amount"] + wobble + shift, **changes,
    )  # fmt: skip


def test_a_small_shift_is_told_once_with_all_that_people_need(tmp_path):
    """0.4 sd from day 50 on: found within a week across restarts, dated to its begin, with what is
    usual and how sure it is.
    """
    station = Station(tmp_path, DAILY)
    for number in range(CHANGE):
        day(station, number)
    station.clock.now = START + timedelta(days=CHANGE, minutes=20)
    with station.open():
        station.tick()
        assert station.events("drift") == []
        reasons = {
            row[0]
            for row in station.sql(
                "select reason from measurements where name = 'psi' and verdict = 'unsure'"
            )
        }
        assert any("more windows" in reason for reason in reasons), "the first weeks only learn"
    for number in range(CHANGE, CHANGE + 9):
        day(station, number)
        station.clock.now = START + timedelta(days=number + 1, minutes=20)
        with station.open():  # a restart every day
            station.tick()
    told = [note for note in station.told() if note["cause"] == "drift"]
    assert [note["event"] for note in told if note["event"] == "opened"] == ["opened"]
    first = told[0]
    [alert] = [alert for alert in first["alerts"] if alert["measurement"] == "mean_shift"]
    assert alert["labels"] == {"column": "amount"}
    assert first["window"][0] <= f"{START + timedelta(days=CHANGE + 6):%Y-%m-%dT%H:%M:%SZ}"
    assert (
        f"{START + timedelta(days=CHANGE - 2):%Y-%m-%d}"
        <= alert["since"][:10]
        <= f"{START + timedelta(days=CHANGE + 2):%Y-%m-%d}"
    )
    assert alert["unit"] == "sd"
    assert "evidence " in alert["reason"]
    assert "shows within 7 windows" in alert["reason"]
    assert abs(alert["detail"]["usual"]) < 0.1


def test_another_reference_begins_a_new_past(tmp_path):
    """Numbers made with one reference are no past for those made with another."""
    station = Station(tmp_path, DAILY)
    for number in range(45):
        day(station, number)
    station.clock.now = START + timedelta(days=45, minutes=20)
    newest = int((START + timedelta(days=44)).timestamp() * 1_000_000)
    windows = "select count(*) from measurements where name = 'mean_shift' and trace is not null and reference_id = {}"
    with station.open():
        station.tick()
        [(first,)] = station.sql(
            f"select reference_id from measurements where name = 'mean_shift' and start = {newest}"
        )
        assert station.sql(windows.format(first)) == [(45,)]
        usual = f"select detail from measurements where name = 'mean_shift' and start = {newest}"
        assert '"usual"' in station.sql(usual)[0][0]
    station.write("other.jsonl", START - timedelta(days=1), timedelta(days=1), 4000)
    station.configure(DAILY.replace("reference.jsonl", "other.jsonl"))
    day(station, 45)
    station.clock.now += timedelta(days=1)
    with station.open():
        station.tick()
        [(detail,)] = station.sql(
            f"select detail from measurements where name = 'mean_shift' and start > {newest}"
        )
        assert '"usual"' not in detail
