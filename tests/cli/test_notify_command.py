"""`driftline notify test`: every scenario through every shipped way to tell people, with the
receiver's answer.
"""

import json
from pathlib import Path

import pytest
from receivers import Fault, PagerDutyReceiver, SlackReceiver
from slack_service import TOKEN, SlackService

from driftline.cli.main import main
from driftline.cli.notify import NAMES
from driftline.delivery.rendering.scenarios import SCENARIOS

pytestmark = pytest.mark.system

TEXT = """
version: 1
models: {{churn: {{source: {{type: local, options: {{path: logs}}}}}}}}
sinks:
  screen: {{type: console}}
  chat: {{type: slack, allow_private: true, options: {{webhook_url: "${{env:HOOK}}"}}}}
  bot: {{type: slack_bot, allow_private: true, options: {{token: "${{env:TOKEN}}", channel: C0123456789, url: "{bot}"}}}}
  pager: {{type: pagerduty, allow_private: true, options: {{routing_key: "${{env:KEY}}", url: "{pager}"}}}}
"""


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with SlackReceiver() as chat, SlackService() as bot, PagerDutyReceiver() as pager:
        for name, value in {"HOOK": chat.url, "TOKEN": TOKEN, "KEY": "e" * 32}.items():
            monkeypatch.setenv(name, value)
        Path("driftline.yaml").write_text(TEXT.format(bot=bot.url, pager=pager.url))

        def run(*args):
            with pytest.raises(SystemExit) as left:
                main(["notify", "test", *args])
            told = capsys.readouterr()
            return left.value.code, told.out + told.err

        run.receivers = {"chat": chat, "bot": bot, "pager": pager}
        yield run


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("sink", ["screen", "chat", "bot", "pager"])
def test_every_scenario_gets_through(world, sink, scenario):
    """The strict receivers take it, it says that it is a test, and the answer is shown without the
    secret.
    """
    code, out = world(sink, "--scenario", scenario)
    assert code == 0, out
    assert "TEST" in out
    assert out.count("sent  ") == (2 if scenario == "resolved" else 1)
    assert TOKEN not in out
    if sink in ("chat", "pager"):
        assert "HTTP 20" in out
    if sink == "bot":
        assert "known there as C0123456789:" in out
        assert len([one for one in world.receivers["bot"].accepted if "thread_ts" not in one]) == 1


def test_what_went_wrong_is_said(world):
    """A refusal ends with 3, as text and as JSON."""
    world.receivers["chat"].faults.extend([Fault(status=404, body=b"no_service")] * 2)
    code, out = world("chat")
    assert (code, "no_service" in out) == (3, True)
    code, out = world("chat", "--json")
    [message] = json.loads(out)["messages"]
    assert (code, message["ok"]) == (3, False)
    assert world("nobody")[0] == 2


def test_the_names_are_those_there_are():
    """The option offers what there is, without importing it."""
    assert tuple(SCENARIOS) == NAMES
