"""Reading on another executor."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import DIARY, MODEL, START, Station

pytestmark = pytest.mark.system

POOL = '''
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from driftline import ExecutorFactory, hookimpl

class Pool(ExecutorFactory):
    """Processes of this machine."""
    type = "pool"
    size: int = 2
    """How many."""
    def create(self):
        return ProcessPoolExecutor(self.size, mp_context=multiprocessing.get_context("spawn"))

@hookimpl
def register_executors():
    return [Pool]
'''


def test_other_processes_read_to_the_same_measurements(tmp_path):
    """An executor plugin is handed jobs that can be sent; what comes back is what threads would
    have given.
    """
    found = {}
    for kind, agent in (("threads", ""), ("pool", ", executor: {type: pool, options: {size: 1}}")):
        station = Station(tmp_path / kind, plugins=DIARY)
        (tmp_path / kind / "plugs" / "pool.py").write_text(POOL)
        station.configure(MODEL.replace("path: {folder}/log", "path: log"), agent)
        for hour in range(3):
            station.hour(hour, amount=lambda row: row["amount"] + 20)
        station.clock.now = START + timedelta(hours=3, minutes=20)
        with station.open():
            report = station.tick()
            assert report.error == ""
            found[kind] = station.sql(
                "select start, name, labels, value, rows, verdict from measurements order by 1, 2, 3"
            )
    assert len(found["threads"]) > 10
    assert found["pool"] == found["threads"]
