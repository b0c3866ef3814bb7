"""Messages that wait for a mute time or for the cap on pages, in a whole agent."""

from datetime import UTC, datetime, timedelta

import pytest
import station as stations
from receivers import PagerDutyReceiver
from station import Station

pytestmark = pytest.mark.system

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    max_pages_per_day: 2
    reopen_within: 3h
    checks:
      missing: {{type: missing, rule: {{measurement: missing_rate, above: {{SEVERITY: 0.2}}}}}}
"""


def make_station(folder, monkeypatch, start, severity="warning") -> Station:
    """An agent whose log begins at `start`."""
    monkeypatch.setattr(stations, "START", start)
    return Station(folder, MODEL.replace("SEVERITY", severity), start=start)


def opening_times(station: Station, until: int) -> list[datetime]:
    """The times of the ticks, five minutes apart, at which a message about the plans went out."""
    times, count = [], 0
    with station.open():
        while station.clock.now < stations.START + until * HOUR:
            station.tick()
            told = len([note for note in station.told() if note["cause"] == "quality"])
            times += [station.clock.now] * (told - count)
            count = told
            station.clock.now += 5 * MINUTE
    return times


@pytest.mark.parametrize(
    ("start", "mute_times", "end"),
    [
        (
            datetime(2026, 5, 1, tzinfo=UTC),
            '  early: {cron: "0 1 * * *", for: 2h}\n  late: {cron: "0 3 * * *", for: 2h}\n',
            datetime(2026, 5, 1, 5, tzinfo=UTC),
        ),
        (
            datetime(2026, 10, 24, 21, tzinfo=UTC),
            '  night: {cron: "0 22 * * *", for: 8h, zone: Europe/Berlin}\n',
            datetime(2026, 10, 25, 5, tzinfo=UTC),
        ),
        (
            datetime(2026, 3, 28, 21, tzinfo=UTC),
            '  night: {cron: "0 22 * * *", for: 8h, zone: Europe/Berlin}\n',
            datetime(2026, 3, 29, 4, tzinfo=UTC),
        ),
    ],
    ids=["adjoining", "an hour is repeated", "an hour is left out"],
)
def test_what_waits_goes_out_at_the_end_of_the_mute_time(
    tmp_path, monkeypatch, start, mute_times, end
):
    """One opening with the first tick after the last of adjoining mute times, or after a night in
    which the clock changes; nothing before.
    """
    station = make_station(tmp_path, monkeypatch, start)
    station.config.write_text(f"{station.config.read_text()}mute_times:\n{mute_times}")
    for hour in range(10):
        station.hour(hour, 60, plan=None)
    station.clock.now = start + HOUR + 20 * MINUTE
    assert opening_times(station, 10) == [end]
    [note] = [note for note in station.told() if note["cause"] == "quality"]
    assert note["event"] == "opened"


def test_a_mute_time_of_warnings_holds_nothing_critical(tmp_path, monkeypatch):
    """A mute time of warnings holds nothing that is critical."""
    start = datetime(2026, 5, 1, tzinfo=UTC)
    station = make_station(tmp_path, monkeypatch, start, "critical")
    muted = '  all: {cron: "0 * * * *", for: 1h, match: severity=info|warning}\n'
    station.config.write_text(f"{station.config.read_text()}mute_times:\n{muted}")
    for hour in range(3):
        station.hour(hour, 60, plan=None)
    station.clock.now = start + 3 * HOUR + 20 * MINUTE
    assert opening_times(station, 4) == [start + 3 * HOUR + 20 * MINUTE]


@pytest.mark.parametrize("days", [3, 4])
def test_the_cap_on_pages_counts_by_the_clock_of_the_agent(tmp_path, monkeypatch, days):
    """A backlog of days with an incident in each is read at once: with a cap of two pages in 24
    hours two incidents page, and the others are one digest; a digest of a single incident is that.
    """
    start = datetime(2026, 5, 1, tzinfo=UTC)
    station = make_station(tmp_path, monkeypatch, start, "critical")
    text = station.config.read_text().replace(
        "windows: {length: 1h,", "windows: {length: 1h, notify_within: null,"
    )
    monkeypatch.setenv("ROUTING", "e" * 32)
    for hour in range(days * 24):
        station.hour(hour, 60, **({"plan": None} if hour % 24 in (3, 4, 5) else {}))
    with PagerDutyReceiver() as pager:
        options = f'{{url: "{pager.url}", routing_key: "${{env:ROUTING}}"}}'
        station.config.write_text(
            f"{text}  pager: {{type: pagerduty, allow_private: true, options: {options}}}\n"
        )
        station.clock.now = start + days * 24 * HOUR + 20 * MINUTE
        with station.open():
            for _ in range(4):
                station.tick()
                station.clock.now += MINUTE
        assert [alert.status for alert in pager.accepted] == ["resolved", "resolved"]
    told = station.told()
    causes = [note["cause"] for note in told if note["event"] == "opened"]
    assert (causes.count("quality"), causes.count("digest")) == (2, days - 2)
    for note in told:
        assert "“plan”" in note["title"], "each digest is of one incident"
        assert (" is back to normal" in note["title"]) is (note["event"] == "resolved")
