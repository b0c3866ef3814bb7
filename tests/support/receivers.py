"""Local receivers that are as strict as the real ones: each checks every payload against its
documented limits.

Slack's incoming webhook, PagerDuty Events v2 and Standard Webhooks. Faults are handed in as a list,
one for each request. Refuses to sleep longer than a test hands in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from serving import Served


@dataclass(frozen=True)
class Fault:
    """What happens to one request instead of, or after, its acceptance."""

    status: int = 0
    """This status is answered, and nothing is accepted."""
    retry_after: str = ""
    body: bytes = b""
    location: str = ""
    drop: str = ""
    """`before`: the connection is reset unread; `after`: it is accepted, then reset."""
    hold: threading.Event | None = None
    """The answer waits for this."""
    header: tuple[str, str] = ("", "")
    """One more header of the answer."""
    taken: bool = False
    """With a status: the request is accepted all the same."""
    raw: Sequence[bytes] | None = None
    """These bytes are the answer, one after the other, then the connection is closed."""
    beside: bytes | None = None
    """These bytes follow on the wire, beside TLS, then the connection is closed without TLS's
    farewell.
    """


@dataclass
class Seen:
    """One request, whatever became of it."""

    headers: Mapping[str, str]
    body: bytes
    status: int


class Invalid(Exception):
    """What the real service would refuse, with its words."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body.decode("utf-8", "replace"))
        self.status = status
        self.body = body


@dataclass
class Receiver(Served):
    """A server on loopback; `accepted` holds each message once where the service recognises
    repeats.
    """

    faults: list[Fault] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    accepted: list[Any] = field(default_factory=list)
    path: str = "/"
    also: str = ""
    """Another path that is served; `accept` finds the one asked for under `:path`."""

    def __enter__(self) -> Self:
        self.drip = threading.Event()
        return super().__enter__()

    @property
    def url(self) -> str:
        return f"{super().url}{self.path}"

    def serves(self, path: str) -> bool:
        """Whether there is something at `path`."""
        return path in (self.path, self.also)

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Checks and records one message; raises Invalid."""
        raise NotImplementedError

    def take(
        self, handler: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """What the service makes of one request."""
        try:
            if not self.serves(handler.path):
                raise Invalid(404, b"no_service")
            headers |= {":path": handler.path, ":method": handler.command}
            return self.accept(headers, body)
        except Invalid as refused:
            return refused.status, refused.body

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            fault = self.faults.pop(0) if self.faults else Fault()
        if fault.drop == "before":
            return _reset(handler)
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            unheard = fault.status and not fault.taken
            status, said = (
                (fault.status, fault.body) if unheard else self.take(handler, headers, body)
            )
            self.requests.append(Seen(headers, body, status))
        status = fault.status or status
        if fault.hold is not None:
            fault.hold.wait(90)
        if fault.drop == "after":
            return _reset(handler)
        if fault.raw is not None or fault.beside is not None:
            with suppress(OSError):
                for part in fault.raw or ():
                    handler.wfile.write(part)
                    handler.wfile.flush()
                    self.drip.wait(0.02)
                with socket.socket(fileno=os.dup(handler.connection.fileno())) as wire:
                    wire.sendall(fault.beside or b"")
            handler.close_connection = True
            return None
        said = fault.body or said
        try:
            handler.send_response(status)
            for name, value in (
                ("retry-after", fault.retry_after),
                ("location", fault.location),
                fault.header,
            ):
                if value:
                    handler.send_header(name, value)
            handler.send_header("content-type", "application/json; charset=utf-8")
            handler.send_header("content-length", str(len(said)))
            handler.end_headers()
            handler.wfile.write(said)
        except OSError:
            handler.close_connection = True
        return None


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.rfile.close()
    handler.close_connection = True


def parsed(body: bytes, refuse: Callable[[str], Exception]) -> Any:
    """Strict JSON: no NaN, no repeated names, valid UTF-8."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise refuse("a name twice")
        return dict(pairs)

    def constant(word: str) -> None:
        raise refuse(f"{word} is no JSON")

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=once, parse_constant=constant)
    except ValueError as error:
        raise refuse(f"JSON parse error: {error}") from None


MENTION = re.compile(r"<(!|@|#)(?!date\^)")
ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
UNREACHABLE = "//intern.example/"
"""Addresses of images that services can't reach."""
CONTROL = re.compile(r"<(!date\^[0-9]+\^[^|<>]+\|[^<>]+|https?://[^|<>\s]+(\|[^<>|]+)?)>")


class SlackReceiver(Receiver):
    """An incoming webhook of Slack."""

    def __init__(self, **given: Any) -> None:
        super().__init__(path="/services/T000/B000/XXXXsecretXXXX", **given)

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if not headers.get("content-type", "").startswith("application/json"):
            raise Invalid(400, b"invalid_payload")
        message = parsed(body, lambda why: Invalid(400, b"invalid_payload"))
        _only(
            message,
            {"text", "blocks", "attachments", "unfurl_links", "unfurl_media"},
            "message",
            Invalid(400, b"invalid_payload"),
        )
        if not any(message.get(part) for part in ("text", "blocks", "attachments")):
            raise Invalid(400, b"no_text")
        _mrkdwn(message.get("text", "-"), 4000)
        total = len(message.get("text", ""))
        attachments = message.get("attachments", [])
        if len(attachments) > 100:
            raise Invalid(400, b"too_many_attachments")
        for attachment in attachments:
            _only(
                attachment,
                {"color", "fallback", "blocks"},
                "attachment",
                _blocks("unknown property"),
            )
            if not re.fullmatch(
                r"good|warning|danger|#[0-9a-f]{6}", attachment.get("color", "good")
            ):
                raise Invalid(400, b"invalid_attachments")
            total += _check_blocks(attachment.get("blocks", []))
        total += _check_blocks(message.get("blocks", []))
        if total > 13_000:
            raise _blocks("msg_blocks_too_long")
        self.accepted.append(message)
        return 200, b"ok"


def _blocks(why: str) -> Invalid:
    return Invalid(400, b"invalid_blocks: " + why.encode())


def _only(value: Any, names: set[str], where: str, refuse: Exception) -> None:
    if not isinstance(value, dict) or set(value) - names:
        raise refuse


def _check_blocks(blocks: Any) -> int:
    if not isinstance(blocks, list) or len(blocks) > 50:
        raise _blocks("no more than 50 items allowed")
    total = 0
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "header":
            _only(block, {"type", "text"}, kind, _blocks("invalid additional property"))
            total += _text_object(block.get("text"), 150, {"plain_text"})
        elif kind == "section":
            _only(block, {"type", "text", "fields"}, kind, _blocks("invalid additional property"))
            if "text" not in block and "fields" not in block:
                raise _blocks("missing required field: text")
            total += _text_object(block["text"], 3000) if "text" in block else 0
            fields = block.get("fields", [None])
            if "fields" in block and not 1 <= len(fields) <= 10:
                raise _blocks("1 to 10 fields")
            total += sum(_text_object(one, 2000) for one in fields if one is not None)
        elif kind == "context":
            _only(block, {"type", "elements"}, kind, _blocks("invalid additional property"))
            if not 1 <= len(block.get("elements", [])) <= 10:
                raise _blocks("1 to 10 elements")
            total += sum(_text_object(one, 3000) for one in block["elements"])
        elif kind == "actions":
            _only(block, {"type", "elements"}, kind, _blocks("invalid additional property"))
            if not 1 <= len(block.get("elements", [])) <= 25:
                raise _blocks("1 to 25 elements")
            total += sum(_button(one) for one in block["elements"])
            if len({one["action_id"] for one in block["elements"]}) != len(block["elements"]):
                raise _blocks("action_id is not unique")
        elif kind == "image":
            total += _image(block)
        elif kind != "divider":
            raise _blocks(f"unsupported type: {kind}")
    return total


def _image(value: Any) -> int:
    """An image that Slack fetches."""
    _only(
        value,
        {"type", "image_url", "alt_text", "title"},
        "image",
        _blocks("invalid additional property"),
    )
    if not value.get("image_url", "").startswith("https://") or len(value["image_url"]) > 3000:
        raise _blocks("invalid image_url")
    if UNREACHABLE in value["image_url"]:
        raise _blocks("downloading image failed")
    if not 1 <= len(value.get("alt_text", "")) <= 2000:
        raise _blocks("missing required field: alt_text")
    return len(value["alt_text"])


def _button(value: Any) -> int:
    """A button that opens a page: one without an address would need a server of its own."""
    _only(
        value,
        {"type", "action_id", "text", "url", "style"},
        "button",
        _blocks("invalid additional property"),
    )
    url = value.get("url", "")
    if (
        value.get("type") != "button"
        or not url.startswith(("https://", "http://"))
        or len(url) > 3000
    ):
        raise _blocks("invalid url")
    if not 1 <= len(value.get("action_id", "")) <= 255:
        raise _blocks("invalid action_id")
    return _text_object(value.get("text"), 75, {"plain_text"})


def _text_object(
    value: Any, limit: int, kinds: frozenset[str] | set[str] = frozenset({"plain_text", "mrkdwn"})
) -> int:
    _only(
        value, {"type", "text", "emoji", "verbatim"}, "text", _blocks("invalid additional property")
    )
    if value.get("type") not in kinds or not isinstance(value.get("text"), str):
        raise _blocks("failed to match all allowed schemas")
    if value["type"] == "mrkdwn":
        _mrkdwn(value["text"], limit)
    if not 1 <= len(value["text"]) <= limit:
        raise _blocks(f"must be less than {limit + 1} characters")
    return len(value["text"])


def _mrkdwn(text: str, limit: int) -> None:
    """The real service would take a mention and ping: here it is refused, for no sink of ours may
    send one.
    """
    rest = CONTROL.sub("", text)
    if MENTION.search(text) or "<" in rest or ">" in rest or ENTITY.search(text):
        raise _blocks("unescaped text")
    if len(text) > limit:
        raise _blocks(f"must be less than {limit + 1} characters")


@dataclass
class PagerDutyAlert:
    """One alert as PagerDuty shows it."""

    key: str
    summary: str
    severity: str
    status: str = "triggered"
    triggers: int = 1


class PagerDutyReceiver(Receiver):
    """Events v2. `accepted` holds the alerts: a trigger on an open key is merged, a resolve
    closes.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(path="/v2/enqueue", also="/v2/change/enqueue", **given)
        self.changes: list[Any] = []

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if len(body) > 512_000:
            raise _event("the event is too large")
        event = parsed(body, lambda why: Invalid(400, b'{"status":"Unrecognized object"}'))
        if headers[":path"] == self.also:
            return self._change(event)
        names = {
            "routing_key",
            "event_action",
            "dedup_key",
            "payload",
            "client",
            "client_url",
            "links",
            "images",
        }
        _only(event, names, "event", _event("unknown property"))
        if not isinstance(event.get("routing_key"), str) or len(event["routing_key"]) != 32:
            raise _event("Length of 'routing_key' is incorrect (should be 32 characters)")
        action, key = event.get("event_action"), event.get("dedup_key")
        if action not in ("trigger", "acknowledge", "resolve"):
            raise _event("'event_action' is invalid")
        if not isinstance(key, str) or not 1 <= len(key) <= 255:
            raise _event("'dedup_key' is missing or too long")
        opened = next(
            (alert for alert in self.accepted if alert.key == key and alert.status != "resolved"),
            None,
        )
        if action == "trigger":
            summary, severity = self._payload(event.get("payload"))
            self._pointers(event)
            if opened is None:
                self.accepted.append(PagerDutyAlert(key, summary, severity))
            else:
                opened.triggers += 1
        elif opened is not None:
            opened.status = "resolved" if action == "resolve" else "acknowledged"
        return 202, json.dumps(
            {"status": "success", "message": "Event processed", "dedup_key": key}
        ).encode()

    def _change(self, event: Any) -> tuple[int, bytes]:
        """Opens nothing and pages nobody."""
        _only(
            event,
            {"routing_key", "payload", "links", "images"},
            "event",
            _event("unknown property"),
        )
        _only(
            event["payload"],
            {"summary", "timestamp", "source", "custom_details"},
            "payload",
            _event("'payload' is invalid"),
        )
        if not 1 <= len(event["payload"].get("summary", "")) <= 1024:
            raise _event("'payload.summary' is invalid")
        self._pointers(event)
        self.changes.append(event)
        return 202, b'{"status":"success","message":"Change event processed"}'

    def _pointers(self, event: Any) -> None:
        for link in event.get("links", []):
            _only(link, {"href", "text"}, "link", _event("'links' is invalid"))
        for image in event.get("images", []):
            _only(image, {"src", "href", "alt"}, "image", _event("'images' is invalid"))
            if not image.get("src", "").startswith("https://"):
                raise _event("'images.src' is not https")
        if "client_url" in event and not event.get("client"):
            raise _event("'client' is missing")

    def _payload(self, payload: Any) -> tuple[str, str]:
        names = {
            "summary",
            "source",
            "severity",
            "timestamp",
            "component",
            "group",
            "class",
            "custom_details",
        }
        _only(payload, names, "payload", _event("'payload' is invalid"))
        if not isinstance(payload.get("summary"), str) or not 1 <= len(payload["summary"]) <= 1024:
            raise _event("'payload.summary' is invalid")
        if not str(payload.get("source", "")).strip():
            raise _event("'payload.source' is blank")
        if payload.get("severity") not in ("critical", "error", "warning", "info"):
            raise _event("'payload.severity' is invalid")
        if not isinstance(payload.get("custom_details", {}), dict):
            raise _event("'payload.custom_details' is invalid")
        if any(
            not isinstance(payload.get(name, ""), str)
            for name in ("component", "group", "class", "timestamp")
        ):
            raise _event("'payload' is invalid")
        return payload["summary"], payload["severity"]


def _event(why: str) -> Invalid:
    text = {"status": "invalid event", "message": "Event object is invalid", "errors": [why]}
    return Invalid(400, json.dumps(text).encode())


class WebhookReceiver(Receiver):
    """Standard Webhooks, symmetric v1. `accepted` holds each id once."""

    def __init__(
        self, secret: str, now: Callable[[], float], shaped: bool = True, **given: Any
    ) -> None:
        super().__init__(path="/hooks/token-in-path", **given)
        self.secret = secret
        self.now = now
        self.ids: dict[str, bytes] = {}
        self.shaped = shaped

    def accept(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        id, timestamp, signatures = (
            headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not id or "." in id or not timestamp.isdigit():
            raise Invalid(400, b"headers are missing")
        if abs(self.now() - int(timestamp)) > 300:
            raise Invalid(401, b"the timestamp is too far off")
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(digest).decode()
        if not any(hmac.compare_digest(wanted, one) for one in signatures.split(" ")):
            raise Invalid(401, b"the signature does not match")
        message = parsed(body, lambda why: Invalid(400, why.encode()))
        if self.shaped:
            _only(
                message, {"type", "timestamp", "data"}, "message", Invalid(400, b"unknown property")
            )
            if not re.fullmatch(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)+", message.get("type", "")):
                raise Invalid(400, b"type")
        if id not in self.ids:
            self.ids[id] = body
            self.accepted.append(message)
        elif self.ids[id] != body:
            raise Invalid(409, b"one id with two bodies")
        return 200, b""
