"""Windows that are joined until they hold enough rows, by a whole agent (`windows.rows`)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner
from station import START, Station

from driftline.cli.backtest import backtest

pytestmark = [pytest.mark.system, pytest.mark.postgres]

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
      segments: [plan]
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 48h, rows: 100}}
    checks:
      missing: {{type: missing}}
      volume: {{type: volume}}
"""
COUNTS = [30, 40, 50, 120, 10, 0, 90, 20]
"""Rows of the hours: hours 0 to 2, 3, and 4 to 6 hold enough, hour 7 waits."""
JOINED = {(0, 3, 120, 1), (3, 4, 120, 1), (4, 7, 100, 1)}


class Joins(Station):
    """A station whose hours have few rows."""

    def __init__(self, folder, counts=COUNTS) -> None:
        super().__init__(folder, MODEL)
        for number, count in enumerate(counts):
            if count:
                self.hour(number, count)

    def until(self, hours: float) -> object:
        self.clock.now = START + timedelta(hours=hours)
        return self.tick()

    def windows(self, segment: str = "") -> set[tuple[int, int, int, int]]:
        """First hour, hour of the end, rows and revision of each window that was judged."""
        rows = self.sql(
            'select w.start, w."end", max(m.rows), max(m.revision) from measurements m join windows w '
            "on w.model = m.model and w.start = m.start and w.version = m.version and w.segment = m.segment "
            f"where m.segment = '{segment}' and m.\"check\" = 'missing' group by w.start, w.\"end\""
        )
        first = int(START.timestamp() * 1_000_000)
        return {
            ((start - first) // 3_600_000_000, (end - first) // 3_600_000_000, count, revision)
            for start, end, count, revision in rows
        }


@pytest.mark.parametrize("kind", ["live", "restarted", "backlog"])
def test_windows_are_joined_until_they_hold_enough_rows(tmp_path, kind):
    """Hours of few rows are judged together, hour by hour, over restarts and in one go alike."""
    station = Joins(tmp_path)
    if kind == "restarted":
        for hour in range(1, 10):
            with station.open():
                station.until(hour + 0.5)
                judged = station.windows()
    else:
        with station.open():
            for hour in range(1, 10) if kind == "live" else [9]:
                station.until(hour + 0.5)
            judged = station.windows()
    assert judged == JOINED


def test_a_window_is_not_judged_before_it_holds_enough(tmp_path):
    """70 rows in two hours wait; the third hour completes them."""
    station = Joins(tmp_path, COUNTS[:2])
    with station.open():
        station.until(2.5)
        assert station.windows() == set()
        station.hour(2, 50)
        station.until(3.5)
        assert station.windows() == {(0, 3, 120, 1)}


def test_late_rows_restate_the_joined_window(tmp_path):
    """Late rows of its second hour judge the whole window again, and no other."""
    station = Joins(tmp_path)
    with station.open():
        station.until(8.5)
        station.hour(1, 25, name="late")
        station.until(9.5)
        assert station.windows() == {(0, 3, 145, 2), (3, 4, 120, 1), (4, 7, 100, 1)}


def test_late_rows_of_a_new_segment_belong_to_the_joined_window(tmp_path):
    """A plan that comes late, in the second hour, is judged over all three hours."""
    station = Joins(tmp_path, [])
    for number, count in enumerate(COUNTS):
        if count:
            station.hour(number, count, plan="a")
    with station.open():
        station.until(8.5)
        station.hour(1, 25, name="late", plan="c")
        station.until(9.5)
        assert station.windows("plan=c") == {(0, 3, 25, 1)}
        assert (0, 3, 145, 2) in station.windows()


def test_hours_without_rows_are_judged_after_a_day(tmp_path):
    """When the traffic stops, 24 hours are judged with the rows that they have."""
    station = Joins(tmp_path, [30])
    with station.open():
        station.until(0.5)
        station.until(23.5)
        assert station.windows() == set()
        station.until(25.5)
        assert station.windows() == {(0, 24, 30, 1)}


def test_rows_before_judged_windows_are_judged_with_what_they_are(tmp_path):
    """A file of an hour before the first judged one does not wait for rows that can't come."""
    station = Joins(tmp_path)
    with station.open():
        station.until(8.5)
        station.hour(-1, 5)
        station.until(9.5)
        assert (-1, 0, 5, 1) in station.windows()
        assert station.windows() >= JOINED


def test_the_volume_of_joined_windows_is_not_judged(tmp_path):
    """Their rows follow from the setting, so the ratio to the usual ones has no value."""
    station = Joins(tmp_path)
    with station.open():
        station.until(9.5)
        [(reason,)] = station.sql(
            "select distinct reason from measurements where name = 'rows_ratio'"
        )
    assert "windows.rows" in reason


def test_the_backtest_judges_the_same_windows(tmp_path):
    """A replay of the stored history has the three joined windows, and the hour that waits."""
    station = Joins(tmp_path)
    with station.open():
        station.until(9.5)
    result = CliRunner().invoke(backtest, ["-c", str(station.config)])
    assert "4 windows" in result.output, result
