"""Windows without rows in the middle of an old log exist and are judged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: LENGTH, lateness: 0s, notify_within: null, reopen_for: 60d}}
    checks:
      volume: {{type: volume}}
      freshness: {{type: freshness}}
"""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def backlog(folder, length: timedelta, text: str, count: int, lost: range) -> Station:
    """A log of `count` windows, read a year later in one go; the windows of `lost` have no rows."""
    station = Station(folder, MODEL.replace("LENGTH", text))
    for number in range(count):
        if number not in lost:
            station.write(f"log/{number:04d}.jsonl", START + number * length, length, 60)
    station.clock.now = START + timedelta(days=365)
    return station


def ratios(station: Station, lost: range, length: timedelta) -> list[tuple]:
    starts = [round((START + number * length).timestamp() * 1e6) for number in lost]
    return station.sql(
        "select value, verdict from measurements where name = 'rows_ratio' "
        f"and start in ({', '.join(map(str, starts))}) order by start"
    )


@pytest.mark.parametrize(
    ("length", "text", "count", "lost"),
    [(DAY, "1d", 30, range(20, 23)), (DAY, "1d", 18, range(10, 11)), (6 * HOUR, "6h", 64, range(60, 62))],
    ids=["three days", "one day in the second week", "half a day of 6-hour windows"],
)  # fmt: skip
def test_an_outage_in_a_backlog_is_told(tmp_path, length, text, count, lost):
    """Each window between the first and the last row exists once; silence is told, and ends."""
    station = backlog(tmp_path, length, text, count, lost)
    with station.open():
        station.tick()
        starts = station.sql("select start from windows where segment = '' order by start")
        assert [start for (start,) in starts] == [
            round((START + number * length).timestamp() * 1e6) for number in range(count)
        ]
        assert ratios(station, lost, length) == [(0.0, "changed")] * len(lost)
        told = [note for note in station.told() if note["cause"] == "service"]
        assert (told[0]["event"], told[-1]["event"]) == ("opened", "resolved")
        assert "no rows in the newest window (usually about 60)" in told[0]["title"]


def test_late_rows_judge_an_empty_window_again(tmp_path):
    """Rows that come later for a day without any make it an ordinary day."""
    lost = range(20, 23)
    station = backlog(tmp_path, DAY, "1d", 30, lost)
    with station.open():
        station.clock.now = START + timedelta(days=31)
        station.tick()
        assert ratios(station, lost, DAY) == [(0.0, "changed")] * 3
        station.write("log/0021.jsonl", START + 21 * DAY, DAY, 60)
        station.tick()
        assert ratios(station, lost, DAY)[1] == (pytest.approx(1.0), "ok")
        versions = station.sql(
            f"select revision from windows where start = {round((START + 21 * DAY).timestamp() * 1e6)}"
        )
        assert versions == [(2,)]


def test_a_log_that_is_filled_up_backwards_has_no_holes(tmp_path):
    """Older rows that come after newer ones make the windows between them exist."""
    station = backlog(tmp_path, DAY, "1d", 30, range(20))
    with station.open():
        station.tick()
        station.write("log/0005.jsonl", START + 5 * DAY, DAY, 60)
        station.tick()
        counted = station.sql("select count(*), min(revision) from windows where segment = ''")
        assert counted == [(25, 1)]
        assert [note for note in station.told() if note["cause"] == "service"] == []


def test_a_late_file_of_an_old_day_is_told_with_its_end(tmp_path):
    """A day that was usual for weeks turns out to have ten times the rows. The change is told with
    its end, and later changes are told as ever.
    """
    station = backlog(tmp_path, DAY, "1d", 60, range(0))
    with station.open():
        station.clock.now = START + timedelta(days=60, hours=1)
        station.tick()
        before = len(station.told())
        station.write("log/late.jsonl", START + 25 * DAY, DAY, 600)
        station.tick()
        events = [note["event"] for note in station.told()[before:]]
        assert events == ["opened", "resolved"]
        station.write("log/0060.jsonl", START + 60 * DAY, DAY, 600)
        station.clock.now += DAY
        station.tick()
        assert [note["event"] for note in station.told()[before + 2 :]] == ["opened"]
        assert station.summary()["trouble"] == []


@pytest.mark.parametrize(
    ("length", "text", "count"), [(DAY, "1d", 30), (6 * HOUR, "6h", 120)], ids=["days", "6 hours"]
)
@pytest.mark.parametrize("is_past", [True, False])
def test_the_end_of_a_log_is_no_outage(tmp_path, length, text, count, is_past):
    """A log of the past ends in the middle of a window: its few rows are not judged, and the reason
    is said. Where the log ended just before the agent started, it may be an outage.
    """
    station = backlog(tmp_path, length, text, count, range(count - 1, count))
    last = START + (count - 1) * length
    station.write(f"log/{count:04d}.jsonl", last, length * 0.2, 12)
    if not is_past:
        station.clock.now = last + 1.5 * length
    with station.open():
        station.tick()
        [(value, verdict)] = ratios(station, range(count - 1, count), length)
        reasons = station.sql("select reason from measurements where name = 'rows_ratio'")
        assert any("the log ends in this window" in reason for (reason,) in reasons) == is_past
        if is_past:
            assert (value, verdict) == (None, "unsure")
            assert station.told() == []
        else:
            assert verdict == "changed"
