"""Answers 304 where a reader already has what a page or the API would say."""

from __future__ import annotations

from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TAGGED_TYPES = ("text/html", "application/json")
"""The types of content that get a tag."""


class EntityTags:
    """Adds an `ETag` to pages and JSON, and answers 304 to a request that has this tag."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        known = Headers(scope=scope).get("if-none-match", "")

        async def send_tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                if message["status"] == 200 and kind.startswith(TAGGED_TYPES):
                    start = message
                    return
            elif start is not None:
                first, start = start, None
                if not message.get("more_body", False):
                    tag = f'"{sha256(message["body"]).hexdigest()[:32]}"'
                    MutableHeaders(scope=first)["ETag"] = tag
                    if tag in known:
                        first["status"], message = 304, {**message, "body": b""}
                        del MutableHeaders(scope=first)["content-length"]
                await send(first)
            await send(message)

        await self.app(scope, receive, send_tagged)
