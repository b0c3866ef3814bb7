"""A command: its arguments and environment are closed, its time and output are bounded, its exit
code has a meaning.
"""

from __future__ import annotations

import json
import os
import select
import sys

import pytest
from driftline_plugins.actions.shell import Shell

from driftline import OutcomeUnknown, Rejected, Retryable, Secret
from driftline.testing import order, start_context

PYTHON = sys.executable


def shell(tmp_path, code, *more, **given):
    made = Shell(command=[PYTHON, "-c", code, *more], **given)
    made.start(start_context(config_folder=tmp_path))
    return made


def run(made, **changes):
    return made.perform(made.request(order(**changes)))


def test_only_named_variables(tmp_path, monkeypatch):
    """The command sees the variables that the settings name, and the token; secrets among them are
    in no request.
    """
    monkeypatch.setenv("CANARY", "of the agent")
    made = shell(tmp_path, "import os, json; print(json.dumps(dict(os.environ)))", environment={
        "HOME": "/nowhere", "KEY": Secret("${env:KEY}", "canary-key"),
    })  # fmt: skip
    seen = json.loads(run(made).removeprefix("exit code 0: "))
    assert seen.pop("LC_CTYPE", "") in ("", "C.UTF-8")  # Python's own
    assert seen == {"HOME": "/nowhere", "KEY": "canary-key", "DRIFTLINE_TOKEN": order().token}
    assert "canary" not in str(made.request(order()))


def test_hostile_names_stay_arguments(tmp_path):
    """No shell reads them: what a title says is one argument, whatever is in it."""
    made = shell(
        tmp_path, "import sys, json; print(json.dumps(sys.argv[1:]))", "{title}", "--model={model}"
    )
    said = run(made, title="x; touch pwned $(touch pwned) `touch pwned` 'a \"b", model="-rf /")
    assert json.loads(said.removeprefix("exit code 0: ")) == [
        "x; touch pwned $(touch pwned) `touch pwned` 'a \"b", "--model=-rf /",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_data_can_not_become_an_option(tmp_path):
    """A name that begins with a dash is turned down as an argument of its own, and runs nothing."""
    made = shell(tmp_path, "open('ran', 'w')", "{model}")
    with pytest.raises(Rejected, match=r"the argument \{model\} would be the option -rf"):
        run(made, model="-rf /")
    assert list(tmp_path.iterdir()) == []


def test_the_incident_on_standard_input(tmp_path):
    """What is shown as the body is what the command reads."""
    made = shell(tmp_path, "import sys; open('in.json', 'wb').write(sys.stdin.buffer.read())")
    run(made)
    body = (tmp_path / "in.json").read_text(encoding="utf-8")
    assert body == made.request(order()).body
    told = json.loads(body)
    assert (told["token"], told["incident"]["model"]) == (order().token, "churn")


def test_exit_codes(tmp_path):
    """0 is done, 75 asks for another time, all others are refusals with the end of the output."""
    with pytest.raises(Retryable, match="exit code 75: busy") as later:
        run(shell(tmp_path, "print('busy'); raise SystemExit(75)"))
    assert not isinstance(later.value, OutcomeUnknown)
    with pytest.raises(Rejected, match="exit code 3: no such model"):
        run(shell(tmp_path, "print('no such model'); raise SystemExit(3)"))
    made = Shell(command=["/not/there"])
    made.start(start_context(config_folder=tmp_path))
    with pytest.raises(Rejected, match="can't be run"):
        run(made)


def test_a_flood_is_bounded(tmp_path):
    """Of 20 MB the last 2,000 bytes are kept."""
    said = run(
        shell(
            tmp_path,
            "import sys\nfor _ in range(200): sys.stdout.write('x' * 100_000)\nprint('the end')",
        )
    )
    assert len(said) < 2100
    assert said.endswith("the end")


def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path):
    """After its time nothing of it is left, and its outcome is unknown."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    for seconds in (1, 5, 30, 90):  # a slow machine may need more than the first to start it
        made = shell(tmp_path, code, timeout=f"{seconds}s")
        with pytest.raises(OutcomeUnknown, match="killed after ") as cut:
            run(made)
        child = str(cut.value).rpartition(" ")[2]
        if child.isdecimal():
            break
    assert ends(int(child))


def ends(pid: int) -> bool:
    """Whether a process is gone, or is gone within 90 seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with open(descriptor) as held:
        return bool(select.select([held], [], [], 90)[0])
