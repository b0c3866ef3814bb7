"""Teams' workflows, Google Chat's and Discord's webhooks, and Opsgenie's Alert API, as strict as
their documentation.

Each refuses what breaks a documented limit, what it does not know, and any text of data that would
mention or link.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from receivers import Invalid, Receiver, _only, parsed

EVIL = re.compile(r"(?<!\\)[@<]|(?<!\\)\[[^\]]*\]\((?!https?://)")
"""In Markdown: a bare at or angle bracket, or a link that leads elsewhere than to the web."""


def _bad(why: str, status: int = 400) -> Invalid:
    return Invalid(status, json.dumps({"message": why}).encode())


def _text(value: Any, limit: int, where: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= limit:
        raise _bad(f"{where}: 1 to {limit} characters")
    return value


def _address(value: Any) -> None:
    if urlsplit(value).scheme not in ("http", "https"):
        raise _bad(f"{value}: no web address")


def _picture(url: Any, alt: Any) -> None:
    _text(alt, 1024, "alt")
    if urlsplit(url).scheme != "https" or len(url) > 2048:
        raise _bad(f"{url}: no https address")


def _markdown(text: str) -> None:
    if EVIL.search(text):
        raise _bad(f"unescaped: {text}")


class TeamsReceiver(Receiver):
    """A workflow that was asked for by a webhook request: takes one Adaptive Card of at most 28
    KB.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(
            path="/workflows/abc/triggers/manual/paths/invoke?api-version=1&sig=secretsecret",
            **given,
        )

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if len(body) > 28 * 1024:
            raise _bad("the message is too large", 413)
        message = parsed(body, _bad)
        _only(message, {"type", "attachments"}, "message", _bad("unknown property"))
        [attachment] = message["attachments"]
        _only(
            attachment,
            {"contentType", "contentUrl", "content"},
            "attachment",
            _bad("unknown property"),
        )
        if (message["type"], attachment["contentType"]) != (
            "message",
            "application/vnd.microsoft.card.adaptive",
        ):
            raise _bad("not an adaptive card")
        card = attachment["content"]
        names = {"$schema", "type", "version", "msteams", "fallbackText", "body", "actions"}
        _only(card, names, "card", _bad("unknown property of the card"))
        if card["type"] != "AdaptiveCard" or card["version"] not in ("1.2", "1.3", "1.4"):
            raise _bad("version")
        for block in card["body"]:
            if block.get("type") == "Image":
                _only(block, {"type", "url", "altText", "size"}, "image", _bad("image"))
                _picture(block["url"], block["altText"])
                continue
            _only(
                block,
                {"type", "text", "wrap", "weight", "size", "color", "isSubtle", "separator"},
                "block",
                _bad("block"),
            )
            if block["type"] != "TextBlock" or block.get("color", "Default") not in COLOURS:
                raise _bad("block")
            _markdown(_text(block["text"], 28_000, "text"))
        if len(card["actions"]) > 6:
            raise _bad("too many actions")
        for action in card["actions"]:
            _only(action, {"type", "title", "url"}, "action", _bad("action"))
            _address(action["url"])
        self.accepted.append(message)
        return 202, b""


COLOURS = {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}
TAG = re.compile(r'</?(b|i|font|a)>|<br>|<font color="#[0-9a-f]{6}">|<a href="https?://[^"<>]+">')


class GoogleChatReceiver(Receiver):
    """A space's webhook. `threads` holds the cards by thread."""

    def __init__(self, **given: Any) -> None:
        super().__init__(path="/v1/spaces/AAA/messages?key=secretkey&token=secrettoken", **given)
        self.threads: dict[str, list[Any]] = {}

    def serves(self, path: str) -> bool:
        query = parse_qs(urlsplit(path).query)
        return path.startswith(self.path) and query["messageReplyOption"] == [
            "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        ]

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if len(body) > 32_000:
            raise _bad("the message is too large")
        message = parsed(body, _bad)
        _only(
            message, {"cardsV2", "fallbackText", "thread", "text"}, "message", _bad("unknown name")
        )
        if "<" in message["fallbackText"] or len(message["fallbackText"]) > 4096:
            raise _bad("fallbackText mentions")
        [held] = message["cardsV2"]
        _only(held, {"cardId", "card"}, "card", _bad("unknown name"))
        _only(held["card"], {"header", "sections"}, "card", _bad("unknown name"))
        for section in held["card"]["sections"]:
            _only(section, {"header", "widgets", "collapsible"}, "section", _bad("unknown name"))
            if not 1 <= len(section["widgets"]) <= 100:
                raise _bad("1 to 100 widgets")
            for widget in section["widgets"]:
                self._widget(widget)
        key = _text(message["thread"]["threadKey"], 4000, "threadKey")
        self.threads.setdefault(key, []).append(message)
        self.accepted.append(message)
        return 200, json.dumps({"name": f"spaces/AAA/messages/{len(self.accepted)}"}).encode()

    def _widget(self, widget: Any) -> None:
        [(kind, given)] = widget.items()
        if kind == "textParagraph":
            rest = TAG.sub("", _text(given["text"], 32_000, "text"))
            if "<" in rest or ">" in rest or re.search(r"&(?!(amp|lt|gt|quot|#x27);)", rest):
                raise _bad(f"unescaped: {rest}")
        elif kind == "image":
            _only(given, {"imageUrl", "altText", "onClick"}, "image", _bad("image"))
            _picture(given["imageUrl"], given["altText"])
        elif kind == "buttonList":
            for button in given["buttons"]:
                _only(button, {"text", "onClick"}, "button", _bad("button"))
                _address(button["onClick"]["openLink"]["url"])
        else:
            raise _bad(f"unknown widget {kind}")


class DiscordReceiver(Receiver):
    """A channel's webhook. `accepted` holds the channel's messages, as they look now."""

    def __init__(self, **given: Any) -> None:
        super().__init__(path="/api/webhooks/123/secrettoken", **given)

    def serves(self, path: str) -> bool:
        return path.startswith(self.path)

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(headers[":path"])
        message, files = self._parts(headers, body)
        _only(
            message,
            {"content", "embeds", "attachments", "allowed_mentions"},
            "message",
            _bad("unknown property"),
        )
        self._attached(message, files)
        if message.get("allowed_mentions") != {"parse": []}:
            raise _bad("mentions are allowed")
        _markdown(_text(message["content"], 2000, "content"))
        embeds = message.get("embeds", [])
        if len(embeds) > 10 or sum(map(self._embed, embeds)) > 6000:
            raise Invalid(400, b'{"code": 50035, "message": "Invalid Form Body"}')
        if headers[":method"] == "PATCH":
            id = parts.path.rpartition("/messages/")[2]
            kept = next((one for one in self.accepted if one["id"] == id), None)
            if kept is None:
                raise Invalid(404, b'{"message": "Unknown Message", "code": 10008}')
            kept.update(message)
            return 200, json.dumps(kept).encode()
        if parse_qs(parts.query).get("wait") != ["true"]:
            return 204, b""
        self.accepted.append({"id": f"11{len(self.accepted):016}", **message})
        return 200, json.dumps(self.accepted[-1]).encode()

    def _parts(
        self, headers: Mapping[str, str], body: bytes
    ) -> tuple[Any, dict[str, tuple[str, bytes]]]:
        """The message, and the files beside it by their place in the form."""
        kind = headers.get("content-type", "")
        if not kind.startswith("multipart/form-data"):
            return parsed(body, _bad), {}
        form = message_from_bytes(
            b"content-type: " + kind.encode() + b"\r\n\r\n" + body, policy=HTTP
        )
        if form.defects or not form.is_multipart():
            raise _bad("the form can't be read")
        parts = {
            part.get_param("name", header="content-disposition"): part for part in form.iter_parts()
        }
        message = parsed(parts.pop("payload_json").get_payload(decode=True), _bad)
        return message, {
            name: (part.get_filename(), part.get_payload(decode=True))
            for name, part in parts.items()
        }

    def _attached(self, message: Any, files: Mapping[str, tuple[str, bytes]]) -> None:
        """Every file is described, is a picture, and is what an embed shows."""
        told = message.get("attachments", [])
        names = [one["filename"] for one in told]
        for one in told:
            _only(one, {"id", "filename", "description"}, "attachment", _bad("unknown property"))
            _text(one["description"], 1024, "description")
        if (
            files.keys() != {f"files[{one['id']}]" for one in told}
            or [name for name, _ in files.values()] != names
        ):
            raise _bad("attachments and files differ")
        if any(not data.startswith(b"\x89PNG") for _, data in files.values()):
            raise _bad("no picture")
        shown = [embed["image"]["url"] for embed in message.get("embeds", []) if "image" in embed]
        if shown != [f"attachment://{name}" for name in names]:
            raise _bad("an embed shows what is not there")

    def _embed(self, embed: Any) -> int:
        names = {"title", "description", "url", "color", "fields", "footer", "timestamp", "image"}
        _only(embed, names, "embed", _bad("unknown property"))
        if not isinstance(embed.get("color"), int) or len(embed.get("fields", [])) > 25:
            raise _bad("embed")
        texts = [_text(embed["description"], 4096, "description")]
        texts += [_text(embed["title"], 256, "title")] if "title" in embed else []
        for field in embed.get("fields", []):
            texts += [
                _text(field["name"], 256, "field name"),
                _text(field["value"], 1024, "field value"),
            ]
        for text in texts:
            _markdown(text)
        return sum(map(len, texts)) + len(_text(embed["footer"]["text"], 2048, "footer"))


class OpsgenieReceiver(Receiver):
    """The Alert API. `accepted` holds the alerts: one with an open alias is counted, not opened
    again.
    """

    key = "11111111-2222-3333-4444-555555555555"

    def __init__(self, **given: Any) -> None:
        super().__init__(path="", **given)

    def serves(self, path: str) -> bool:
        return path.startswith("/v2/alerts")

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if headers.get("authorization") != f"GenieKey {self.key}":
            raise Invalid(401, b'{"message":"API key is not valid"}')
        given, parts = parsed(body, _bad), urlsplit(headers[":path"])
        taken = 202, b'{"result":"Request will be processed","took":0.1,"requestId":"43a29c5c"}'
        place = parts.path.removeprefix("/v2/alerts").strip("/")
        if not place:
            self._create(given)
            return taken
        if parse_qs(parts.query).get("identifierType") != ["alias"]:
            raise _bad("no such id", 404)
        alias, act = map(unquote, place.split("/"))
        alert = next(
            (one for one in self.accepted if one["alias"] == alias and one["status"] != "closed"),
            None,
        )
        if headers[":method"] == "PUT":
            limits = {"message": 130, "description": 15_000, "priority": 2}
            _only(given, {act}, "change", _bad("unknown property"))
            _text(given[act], limits[act], act)
            (alert or {}).update(given)
        else:
            _only(given, {"user", "source", "note"}, act, _bad("unknown property"))
            _text(given.get("note", "-"), 25_000, "note")
            (alert or {}).update(status={"close": "closed", "acknowledge": "acknowledged"}[act])
        return taken

    def _create(self, given: Any) -> None:
        names = {
            "message",
            "alias",
            "description",
            "responders",
            "tags",
            "details",
            "entity",
            "source",
            "priority",
            "note",
        }
        _only(given, names, "alert", _bad("unknown property"))
        _text(given["message"], 130, "message")
        _text(given["alias"], 512, "alias")
        _text(given["description"], 15_000, "description")
        _text(given["entity"], 512, "entity")
        _text(given["source"], 100, "source")
        if given["priority"] not in ("P1", "P2", "P3", "P4", "P5"):
            raise _bad("priority")
        if len(given["tags"]) > 20 or any(len(tag) > 50 for tag in given["tags"]):
            raise _bad("tags")
        details = given["details"]
        if (
            any(not isinstance(text, str) for text in details.values())
            or sum(map(len, [*details, *details.values()])) > 8000
        ):
            raise _bad("details")
        open_ = next(
            (
                one
                for one in self.accepted
                if one["alias"] == given["alias"] and one["status"] != "closed"
            ),
            None,
        )
        if open_ is None:
            self.accepted.append({**given, "status": "open", "count": 1})
        else:
            open_["count"] += 1
