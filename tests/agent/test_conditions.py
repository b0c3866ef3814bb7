"""Conditions over windows and over checks, by a whole agent and in the backtest."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner
from station import MODEL, START, Station

from driftline.cli.backtest import backtest

pytestmark = pytest.mark.system

NEWEST = MODEL.replace("for: 2", "for: 3 of 5")
BOTH = MODEL.replace("{{type: freshness}}", "{{type: freshness}}\n      missing: {{type: missing}}")
UNLESS = '\ninhibit:\n  - {unless: "family=quality", hold: "family=drift"}\n'


def write(station: Station, moved: set[int], hours: int, empty: frozenset[int] = frozenset()):
    """Hours in which `amount` is 30 higher; in the hours `empty`, half of the plans are missing."""
    for hour in range(hours):
        station.hour(
            hour,
            amount=lambda row, hour=hour: row["amount"] + 30 * (hour in moved),
            plan=lambda row, hour=hour: (
                None if hour in empty and station.rng.random() < 0.5 else row["plan"]
            ),
        )


def opened(station: Station, hours: int) -> list[str]:
    """The window of each message about a drift that began, hour by hour."""
    for hour in range(hours):
        station.clock.now = START + timedelta(hours=hour + 1.5)
        station.tick()
    return [
        note["window"][0]
        for note in station.told()
        if (note["event"], note["cause"]) == ("opened", "drift")
    ]


@pytest.mark.parametrize(
    ("moved", "hour"),
    [
        ({1, 3, 5}, 5),
        pytest.param({1, 2, 3}, 3, marks=pytest.mark.slow),
        pytest.param({0, 3, 6}, None, marks=pytest.mark.slow),
    ],
    ids=["every other", "in a row", "too far apart"],
)
def test_three_of_the_newest_five_windows_open_an_incident(tmp_path, moved, hour):
    """The third changed window of five opens it, live and in the backtest."""
    station = Station(tmp_path, NEWEST)
    write(station, moved, 8)
    with station.open():
        windows = opened(station, 8)
    expected = [] if hour is None else [f"2026-05-01T{hour:02d}:00:00Z"]
    assert windows == expected
    result = CliRunner().invoke(backtest, ["-c", str(station.config)])
    assert result.exit_code == 0, result.output
    alarm = "0 alarms" if hour is None else f"critical 2026-05-01 {hour + 1:02d}:15 UTC"
    assert alarm in result.output


@pytest.mark.parametrize("with_missing", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_drift_counts_only_together_with_another_check(tmp_path, with_missing):
    """With `unless`, the drift opens once plans are missing, too; alone it is never sent."""
    station = Station(tmp_path, BOTH)
    station.config.write_text(station.config.read_text() + UNLESS)
    write(station, set(range(2, 10)), 10, frozenset(range(6, 10)) if with_missing else frozenset())
    with station.open():
        opened(station, 10)
    notes = [note for note in station.told() if note["cause"] in ("drift", "quality")]
    assert bool(notes) is with_missing
    assert [note["event"] for note in notes[:1]] == ["opened"] * with_missing
    for note in notes:
        assert note["window"][0] >= "2026-05-01T06:00:00Z"
        assert {alert["cause"] for alert in note["alerts"]} >= {"drift", "quality"}
