"""Slack's Web API as far as a bot needs it: channels, messages, threads, metadata and uploads, with
its limits and its errors.

`words` are errors for the next calls of a method; `archived`, `revoked` and `deleted` are states of
the workspace.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from receivers import Invalid, Receiver, _check_blocks, _mrkdwn, _only

MESSAGE = {
    "channel",
    "text",
    "attachments",
    "blocks",
    "metadata",
    "thread_ts",
    "reply_broadcast",
    "unfurl_links",
    "unfurl_media",
    "mrkdwn",
    "ts",
}
JSON = ("attachments", "blocks", "metadata", "files")
TOKEN = "xoxb-000000000000-secretsecret"


class SlackService(Receiver):
    """Answers 200 and `ok: false` to what it refuses, as Slack does. `accepted` holds the channel's
    messages in order.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(path="/api", **given)
        self.words: dict[str, list[str]] = defaultdict(list)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.uploads: dict[str, dict[str, Any]] = {}
        self.channel = "C0123456789"
        self.clock = 1_795_424_400

    def take(self, handler: Any, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return 200, self._answer(handler.path.removeprefix("/api/"), headers, body)

    def _answer(self, method: str, headers: Mapping[str, str], body: bytes) -> bytes:
        if method.startswith("upload/"):
            self.uploads[method.removeprefix("upload/")]["bytes"] = body
            return b"OK - 1"
        try:
            given = self._arguments(headers, body)
            self.calls.append((method, given))
            if self.words[method]:
                raise Invalid(200, self.words[method].pop(0).encode())
            said = getattr(self, "_" + method.replace(".", "_"))(given)
        except Invalid as refused:
            word = refused.body.decode().partition(": ")[0]
            return json.dumps(
                {
                    "ok": False,
                    "error": word,
                    "errors": [refused.body.decode()],
                    "needed": "files:write",
                }
            ).encode()
        return json.dumps({"ok": True, **said}).encode()

    def _arguments(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if headers.get("authorization") != f"Bearer {TOKEN}":
            raise Invalid(200, b"invalid_auth")
        kind = headers.get("content-type", "")
        if kind.startswith("application/json"):
            return dict(json.loads(body))
        if body and not kind.startswith("application/x-www-form-urlencoded"):
            raise Invalid(200, b"invalid_post_type")
        form = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
        return {name: json.loads(value) if name in JSON else value for name, value in form.items()}

    def _auth_test(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"user": "driftline", "team": "Example"}

    def _checked(self, given: dict[str, Any], longest: int) -> dict[str, Any]:
        _only(given, MESSAGE, "message", Invalid(200, b"invalid_arguments"))
        if given.get("channel") not in (self.channel, "ml-alerts"):
            raise Invalid(200, b"channel_not_found")
        text = given.get("text", "")
        if not text and not given.get("blocks") and not given.get("attachments"):
            raise Invalid(200, b"no_text")
        if len(text) > longest:
            raise Invalid(200, b"msg_too_long")
        # Mentions stand only at the beginning, where the sink puts those that the configuration
        # names.
        rest = text
        while rest.startswith(("<!here> ", "<!channel> ", "<@U", "<!subteam^S")):
            rest = rest.partition("> ")[2]
        _mrkdwn(rest, longest)
        total = len(text) + sum(
            _check_blocks(one.get("blocks", [])) for one in given.get("attachments", [])
        )
        if total > 13_000:
            raise Invalid(200, b"msg_blocks_too_long")
        metadata = given.get("metadata", {})
        if metadata and (
            not isinstance(metadata.get("event_type"), str)
            or not isinstance(metadata.get("event_payload"), dict)
        ):
            raise Invalid(200, b"invalid_metadata_format")
        return {**given, "channel": self.channel}

    def _chat_postMessage(self, given: dict[str, Any]) -> dict[str, Any]:
        message = self._checked(given, 40_000)
        parent = given.get("thread_ts")
        if parent and not any(
            one["ts"] == parent and "thread_ts" not in one for one in self.accepted
        ):
            raise Invalid(200, b"cannot_reply_to_message")
        self.clock += 1
        message["ts"] = f"{self.clock}.000100"
        self.accepted.append(message)
        return {"channel": self.channel, "ts": message["ts"], "message": message}

    def _chat_update(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("channel") != self.channel:
            raise Invalid(200, b"channel_not_found")
        message = self._checked(given, 4_000)
        found = next((one for one in self.accepted if one["ts"] == given.get("ts")), None)
        if found is None:
            raise Invalid(200, b"message_not_found")
        found.update(message)
        return {"channel": self.channel, "ts": found["ts"], "text": found.get("text", "")}

    def _conversations_history(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._page(given, [one for one in self.accepted if "thread_ts" not in one])

    def _conversations_replies(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._page(
            given,
            [one for one in self.accepted if given["ts"] in (one["ts"], one.get("thread_ts"))],
        )

    def _page(self, given: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, Any]:
        if given.get("channel") != self.channel:
            raise Invalid(200, b"channel_not_found")
        newest = [
            one for one in reversed(messages) if float(one["ts"]) >= float(given.get("oldest", 0))
        ]
        start, limit = int(given.get("cursor") or 0), int(given.get("limit", 100))
        if given.get("include_all_metadata") not in ("true", "1"):
            newest = [
                {name: value for name, value in one.items() if name != "metadata"} for one in newest
            ]
        after = str(start + limit) if start + limit < len(newest) else ""
        return {
            "messages": newest[start : start + limit],
            "response_metadata": {"next_cursor": after},
        }

    def _files_getUploadURLExternal(self, given: dict[str, Any]) -> dict[str, Any]:
        if int(given.get("length", 0)) <= 0 or not given.get("filename"):
            raise Invalid(200, b"missing_argument")
        if len(given.get("alt_txt", "")) > 1000:
            raise Invalid(200, b"invalid_arguments")
        file = f"F{len(self.uploads):08}"
        self.uploads[file] = {"length": int(given["length"])}
        return {"upload_url": f"{self.url}/upload/{file}", "file_id": file}

    def _files_completeUploadExternal(self, given: dict[str, Any]) -> dict[str, Any]:
        for file in given["files"]:
            upload = self.uploads.get(file["id"], {})
            if len(upload.get("bytes", b"")) != upload.get("length"):
                raise Invalid(200, b"file_not_found")
            upload.update(
                thread=given.get("thread_ts"), channel=given.get("channel_id"), title=file["title"]
            )
        return {"files": given["files"]}
