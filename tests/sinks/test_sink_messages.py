"""Each sink's message for each kind of notification, against a stored, readable file;
UPDATE_GOLDEN=1 writes them anew.
"""

import io
import json
import os
from pathlib import Path

import pytest
from cases import START, lives
from driftline_plugins.sinks.console import Console
from driftline_plugins.sinks.pagerduty import PagerDuty
from driftline_plugins.sinks.slack import Slack
from driftline_plugins.sinks.webhook import Webhook, sign_message
from receivers import PagerDutyReceiver, SlackReceiver, WebhookReceiver

from driftline import Event, Secret, StartContext
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.types.incident import Reason, Upstream, UpstreamKind

GOLDEN = Path(__file__).parent / "golden"
LIVES = lives()
ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"
CHART = "https://watch.example/i/inc_f7e83a0122163f00/chart.png?exp=1796202000&sig=" + "A" * 43
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Quiet:
    def info(self, event, **facts):
        pass

    warning = info


def started(sink, console=None, chart=None):
    http = HttpClient(lambda: START, allow_private=True)
    sink.start(
        StartContext(
            name="test",
            log=Quiet(),
            clock=lambda: START,
            http=http,
            console=console,
            render=Renderer(),
            chart_url=lambda told: chart,
        )
    )
    return sink


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def pretty(value) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("case", LIVES)
def test_slack(case):
    """Slack takes every message as it is, and it reads as stored."""
    with SlackReceiver() as server:
        assert started(Slack(webhook_url=Secret("${env:X}", server.url))).send(LIVES[case]) is None
    [message] = server.accepted
    golden(f"slack_{case}.json", pretty(message))


def test_pagerduty_hears_nothing_of_what_nobody_was_paged_for():
    """The end of an incident whose opening was never delivered is no event."""
    with PagerDutyReceiver() as server:
        started(PagerDuty(routing_key=Secret("${env:X}", ROUTING_KEY), url=server.url)).send(
            LIVES["unheard"]
        )
    assert server.requests == []


@pytest.mark.parametrize("case", [case for case in LIVES if case != "unheard"])
def test_pagerduty(case):
    """PagerDuty takes every event under the incident's key; a resolve carries nothing else."""
    with PagerDutyReceiver() as server:
        key = started(PagerDuty(routing_key=Secret("${env:X}", ROUTING_KEY), url=server.url)).send(
            LIVES[case]
        )
    assert key == LIVES[case].incident
    golden(f"pagerduty_{case}.json", pretty(json.loads(server.requests[0].body)))


@pytest.mark.parametrize("case", LIVES)
def test_webhook(case):
    """The signature fits the bytes, and the data is the notification, whole."""
    with WebhookReceiver(SIGNING, START.timestamp) as server:
        sink = started(Webhook(url=server.url, secret=Secret("${env:X}", SIGNING)))
        assert LIVES[case].id == sink.send(LIVES[case])
        sink.send(LIVES[case])
    [message] = server.accepted
    assert LIVES[case] == type(LIVES[case]).model_validate(message["data"])
    golden(f"webhook_{case}.json", pretty(message))


@pytest.mark.parametrize("case", LIVES)
def test_console(case):
    """Off a terminal the text is plain; on one only our own colours are added."""
    plain = io.StringIO()
    started(Console(), plain).send(LIVES[case])
    assert all(char.isprintable() or char == "\n" for char in plain.getvalue())
    golden(f"console_{case}.txt", plain.getvalue())


def test_console_colours(monkeypatch):
    """A terminal sees colour, and the words stay the same."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    started(Console(), out).send(LIVES["opened"])
    assert "\x1b[" in out.getvalue()


def test_the_check_value_of_standard_webhooks():
    """The signature is that of the specification's own example."""
    made = sign_message(
        SIGNING, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_extra_headers_of_a_webhook():
    """A gateway's token goes out beside the signature and can't replace it."""
    with WebhookReceiver(SIGNING, START.timestamp) as server:
        headers = {
            "Authorization": Secret("${env:T}", "Bearer t"),
            "Webhook-Id": Secret("${env:E}", "evil"),
        }
        started(Webhook(url=server.url, secret=Secret("${env:X}", SIGNING), headers=headers)).send(
            LIVES["opened"]
        )
    assert server.requests[0].headers["authorization"] == "Bearer t"
    assert LIVES["opened"].id == server.requests[0].headers["webhook-id"]


def test_a_repeat_opens_no_second_alert():
    """Opened, opened again, updated, resolved: PagerDuty shows one alert, closed at the end."""
    with PagerDutyReceiver() as server:
        sink = started(PagerDuty(routing_key=Secret("${env:X}", ROUTING_KEY), url=server.url))
        for case in ("opened", "opened", "updated", "resolved", "resolved"):
            sink.send(LIVES[case])
    [alert] = server.accepted
    assert (alert.status, alert.triggers) == ("resolved", 3)


def test_pagerduty_hears_of_acts_and_changes():
    """Acknowledged there when it is here; a new version and a replaced reference are changes that
    page nobody.
    """
    acknowledged = LIVES["updated"].model_copy(update={"event": Event.ACKNOWLEDGED})
    version = Upstream(UpstreamKind.NEW_VERSION, "v4")
    with PagerDutyReceiver() as server:
        sink = started(PagerDuty(routing_key=Secret("${env:X}", ROUTING_KEY), url=server.url))
        sink.send(LIVES["opened"].model_copy(update={"upstream": (version,)}))
        sink.send(acknowledged)
        [alert] = server.accepted
        assert alert.status == "acknowledged"
        sink.send(LIVES["resolved"].model_copy(update={"reason": Reason.ACCEPTED}))
        assert alert.status == "resolved"
    assert [change["payload"]["summary"] for change in server.changes] == [
        "churn: version v4 is new",
        "churn: reference replaced",
    ]


def test_slack_and_pagerduty_show_the_chart():
    """As an image that the service fetches, of the incident that has links too."""
    told = LIVES["linked"]
    with PagerDutyReceiver() as pager, SlackReceiver() as slack:
        started(
            PagerDuty(routing_key=Secret("${env:X}", ROUTING_KEY), url=pager.url), chart=CHART
        ).send(told)
        started(Slack(webhook_url=Secret("${env:X}", slack.url)), chart=CHART).send(told)
    golden("pagerduty_chart.json", pretty(json.loads(pager.requests[0].body)))
    golden("slack_chart.json", pretty(slack.accepted[0]))


def test_slack_does_without_a_chart_that_it_can_not_fetch():
    """The message comes all the same, with everything else in it."""
    with SlackReceiver() as slack:
        chart = "https://intern.example/chart.png"
        started(Slack(webhook_url=Secret("${env:X}", slack.url)), chart=chart).send(LIVES["opened"])
        started(Slack(webhook_url=Secret("${env:X}", slack.url))).send(LIVES["opened"])
    assert [seen.status for seen in slack.requests] == [400, 200, 200]
    assert slack.accepted[0] == slack.accepted[1]


def test_a_test_message_wakes_nobody():
    """What `doctor` sends through PagerDuty is of the lowest severity and closed at once; every
    sink takes it.
    """
    told = LIVES["opened"].model_copy(
        update={"event": Event.TEST, "alerts": (), "window": None, "title": "driftline: a test"}
    )
    with (
        PagerDutyReceiver() as pager,
        SlackReceiver() as slack,
        WebhookReceiver(SIGNING, START.timestamp) as hook,
    ):
        started(PagerDuty(routing_key=Secret("${env:X}", ROUTING_KEY), url=pager.url)).send(told)
        started(Slack(webhook_url=Secret("${env:X}", slack.url))).send(told)
        started(Webhook(url=hook.url, secret=Secret("${env:X}", SIGNING))).send(told)
    assert [(alert.status, alert.severity) for alert in pager.accepted] == [("resolved", "info")]
    assert slack.accepted[0]["text"] == "TEST driftline: a test"
    assert hook.accepted[0]["type"] == "incident.test"


@pytest.mark.parametrize("case", LIVES)
def test_the_first_line_suits_a_lock_screen(case):
    """What a phone shows is short, plain and says which model."""
    text = Renderer()(LIVES[case]).title
    assert 10 < len(text) <= 1000
    assert text.isprintable()
    assert len(LIVES[case].title) <= 150


def test_the_console_shows_no_link_that_lets_people_act():
    """Logs keep what is printed: of signed links only the address of the page stands there."""
    links = {
        "open": "https://watch.example/i/inc_1?exp=1796202000&sig=" + "A" * 43,
        "acknowledge": "https://watch.example/i/inc_1/ack?exp=1796202000&sig=" + "B" * 43,
        "accept as normal": "https://watch.example/i/inc_1/accept?exp=1&sig=" + "C" * 43,
        "evidence": "https://agent.example/i/inc_1?a=b",
    }
    out = io.StringIO()
    started(Console(), console=out).send(LIVES["opened"].model_copy(update={"links": links}))
    text = out.getvalue()
    assert "https://watch.example/i/inc_1\n" in text
    assert "https://agent.example/i/inc_1?a=b" in text
    assert "sig=" not in text
    assert "/ack" not in text
