"""Stopping in the middle of a tick: what was begun is finished, the rest is left for the next
start.
"""

from __future__ import annotations

import io
import threading
from datetime import timedelta

import pytest
from station import START, Station

from driftline.agent.callbacks import Callbacks
from driftline.agent.composition_root import open_agent, read_config
from driftline.telemetry.logs import make_log

pytestmark = [pytest.mark.postgres, pytest.mark.system]


@pytest.mark.parametrize(("stage", "judged"), [("shop: read", 0), ("shop: judge", 1)])
def test_a_tick_stops_between_its_steps(tmp_path, stage, judged):
    """Told to stop, a tick judges no further window; the next agent does, and all comes out as if
    never stopped.
    """
    station = Station(tmp_path)
    for hour in range(4):
        station.hour(hour, 50)
    station.clock.now = START + timedelta(hours=5)
    told = threading.Event()

    def progress(at: str, done: int, total: int, rows: int) -> None:
        if at == stage:
            told.set()

    log, config = make_log(io.StringIO(), human=False), read_config(station.config)
    callbacks = Callbacks(progress=progress, stopping=told.is_set)
    with open_agent(
        config, clock=station.clock, log=log, console=io.StringIO(), once=True, callbacks=callbacks
    ) as agent:
        assert agent.tick("shop").closing.windows == judged
    with station.open():
        station.tick()
        assert station.sql("select revision, rows from windows where rows > 0") == [(1, 50)] * 4
