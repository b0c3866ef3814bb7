"""The clock jumps ahead and is set back: no incident of the jump outlives it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import START, Station

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    "jump",
    [
        timedelta(days=1),
        pytest.param(-timedelta(days=1), marks=pytest.mark.slow),
        pytest.param(-timedelta(hours=1), marks=pytest.mark.slow),
        pytest.param(timedelta(hours=1), marks=pytest.mark.slow),
        pytest.param(timedelta(hours=9), marks=pytest.mark.slow),
    ],
)
def test_an_incident_of_a_jump_ends_with_it(tmp_path, jump):
    """Hours that have not come look silent; when the clock is right again the incident is resolved
    at once or by the rows that come, and hours that follow are judged as usual.
    """
    station = Station(tmp_path)
    with station.open():
        for hour in range(16):
            station.hour(hour)
            station.clock.now = START + timedelta(hours=hour + 1, minutes=20)
            station.tick()
            if hour == 10:
                for step in (jump, timedelta(minutes=1), -jump, timedelta(minutes=1)):
                    station.clock.now += step
                    station.tick()
        events = station.events()
        assert events.count("opened") == events.count("resolved")
        empty = station.sql("SELECT count(*) FROM windows WHERE rows = 0")
        assert empty == [(0,)]
        judged = station.sql("SELECT count(*) FROM windows WHERE revision > 0 AND rows > 0")
        assert judged[0][0] >= 15
