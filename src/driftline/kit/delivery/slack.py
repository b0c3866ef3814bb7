"""Writes a message as Slack blocks, calls Slack's Web API and translates its error codes.

Does not know incidents: the sinks decide which message goes where.
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
"""Codes of a call that had no effect and may succeed later."""
UNKNOWN = frozenset({"internal_error", "fatal_error", "service_unavailable"})
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Codes of a message that can't be edited any more: the sink posts a new one."""
BROKEN = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "msg_blocks_too_long",
        "block_mismatch",
    }
)
"""Codes of blocks that Slack does not accept: the sink sends plain text."""
INVALID = ("token_revoked", "token_expired", "invalid_auth", "account_inactive")
HINTS = {
    "is_archived": "the channel is archived: name another one",
    "is_inactive": "the channel is archived: name another one",
    "channel_not_found": "there is no such channel, or the bot may not see it",
    "not_in_channel": "invite the bot to the channel, or give it the right chat:write.public",
} | dict.fromkeys(INVALID, "the token is no longer valid: make a new one")
PAGE, PAGES = 4, 25
"""Messages in one answer, so that it has at most 64 KiB, and the most answers."""


def message_blocks(
    message: Message, header: str, chart_url: str | None = None
) -> list[dict[str, Any]]:
    """Return the message as blocks within all limits of Slack.

    `header` is the title as plain text of at most 150 characters.
    """
    parts = (message.lead, message.todo, message.known, message.list_findings(2900, bullet="• "))
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": header}}
    ]
    blocks += [
        {"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts if part
    ]
    if chart_url is not None:
        blocks.append({"type": "image", "image_url": chart_url, "alt_text": f"chart: {header}"})
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
        blocks.append({"type": "actions", "elements": buttons})
    return [*blocks, {"type": "context", "elements": [{"type": "mrkdwn", "text": message.context}]}]


def payload(message: Message, header: str, chart_url: str | None = None) -> dict[str, Any]:
    """Return the body of a message: `text`, and the blocks in an attachment.

    Lock screens and screen readers show `text`; the attachment has the coloured bar.
    """
    attachment = {
        "color": message.colour,
        "fallback": message.title,
        "blocks": message_blocks(message, header, chart_url),
    }
    return {"text": message.title, "attachments": [attachment]}


class SlackError(Rejected):
    """A call that Slack rejects; `word` is Slack's error code."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word


@dataclass(frozen=True, slots=True)
class SlackApi:
    """A client of the Web API with the token of a bot."""

    http: Http
    token: str
    url: str = "https://slack.com/api"

    def messages(self, method: str, **parameters: object) -> Iterator[dict[str, Any]]:
        """Return the messages of a channel or thread, fetched a few at a time."""
        cursor = ""
        for _ in range(PAGES):
            answer = self.call(
                method,
                **parameters,
                limit=PAGE,
                include_all_metadata=True,
                **({"cursor": cursor} if cursor else {}),
            )
            yield from answer.get("messages", [])
            cursor = answer.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method and return its answer.

        Slack answers errors with status 200 too, so its code decides. Raises SlackError and the
        other errors of a sink.
        """
        form = {
            name: value if isinstance(value, str) else json.dumps(value, allow_nan=False)
            for name, value in parameters.items()
        }
        headers = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        }
        response = self.http.post(
            f"{self.url}/{method}",
            content=urlencode(form, errors="replace").encode(),
            headers=headers,
        )
        try:
            answer = json.loads(response.text)
            word = "" if answer["ok"] is True else str(answer.get("error", "no reason given"))
        except (ValueError, KeyError, TypeError):
            raise OutcomeUnknown(f"{method}: Slack's answer can't be read") from None
        if not word:
            return dict(answer)
        text = f"{method}: Slack says {word}" + (f" ({HINTS[word]})" if word in HINTS else "")
        if word in THROTTLED:
            raise Throttled(text)
        if word in UNKNOWN:
            raise OutcomeUnknown(text)
        if word in LATER:
            raise Retryable(text)
        scope = (
            f"; the bot needs {answer['needed']}"
            if word == "missing_scope" and answer.get("needed")
            else ""
        )
        raise SlackError(word, text + scope)
