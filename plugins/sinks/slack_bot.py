"""Sends incidents to Slack through a bot: one message for each, kept up to date, and its thread.

The thread has the later events and the chart. Before the sink repeats a message, it reads the
newest messages of the channel, so that no message comes twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from driftline import (
    DriftlineError,
    Event,
    Markup,
    Notification,
    Reason,
    Rejected,
    Secret,
    Severity,
    Sink,
    Throttled,
    hookimpl,
)
from driftline.kit.delivery import slack

Mention = Annotated[str, Field(pattern=r"^(here|channel|everyone|[UWS][A-Z0-9]+)$")]
QUIET = (Event.ACKNOWLEDGED, Event.SILENCED)
"""Events that change the message but write nothing to the thread."""
BROADCAST = (Reason.CAME_BACK, Reason.FLAPPING, Reason.MORE_SEVERE, Reason.DOUBLED, Reason.RELEASED)
"""Reasons of a reply that the whole channel sees, not only who follows the thread."""
PLAIN = {"unfurl_links": False, "unfurl_media": False}
"""No link previews: to make a preview, Slack opens the link."""


class SlackBot(Sink):
    """Posts to a channel as a bot, edits its message as the incident changes, writes the thread."""

    type: ClassVar[str] = "slack_bot"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "looks"
    markup: ClassVar[Markup] = "mrkdwn"
    limits: ClassVar[Mapping[str, int]] = {"title": 150, "body": 3500}

    token: Secret
    """The token of the bot: `xoxb-...`."""
    channel: str
    """The channel, by its ID (such as `C0123456789`) or its name."""
    mentions: dict[Severity, tuple[Mention, ...]] = Field(default_factory=dict)
    """Who is mentioned when an incident opens with this severity or rises to it.

    Write `here`, `channel`, `everyone`, or the IDs of people and user groups.
    """
    charts: bool = True
    """Whether the chart of the change is posted to the thread."""
    broadcast: bool = True
    """Whether the channel, too, shows the replies about an incident that came back or got worse.

    The same for one that is still open after a snooze or a silence.
    """
    url: str = "https://slack.com/api"
    """The address of Slack's API. Change it for a proxy or a test."""

    _next_chart: datetime | None = None
    """No chart is uploaded before this time: Slack has a rate limit of its own for uploads."""

    @property
    def _api(self) -> slack.SlackApi:
        assert self.context.http is not None
        return slack.SlackApi(self.context.http, self.token.reveal(), self.url)

    def send(self, notification: Notification) -> str | None:
        """Post or edit the incident's message; return its channel and timestamp, Slack's key."""
        earlier = self.context.find_earlier_result(notification)
        if not earlier or notification.event is Event.TEST:
            return self._post(notification)
        channel, _, ts = earlier.partition(":")
        try:
            self._write("chat.update", notification, channel=channel, ts=ts)
        except slack.SlackError as error:
            if error.word not in slack.GONE:
                raise
            return self._post(notification)
        if notification.event not in QUIET:
            # Slack notifies nobody of an edited message, but it does of a reply in the thread.
            message = self.message(notification)
            text = f"{self._mentions(notification)}{message.title}\n{message.lead}"
            reply = {"thread_ts": ts, "text": text, "metadata": _metadata(notification), **PLAIN}
            if self.broadcast and notification.reason in BROADCAST:
                reply["reply_broadcast"] = True
            self._api.call("chat.postMessage", channel=channel, **reply)
        return earlier

    def find_delivered(self, notification: Notification, since: datetime) -> str | None:
        """Return the message's channel and timestamp where the channel or the thread has it."""
        channel, _, ts = self.context.find_earlier_result(notification).partition(":")
        payload = _metadata(notification)["event_payload"]
        oldest = f"{since.timestamp() - 60:.6f}"
        method = "conversations.replies" if ts else "conversations.history"
        try:
            if ts:
                place = {"channel": channel, "ts": ts}
            elif re.fullmatch(r"[CGD][A-Z0-9]{5,}", self.channel):
                place = {"channel": self.channel}
            else:
                raise Rejected("only a channel given by its ID can be read")
            for message in self._api.messages(method, **place, oldest=oldest):
                if _event_payload(message) == payload and message["ts"] != ts:
                    return f"{place['channel']}:{ts or message['ts']}"
        except Rejected as error:
            self.context.log.warning(
                "could not read the channel; the message may come twice", error=str(error)
            )
        return None

    def probe(self) -> str:
        """Check the token; return the bot's user and workspace."""
        answer = self._api.call("auth.test")
        return f"{answer.get('user', 'the bot')} in {answer.get('team', 'its workspace')}"

    def permissions(self) -> tuple[str, ...]:
        """Return the scopes for writing, for reading before a repeat, and for charts."""
        history = "channels:history (groups:history in a private channel)"
        return ("chat:write", history, "files:write") if self.charts else ("chat:write", history)

    def _post(self, notification: Notification) -> str:
        answer = self._write("chat.postMessage", notification, channel=self.channel)
        channel, ts = str(answer.get("channel")), str(answer.get("ts"))
        must_wait = self._next_chart is not None and self.context.clock() < self._next_chart
        chart = self.context.chart(notification) if self.charts and not must_wait else None
        if chart:
            try:
                self._upload(chart, self.message(notification, "plain").title, channel, ts)
            except DriftlineError as error:
                # The message is posted: a missing chart must not send it again.
                self._next_chart = error.not_before if isinstance(error, Throttled) else None
                self.context.log.warning("the chart was not taken", error=str(error))
        return f"{channel}:{ts}"

    def _write(self, method: str, notification: Notification, **place: str) -> dict[str, Any]:
        """Write the whole message; as plain text where Slack does not accept its blocks."""
        message = self.message(notification)
        body = slack.payload(message, self.message(notification, "plain").title)
        fields = {**place, **PLAIN, "metadata": _metadata(notification)}
        mentions = self._mentions(notification) if method == "chat.postMessage" else ""
        try:
            return self._api.call(method, **fields, **{**body, "text": mentions + message.title})
        except slack.SlackError as error:
            if error.word not in slack.BROKEN:
                raise
            return self._api.call(method, **fields, text=message.body, attachments=[])

    def _mentions(self, notification: Notification) -> str:
        opens = notification.event in (Event.OPENED, Event.REOPENED)
        calls_again = notification.reason in BROADCAST
        names = self.mentions.get(notification.severity, ()) if opens or calls_again else ()
        return "".join(f"{_mention(name)} " for name in names)

    def _upload(self, chart: bytes, title: str, channel: str, ts: str) -> None:
        place = self._api.call(
            "files.getUploadURLExternal", filename="chart.png", length=len(chart), alt_txt=title
        )
        self._api.http.post(
            str(place["upload_url"]),
            content=chart,
            headers={"content-type": "application/octet-stream"},
        )
        files = [{"id": place["file_id"], "title": title}]
        self._api.call(
            "files.completeUploadExternal", files=files, channel_id=channel, thread_ts=ts
        )


def _mention(name: str) -> str:
    return (
        f"<!{name}>" if name.islower() else f"<!subteam^{name}>" if name[0] == "S" else f"<@{name}>"
    )


def _metadata(notification: Notification) -> dict[str, Any]:
    payload = {"incident_id": notification.incident, "rev": notification.revision}
    return {"event_type": "driftline_incident", "event_payload": payload}


def _event_payload(message: Mapping[str, Any]) -> object:
    return message.get("metadata", {}).get("event_payload")


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [SlackBot]
