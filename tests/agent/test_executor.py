"""Reading on another executor: the same state as threads, whatever ends a worker."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import worker_tasks
from driftline_plugins.executors.dask import Dask, run_task, versions
from station import DIARY, MODEL, START, Station
from worker_tasks import end_process, end_process_once, sleep_and_return

from driftline import Secret, SourceError

pytestmark = pytest.mark.system

PAGE = Path(__file__).parent.parent.parent / "docs" / "executors.md"
[POOL] = re.findall("```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
"""The executor of the docs."""
DEADLY = '''
import os
from driftline import Format, hookimpl
from driftline_plugins.formats.jsonl import JsonLines

class Deadly(JsonLines):
    """JSON Lines; a file whose name holds `deadly` ends the process that reads it."""
    type = "deadly"
    suffixes = ()
    def decode(self, stream, decoding):
        if "deadly" in decoding.uri:
            os._exit(1)
        yield from super().decode(stream, decoding)

@hookimpl
def register_formats():
    return [Deadly]
'''
ROWS = "select start, name, labels, value, rows, verdict from measurements order by 1, 2, 3"
PROFILES = "select start, version, segment, rows, profile from windows order by 1, 2, 3"


def read_hours(
    folder: Path, agent: str = "", deadly: bool = False, plugins: str = ""
) -> tuple[Station, dict[str, object]]:
    """Read three hours on an executor; with `deadly`, one more object ends its worker."""
    station = Station(folder, plugins=DIARY)
    (folder / "plugs" / "more.py").write_text(plugins)
    model = MODEL.replace("path: {folder}/log", "path: log")
    if deadly:
        model = model.replace("path: log, format: jsonl", "path: log, format: deadly")
    station.configure(model, agent)
    for hour in range(3):
        station.hour(hour, amount=lambda row: row["amount"] + 20)
    if deadly:
        station.hour(1, count=5, name="deadly")
    station.clock.now = START + timedelta(hours=3, minutes=20)
    with station.open():
        report = station.tick()
        found: dict[str, object] = {
            "error": report.error,
            "measurements": station.sql(ROWS),
            "profiles": station.sql(PROFILES),
            "objects": station.sql("select uri, state, error from objects order by 1"),
        }
    return station, found


def processes(size: int) -> str:
    return f", executor: {{type: processes, options: {{workers: {size}}}}}"


def test_other_processes_read_to_the_same_state(tmp_path: Path) -> None:
    """The profiles of `processes` are those of threads, byte for byte."""
    _, threads = read_hours(tmp_path / "threads")
    _, pool = read_hours(tmp_path / "processes", processes(1))
    assert threads["error"] == pool["error"] == ""
    assert len(threads["measurements"]) > 10
    assert pool["measurements"] == threads["measurements"]
    assert pool["profiles"] == threads["profiles"]


@pytest.mark.slow
def test_an_executor_of_a_user_is_a_plugin_of_some_lines(tmp_path: Path) -> None:
    """Any `concurrent.futures.Executor`, such as that of the docs, reads what threads read."""
    _, threads = read_hours(tmp_path / "threads")
    _, pool = read_hours(
        tmp_path / "pool", ", executor: {type: pool, options: {size: 1}}", plugins=POOL
    )
    assert pool["measurements"] == threads["measurements"]


@pytest.mark.slow
def test_an_object_that_ends_its_process_is_quarantined_alone(tmp_path: Path) -> None:
    """After three processes that ended, it is named; all other objects count."""
    station, found = read_hours(tmp_path, processes(2), deadly=True, plugins=DEADLY)
    assert found["error"] == ""
    states = {Path(uri).stem: (state, error) for uri, state, error in found["objects"]}
    deadly_state, error = states.pop("deadly")
    assert deadly_state == "quarantined"
    assert "3 processes ended while they read this object" in error
    assert {state for state, _ in states.values()} == {"done"}
    assert len(found["profiles"]) == 3
    del station


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A Dask scheduler with two worker processes on this machine."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    code = (
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    cluster = LocalCluster(n_workers=2, threads_per_worker=1, host='127.0.0.1',"
        " dashboard_address=None)\n"
        "    print(cluster.scheduler_address, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(worker_tasks.__file__).parent)},
    ) as cluster:
        assert cluster.stdout is not None
        yield cluster.stdout.readline().strip()
        cluster.communicate("\n", timeout=60)


def dask(address: str) -> str:
    return f', executor: {{type: dask, options: {{scheduler: "{address}"}}}}'


@pytest.mark.slow
def test_a_dask_cluster_reads_to_the_same_state(tmp_path: Path, scheduler: str) -> None:
    """The profiles of a cluster are those of threads, byte for byte."""
    _, threads = read_hours(tmp_path / "threads")
    _, cluster = read_hours(tmp_path / "dask", dask(scheduler))
    assert cluster["error"] == ""
    assert cluster["measurements"] == threads["measurements"]
    assert cluster["profiles"] == threads["profiles"]


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_object(scheduler: str) -> None:
    """Its tasks run again on a worker that lives."""
    executor = Dask(scheduler=scheduler).create()
    try:
        futures = [executor.submit(sleep_and_return, number) for number in range(8)]
        executor.submit(end_process_once, str(time.time_ns()))
        assert [future.result(timeout=120) for future in futures] == list(range(8))
    finally:
        executor.shutdown()


@pytest.mark.slow
def test_a_task_that_ends_its_workers_breaks_off(scheduler: str) -> None:
    """It is a broken executor, as for processes."""
    executor = Dask(scheduler=scheduler).create()
    try:
        with pytest.raises(BrokenExecutor):
            executor.submit(end_process, 3).result(timeout=180)
    finally:
        executor.shutdown()


@pytest.mark.slow
def test_a_task_runs_as_often_as_it_is_submitted(scheduler: str) -> None:
    """An object that is read again is read again, and keywords stay those of the function."""
    executor = Dask(scheduler=scheduler).create()
    try:
        times = [executor.submit(time.time_ns).result(timeout=60) for _ in range(2)]
        assert times[0] != times[1]
        assert executor.submit(dict, key="mine").result(timeout=60) == {"key": "mine"}
    finally:
        executor.shutdown()


def test_a_worker_with_other_versions_runs_nothing() -> None:
    """The message names what differs."""
    with pytest.raises(SourceError, match=r"has numpy .* in place of 1\.0"):
        run_task({**versions(), "numpy": "1.0"}, print, (), {})


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    """The error names the address and the setting."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1.*agent\.executor\.options\.scheduler"):
        Dask(scheduler="tcp://127.0.0.1:1", timeout=0.5).create()


def test_the_value_of_a_secret_is_not_sent_to_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker gets the reference, and resolves it in its own environment."""
    secret = Secret("${env:KEY_OF_TEST}", "the value here")
    sent = pickle.dumps(secret)
    assert b"the value here" not in sent
    monkeypatch.setenv("KEY_OF_TEST", "the value there")
    assert pickle.loads(sent).reveal() == "the value there"
