"""An agent that is killed between a request and its answer, and the one that comes after it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import databases
import pytest
from action_scene import Desk, made, service
from receivers import Fault

from driftline.state.factory import open_store

pytestmark = pytest.mark.system

AGENT = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from action_scene import Desk, made
from driftline.state.factory import open_store
desk = Desk(open_store(sys.argv[1]), made(sys.argv[2], sys.argv[3]), Path())
desk.incident()
desk.settle()
"""


@pytest.mark.parametrize("name", ["airflow", "github_dispatch"])
def test_killed_between_request_and_answer(tmp_path, name):
    """What was started is not started twice: it is recognised by its token, or nobody asks again
    and somebody must look.
    """
    url, go = databases.of(tmp_path), threading.Event()
    with service(name, "", (Fault(hold=go),)) as api:
        script = AGENT.format(path=[str(Path(__file__).parent.parent / "support")])
        agent = subprocess.Popen([sys.executable, "-c", script, url, name, api.url])
        try:
            assert api.arrived.wait(90)
        finally:
            agent.kill()
            agent.wait()
            go.set()
        assert api.times == 1
        desk = Desk(open_store(url), made(name, api.url), tmp_path)
        desk.settle()
        [run] = desk.runs
        assert api.times == 1
        if name == "airflow":
            assert (run.state, len(api.asked)) == ("sent", 2)
            assert run.answer == "HTTP 409: was started before"
        else:
            assert (run.state, len(api.asked)) == ("refused", 1)
        desk.store.close()
