"""What a judged window costs: statements and calls, whatever the machine."""

from __future__ import annotations

import sys
import threading
from collections import Counter
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


MOST_CALLS = 7_000
"""Calls of Python functions for one window of a backlog and the object with its rows."""


def test_a_further_window_of_a_backlog_takes_few_calls(tmp_path):
    """The calls of a tick that judges 12 windows, less those of one that judges 4.

    They stand for its time, which depends on the machine.
    """
    counts = {}
    for hours in (4, 12):
        station = Station(tmp_path / str(hours))
        for hour in range(hours):
            station.hour(hour)
        station.clock.now = START + timedelta(hours=hours + 1)
        calls: Counter[str] = Counter()

        def count(frame, event, argument, calls=calls):
            calls[event] += 1

        with station.open():
            threading.setprofile(count)  # Checks run in threads of their own.
            sys.setprofile(count)
            try:
                station.tick()
            finally:
                sys.setprofile(None)
                threading.setprofile(None)
            windows = station.sql("select count(*) from windows where revision > 0")[0][0]
            counts[hours] = (windows, calls["call"])
    (few, first), (many, second) = counts[4], counts[12]
    assert (second - first) / (many - few) <= MOST_CALLS, (second - first) / (many - few)
