"""Slack: a message as blocks, and what the words of its Web API mean.

Refuses to know of incidents: which message goes where is the sinks' business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from driftline.contracts.context import Http
from driftline.types.errors import OutcomeUnknown, Rejected, Retryable, Throttled
from driftline.types.message import Message

THROTTLED = frozenset({"ratelimited", "rate_limited"})
LATER = frozenset({"request_timeout", "team_added_to_org", "update_failed"})
"""Nothing happened, and it may work another time."""
UNKNOWN = frozenset({"internal_error", "fatal_error", "service_unavailable"})
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""The message can't be changed any more: a new one takes its place."""
BROKEN = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "msg_blocks_too_long",
        "block_mismatch",
    }
)
"""Slack does not like the blocks: plain text goes through."""
INVALID = ("token_revoked", "token_expired", "invalid_auth", "account_inactive")
MENDED = {
    "is_archived": "the channel is archived: name another one",
    "is_inactive": "the channel is archived: name another one",
    "channel_not_found": "there is no such channel, or the bot may not see it",
    "not_in_channel": "invite the bot to the channel, or give it the right chat:write.public",
} | dict.fromkeys(INVALID, "the token is no longer valid: make a new one")
PAGE, PAGES = 4, 25
"""Messages asked for at once, so that an answer stays within 64 KiB, and how many times at most."""


def blocks(message: Message, header: str, chart_url: str | None = None) -> list[dict[str, Any]]:
    """The message as blocks, all within Slack's limits; `header` is its title as plain text of at
    most 150 characters.
    """
    parts = (message.lead, message.list_findings(2900, bullet="• "), message.known, message.todo)
    made: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": header}}
    ]
    made += [
        {"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts if part
    ]
    if chart_url is not None:
        made.append({"type": "image", "image_url": chart_url, "alt_text": f"chart: {header}"})
    if message.buttons:
        buttons = [
            {
                "type": "button",
                "action_id": f"link-{place}",
                "text": {"type": "plain_text", "text": name},
                "url": url,
            }
            for place, (name, url) in enumerate(message.buttons[:5])
        ]
        made.append({"type": "actions", "elements": buttons})
    return [*made, {"type": "context", "elements": [{"type": "mrkdwn", "text": message.context}]}]


def payload(message: Message, header: str, chart_url: str | None = None) -> dict[str, Any]:
    """`text` for lock screens and screen readers, and the blocks inside one attachment, for the
    coloured bar.
    """
    attachment = {
        "color": message.colour,
        "fallback": message.title,
        "blocks": blocks(message, header, chart_url),
    }
    return {"text": message.title, "attachments": [attachment]}


class SlackError(Rejected):
    """Slack's own word for what is wrong."""

    def __init__(self, word: str, said: str) -> None:
        super().__init__(said)
        self.word = word


@dataclass(frozen=True, slots=True)
class SlackApi:
    """The Web API, with a bot's token."""

    http: Http
    token: str
    url: str = "https://slack.com/api"

    def messages(self, method: str, **given: object) -> Iterator[dict[str, Any]]:
        """The messages of a channel or thread, a few at a time."""
        cursor = ""
        for _ in range(PAGES):
            said = self.call(
                method,
                **given,
                limit=PAGE,
                include_all_metadata=True,
                **({"cursor": cursor} if cursor else {}),
            )
            yield from said.get("messages", [])
            cursor = said.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return

    def call(self, method: str, **given: object) -> dict[str, Any]:
        """One call.

        Slack answers 200 to errors, too: its word decides. Raises SlackError and the other failures
        of a sink.
        """
        form = {
            name: value if isinstance(value, str) else json.dumps(value, allow_nan=False)
            for name, value in given.items()
        }
        headers = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        }
        answer = self.http.post(
            f"{self.url}/{method}",
            content=urlencode(form, errors="replace").encode(),
            headers=headers,
        )
        try:
            said = json.loads(answer.text)
            word = "" if said["ok"] is True else str(said.get("error", "no reason given"))
        except (ValueError, KeyError, TypeError):
            raise OutcomeUnknown(f"{method}: Slack's answer can't be read") from None
        if not word:
            return dict(said)
        told = f"{method}: Slack says {word}" + (f" ({MENDED[word]})" if word in MENDED else "")
        if word in THROTTLED:
            raise Throttled(told)
        if word in UNKNOWN:
            raise OutcomeUnknown(told)
        if word in LATER:
            raise Retryable(told)
        needed = (
            f"; the bot needs {said['needed']}"
            if word == "missing_scope" and said.get("needed")
            else ""
        )
        raise SlackError(word, told + needed)
