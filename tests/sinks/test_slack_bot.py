"""The bot's one message an incident, its thread, its chart, its mentions, and what it makes of
Slack's words.
"""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from cases import START, lives
from driftline_plugins.sinks.slack_bot import SlackBot
from receivers import Fault
from slack_service import TOKEN, SlackService

from driftline import (
    Event,
    OutcomeUnknown,
    Reason,
    Rejected,
    Retryable,
    Secret,
    Severity,
    Throttled,
)
from driftline.contracts.context import StartContext
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.testing import FakeLog

pytestmark = pytest.mark.system

LIVES = lives()
GOLDEN = Path(__file__).parent / "golden"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


class Bot:
    """A bot, and the reference that the outbox would keep."""

    def __init__(self, server, chart=None, **options):
        self.log, self.kept, self.now = FakeLog(), "", START
        http = HttpClient(lambda: self.now, allow_private=True, timeout=60)
        self.sink = SlackBot(
            token=Secret("${env:T}", options.pop("token", TOKEN)), channel=options.pop("channel", server.channel),
            url=server.url, **options,
        )  # fmt: skip
        given = {
            "render": Renderer(),
            "chart": lambda told: chart,
            "find_earlier_result": lambda told: self.kept,
        }
        self.sink.start(
            StartContext(name="bot", log=self.log, clock=lambda: self.now, http=http, **given)
        )

    def send(self, case, **changes):
        self.kept = self.sink.send(LIVES[case].model_copy(update=changes)) or self.kept
        return self.kept


def methods(server):
    return [method for method, _ in server.calls]


def test_an_incident_is_one_message_and_a_thread():
    """Opened, worse, acknowledged, resolved: one message in the channel, which is up to date, and
    replies for what matters.
    """
    with SlackService() as server:
        bot = Bot(server)
        first = bot.send("opened")
        assert bot.send("updated") == first
        bot.send("updated", event=Event.ACKNOWLEDGED, revision=3)
        bot.send("resolved", revision=4)
    [message, *replies] = server.accepted
    assert first == f"{server.channel}:{message['ts']}"
    assert message["text"].startswith("OK churn: “Day Mins” is back to normal")
    assert message["attachments"][0]["color"] == "#12b76a"
    assert message["metadata"]["event_payload"] == {
        "incident_id": LIVES["opened"].incident,
        "rev": 4,
    }
    assert [reply["thread_ts"] for reply in replies] == [message["ts"]] * 2
    assert [reply["metadata"]["event_payload"]["rev"] for reply in replies] == [2, 4]
    assert "lasted 2 h" in replies[1]["text"]
    assert methods(server).count("chat.update") == 3


def test_who_is_named_is_called_once_by_severity():
    """On opening and on more severity, in the message that notifies; never by what comes from
    data.
    """
    with SlackService() as server:
        bot = Bot(server, mentions={"critical": ["here", "U012AB", "S77"]})
        bot.send("opened")
        bot.send("updated")
        bot.send("updated", revision=3, reason=Reason.MORE_SEVERE)
        bot.send("opened", severity=Severity.WARNING, incident="inc_b")
    texts = [message["text"] for message in server.accepted]
    called = "<!here> <@U012AB> <!subteam^S77> "
    assert [text.startswith(called) for text in texts[1:]] == [False, True, False]
    assert server.calls[0][1]["text"].startswith(called)


def test_the_chart_goes_into_the_thread():
    """By the three steps of an upload; when one fails the message stays, and is not sent again."""
    with SlackService() as server:
        Bot(server, PNG).send("opened")
        [upload] = server.uploads.values()
        assert (upload["bytes"], upload["thread"]) == (PNG, server.accepted[0]["ts"])
        server.words["files.getUploadURLExternal"].append("missing_scope")
        bot = Bot(server, PNG)
        assert bot.send("opened", incident="inc_b")
    assert "the bot needs files:write" in bot.log.lines[0][1]["error"]
    assert len(server.accepted) == 2


def test_throttled_charts_rest():
    """Slack limits uploads apart: until the time that it named messages go out without a chart."""
    with SlackService(faults=[Fault(), Fault(status=429, retry_after="60")]) as server:
        bot = Bot(server, PNG)
        bot.send("opened")
        bot.kept = ""
        bot.send("opened", incident="inc_b")
        assert (len(server.accepted), len(server.uploads)) == (2, 0)
        bot.kept = ""
        bot.now += timedelta(seconds=60)
        bot.send("opened", incident="inc_c")
        assert (len(server.accepted), len(server.uploads)) == (3, 1)


@pytest.mark.parametrize("word", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_that_is_gone_is_replaced(word):
    """Deleted, another's, or too old: a new message is written, and kept from then on."""
    with SlackService() as server:
        bot = Bot(server)
        first = bot.send("opened")
        server.words["chat.update"].append(word)
        second = bot.send("resolved")
        assert second != first
        assert bot.send("resolved", revision=4) == second
    assert len([message for message in server.accepted if "thread_ts" not in message]) == 2


WORDS = {
    Rejected: """not_authed invalid_auth account_inactive token_revoked token_expired missing_scope channel_not_found
        not_in_channel is_archived no_text msg_too_long invalid_arguments invalid_json json_not_object invalid_post_type
        missing_post_type invalid_charset too_many_attachments markdown_text_conflict metadata_too_large
        invalid_metadata_format invalid_metadata_schema restricted_action cannot_reply_to_message something_new""",
    Throttled: "ratelimited rate_limited",
    OutcomeUnknown: "internal_error fatal_error service_unavailable",
    Retryable: "request_timeout team_added_to_org update_failed",
}


@pytest.mark.parametrize(
    ("kind", "word"), [(kind, word) for kind, words in WORDS.items() for word in words.split()]
)
def test_every_word_of_slack_has_its_meaning(kind, word):
    """For good, later, or not known: by the word in an answer of status 200."""
    with SlackService() as server:
        server.words["chat.postMessage"].append(word)
        with pytest.raises(kind, match=word) as caught:
            Bot(server).send("opened")
    assert isinstance(caught.value, kind)
    assert (type(caught.value) is kind) or kind is Rejected
    assert TOKEN not in str(caught.value)


def test_what_to_do_is_said_with_the_refusal():
    """A revoked token and an archived channel name the mend."""
    with SlackService() as server:
        with pytest.raises(Rejected, match="make a new one"):
            Bot(server, token="xoxb-old").send("opened")
        server.words["chat.update"].append("is_inactive")
        bot = Bot(server)
        bot.send("opened")
        with pytest.raises(Rejected, match="archived: name another"):
            bot.send("resolved")


def test_blocks_that_slack_does_not_like_go_out_as_text():
    """The message arrives all the same."""
    with SlackService() as server:
        server.words["chat.postMessage"].append("invalid_blocks")
        Bot(server).send("opened")
    [message] = server.accepted
    assert message["attachments"] == []
    assert "Day Mins" in message["text"]


@pytest.mark.parametrize("others", [0, 30])
def test_after_a_lost_answer_it_looks_first(others):
    """Accepted and then reset: the channel shows the message, also behind many others, so it is not
    sent again.
    """
    told = LIVES["opened"]
    with SlackService(faults=[Fault(drop="after")]) as server:
        bot = Bot(server)
        with pytest.raises(OutcomeUnknown):
            bot.send("opened")
        for number in range(others):
            Bot(server).send("opened", incident=f"inc_{number}")
        found = bot.sink.find_delivered(told, START - timedelta(minutes=5))
        assert found == f"{server.channel}:{server.accepted[0]['ts']}"
        assert (
            bot.sink.find_delivered(
                told.model_copy(update={"revision": 2}), START - timedelta(minutes=5)
            )
            is None
        )


def test_after_a_lost_reply_the_thread_is_looked_at():
    """The message itself says nothing of the reply: only a reply of this revision does."""
    with SlackService() as server:
        bot = Bot(server)
        first = bot.send("opened")
        server.faults.extend([Fault(), Fault(drop="before")])
        with pytest.raises(OutcomeUnknown):
            bot.send("resolved")
        assert bot.sink.find_delivered(LIVES["resolved"], START) is None
        bot.send("resolved")
        assert bot.sink.find_delivered(LIVES["resolved"], START) == first
    assert len(server.accepted) == 2


def test_without_the_right_to_look_it_is_sent_again():
    """An opening that comes twice is better than one that is lost, and the log says so."""
    with SlackService() as server:
        server.words["conversations.history"].append("missing_scope")
        bot = Bot(server)
        assert bot.sink.find_delivered(LIVES["opened"], START) is None
        assert "the message may come twice" in bot.log.lines[0][0]
        assert Bot(server, channel="ml-alerts").sink.find_delivered(LIVES["opened"], START) is None


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"[]", b'{"error": "x"}', b"\xff\xfe"])
def test_an_answer_that_is_none_leaves_the_outcome_open(body):
    """What can't be read says nothing of what was done."""
    with SlackService(faults=[Fault(body=body)]) as server, pytest.raises(OutcomeUnknown):
        Bot(server).send("opened")


@pytest.mark.parametrize("case", LIVES)
def test_the_bot_s_messages_read_as_stored(case):
    """A first message is whole; one after it changes the message and adds a reply to its thread."""
    with SlackService() as server:
        bot = Bot(server)
        if case in ("updated", "resolved"):
            bot.send("opened")
        bot.send(case)
    parts = ("text", "attachments", "metadata", "thread_ts")
    told = [{name: one[name] for name in parts if name in one} for one in server.accepted]
    path = GOLDEN / f"slack_bot_{case}.json"
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("case", LIVES)
def test_the_official_client_sends_the_same(case):
    """What the sink writes, sent by Slack's own SDK, is taken by the same strict service and is the
    same message.
    """
    from slack_sdk import WebClient

    with SlackService() as server:
        Bot(server).send(case)
        given = server.calls[0][1]
        client = WebClient(token=TOKEN, base_url=f"{server.url}/")
        said = client.chat_postMessage(
            channel=given["channel"], text=given["text"], attachments=given["attachments"], metadata=given["metadata"],
            unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
        ours, theirs = server.accepted
        assert said["ts"] == theirs["ts"]
        for part in ("text", "attachments", "metadata"):
            assert ours[part] == theirs[part]
        history = client.conversations_history(
            channel=server.channel, limit=1, include_all_metadata=True
        )
        assert (
            history["messages"][0]["metadata"]["event_payload"]["incident_id"]
            == LIVES[case].incident
        )


def test_probe_says_who_the_bot_is():
    """`doctor` shows the name behind the token."""
    with SlackService() as server:
        assert Bot(server).sink.probe() == "driftline in Example"
        assert json.loads(Bot(server).sink.model_dump_json())["token"] == "${env:T}"
