"""Events that happened shortly before a change are candidates for its cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from station import START, Station

from driftline.catalog.catalog import Catalog, Record
from driftline.catalog.likely_events import describe_event, rank_events

SINCE = datetime(2026, 5, 2, 12, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=1)


def event(hours: float, type: str = "deployment", **fields: str) -> Record:
    """An event so many hours before the change."""
    at = SINCE - timedelta(hours=hours)
    return Record(
        model="churn",
        kind="event",
        name=f"{type} {hours}",
        fields={"type": type, "at": at.isoformat(), **fields},
        revision=1,
        at=at,
        way="cli",
        author="",
        reason="",
    )


def ranked(*events: Record, version: str = "") -> list[str]:
    return [found.name for found in rank_events(events, SINCE, UNTIL, version)]


def test_the_latest_event_before_a_change_comes_first():
    """Later ones than the window, and those of days ago, are none."""
    assert ranked(event(5), event(2, "campaign"), event(-0.5, "schema"), event(-1), event(49)) == [
        "schema -0.5",
        "campaign 2",
        "deployment 5",
    ]


def test_an_event_of_the_changed_version_comes_first():
    """One of another version is none."""
    events = event(5, version="v4"), event(1, version="v3"), event(2, "campaign")
    assert ranked(*events, version="v4") == ["deployment 5", "campaign 2"]


def test_an_event_that_lasts_is_a_candidate_while_it_lasts():
    """A campaign that began weeks ago and goes on, unlike one that ended before."""
    ends = (SINCE + timedelta(days=1)).isoformat()
    ended = (SINCE - timedelta(days=3)).isoformat()
    assert ranked(event(400, "campaign", until=ends), event(401, "campaign", until=ended)) == [
        "campaign 400"
    ]


def test_a_sentence_says_what_happened_when():
    """With the version and the title, where there are some."""
    text = describe_event(event(3, version="v4", title="smaller trees"))
    assert text == "deployment of v4 at 2026-05-02 09:00 UTC: smaller trees"
    assert describe_event(event(3, "other")) == "event at 2026-05-02 09:00 UTC"


@pytest.mark.system
@pytest.mark.postgres
def test_a_message_names_the_event_before_a_change(tmp_path):
    """As its likely cause, also in an update."""
    station = Station(tmp_path)
    for number in range(3):
        station.hour(number)
    for number in range(3, 6):
        station.hour(number, amount=lambda row: row["amount"] + 40)
    station.clock.now = START + timedelta(hours=6, minutes=20)
    with station.open():
        catalog = Catalog(store=station.agent.store, clock=station.clock)
        at = (START + timedelta(hours=2, minutes=30)).isoformat()
        catalog.write("shop", "event", fields={"type": "deployment", "at": at, "title": "cents"})
        station.tick()
    opened = next(note for note in station.told() if note["cause"] == "drift")
    assert opened["facts"]["likely cause"] == "deployment at 2026-05-01 02:30 UTC: cents"
