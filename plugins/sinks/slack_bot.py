"""Slack, through a bot: one message an incident, kept up to date, with a thread of what happened to
it and the chart.

Refuses to repeat what the channel already has: before it tries again it reads the channel's newest
messages.
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
"""What changes the message and calls nobody."""


class SlackBot(Sink):
    """Posts to a channel as a bot, changes its message as the incident changes, and tells the
    thread.
    """

    type: ClassVar[str] = "slack_bot"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "looks"
    markup: ClassVar[Markup] = "mrkdwn"
    limits: ClassVar[Mapping[str, int]] = {"title": 150, "body": 3500}

    token: Secret
    """The bot's token, `xoxb-...`."""
    channel: str
    """The channel, by its ID (such as `C0123456789`) or its name."""
    mentions: dict[Severity, tuple[Mention, ...]] = Field(default_factory=dict)
    """Who is called when an incident opens or becomes as severe: `here`, `channel`, or IDs of
    people and groups.
    """
    charts: bool = True
    """Whether the chart of what changed is put into the thread."""
    url: str = "https://slack.com/api"
    """Another address of the same API, for relays and tests."""

    _next_chart: datetime | None = None
    """Slack limits uploads apart from messages: no chart before this time."""

    @property
    def _api(self) -> slack.SlackApi:
        assert self.context.http is not None
        return slack.SlackApi(self.context.http, self.token.reveal(), self.url)

    def send(self, notification: Notification) -> str | None:
        """Post or change the incident's message; returns its channel and time, by which Slack knows
        it.
        """
        earlier = self.context.earlier(notification)
        if not earlier or notification.event is Event.TEST:
            return self._post(notification)
        channel, _, ts = earlier.partition(":")
        try:
            self._say("chat.update", notification, channel=channel, ts=ts)
        except slack.SlackError as error:
            if error.word not in slack.GONE:
                raise
            return self._post(notification)
        if notification.event not in QUIET:
            # A changed message calls nobody: the thread tells those who follow it.
            message = self.message(notification)
            text = f"{self._called(notification)}{message.title}\n{message.lead}"
            reply = {"thread_ts": ts, "text": text, "metadata": _metadata(notification), **PLAIN}
            self._api.call("chat.postMessage", channel=channel, **reply)
        return earlier

    def look(self, notification: Notification, since: datetime) -> str | None:
        """Whether the channel, or the incident's thread, has the message already."""
        channel, _, ts = self.context.earlier(notification).partition(":")
        wanted = _metadata(notification)["event_payload"]
        start = f"{since.timestamp() - 60:.6f}"
        try:
            if ts:
                found = self._api.messages(
                    "conversations.replies", channel=channel, ts=ts, oldest=start
                )
                return (
                    f"{channel}:{ts}"
                    if any(_told(one) == wanted and one["ts"] != ts for one in found)
                    else None
                )
            if not re.fullmatch(r"[CGD][A-Z0-9]{5,}", self.channel):
                raise Rejected("only a channel given by its ID can be read")
            found = self._api.messages("conversations.history", channel=self.channel, oldest=start)
            return next(
                (f"{self.channel}:{one['ts']}" for one in found if _told(one) == wanted), None
            )
        except Rejected as error:
            self.context.log.warning(
                "can't look whether the message is there; it may come twice", error=str(error)
            )
            return None

    def probe(self) -> str:
        """Whether the token is valid, and for whom."""
        said = self._api.call("auth.test")
        return f"{said.get('user', 'the bot')} in {said.get('team', 'its workspace')}"

    def permissions(self) -> tuple[str, ...]:
        """What the bot needs: to write, to look before it repeats, and to put charts into the
        thread.
        """
        history = "channels:history (groups:history in a private channel)"
        return ("chat:write", history, "files:write") if self.charts else ("chat:write", history)

    def _post(self, told: Notification) -> str:
        said = self._say("chat.postMessage", told, channel=self.channel)
        channel, ts = str(said.get("channel")), str(said.get("ts"))
        rests = self._next_chart is not None and self.context.clock() < self._next_chart
        chart = self.context.chart(told) if self.charts and not rests else None
        if chart:
            try:
                self._upload(chart, self.message(told, "plain").title, channel, ts)
            except (
                DriftlineError
            ) as error:  # the message is there: it must not be sent again for want of its chart
                self._next_chart = error.not_before if isinstance(error, Throttled) else None
                self.context.log.warning("the chart was not taken", error=str(error))
        return f"{channel}:{ts}"

    def _say(self, method: str, told: Notification, **place: str) -> dict[str, Any]:
        """The incident's message, whole; as plain text when Slack does not like its blocks."""
        message = self.message(told)
        body = slack.payload(message, self.message(told, "plain").title)
        given = {**place, **PLAIN, "metadata": _metadata(told)}
        text = f"{self._called(told) if method == 'chat.postMessage' else ''}{message.title}"
        try:
            return self._api.call(method, **given, **{**body, "text": text})
        except slack.SlackError as error:
            if error.word not in slack.BROKEN:
                raise
            return self._api.call(method, **given, text=message.body, attachments=[])

    def _called(self, told: Notification) -> str:
        calls = told.event in (Event.OPENED, Event.REOPENED) or "more severe" in told.facts.get(
            "why", ""
        )
        names = self.mentions.get(told.severity, ()) if calls else ()
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


PLAIN = {"unfurl_links": False, "unfurl_media": False}
"""No previews: they open links."""


def _mention(name: str) -> str:
    return (
        f"<!{name}>" if name.islower() else f"<!subteam^{name}>" if name[0] == "S" else f"<@{name}>"
    )


def _metadata(told: Notification) -> dict[str, Any]:
    return {
        "event_type": "driftline_incident",
        "event_payload": {"incident_id": told.incident, "rev": told.revision},
    }


def _told(message: Mapping[str, Any]) -> object:
    return message.get("metadata", {}).get("event_payload")


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [SlackBot]
