"""Hours without rows: each is a window of its own, found once, at the price of the new ones
only.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from station import START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]


def test_every_silent_hour_is_judged_once_whenever_ticks_come(tmp_path):
    """Ticks within an hour, after a pause of many, and after a restart find every span without
    rows, and look at no old one.
    """
    station = Station(tmp_path)
    station.hour(0)
    hours = (0.5, 1.5, 2.1, 2.4, 7.9, 8.0, 8.3)
    for hour in hours:
        station.clock.now = START + timedelta(hours=hour)
        with station.open():
            station.tick()
            counted = station.sql(
                "select count(*), count(distinct start) from windows where segment = ''"
            )[0]
            assert counted[0] == counted[1]
    with station.open():
        found = station.sql("select start from windows order by start")
        assert [start for (start,) in found] == [
            int(START.timestamp() + hour * 3600) * 1_000_000 for hour in range(8)
        ]
        assert station.sql("select count(*) from windows where revision <> 1") == [(0,)]
        read: list[str] = []
        sa.event.listen(
            station.agent.store.engine,
            "before_cursor_execute",
            lambda c, cursor, statement, *_: read.append(statement),
        )
        station.tick()
        assert not [
            statement
            for statement in read
            if "DISTINCT" in statement and "windows.start >=" in statement
        ]
