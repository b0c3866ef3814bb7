"""What a judged window costs the database: a number of statements, whatever the machine."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from station import START, Station

pytestmark = [pytest.mark.system]

MOST_STATEMENTS = 25
"""Statements for one window of a backlog and the object with its rows, with each `BEGIN`."""


def test_a_further_window_of_a_backlog_takes_few_statements(tmp_path):
    """The statements of a tick that judges 12 windows, less those of one that judges 4."""
    counts = {}
    for hours in (4, 12):
        station = Station(tmp_path / str(hours))
        for hour in range(hours):
            station.hour(hour)
        station.clock.now = START + timedelta(hours=hours + 1)
        with station.open():
            statements: list[str] = []
            sa.event.listen(
                station.agent.store.engine,
                "before_cursor_execute",
                lambda c, cursor, statement, *_, read=statements: read.append(statement),
            )
            station.tick()
            windows = station.sql("select count(*) from windows where revision > 0")[0][0]
            counts[hours] = (windows, len(statements))
    (few, first), (many, second) = counts[4], counts[12]
    assert (second - first) / (many - few) <= MOST_STATEMENTS
