"""Messages that tell of new objects in S3: as the store sends them, through SNS, or through
EventBridge.

Refuses to be the truth: a notice is a hint which object to look at, and queues lose, repeat and mix
up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

MESSAGES = 1000
"""Messages taken in one pass; the next one goes on."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened in a bucket."""

    bucket: str
    key: str
    """As it is in the store; empty for a test message."""
    created: bool
    """False for deletions, restores, test messages and all else that brings no new object."""


def read_notices(body: str) -> list[Notice]:
    """What the text of a queue's message tells. Raises ValueError for a text that is no
    notification of S3.
    """
    try:
        return _told(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("is no notification of S3") from None


def drain(
    receive: Callable[[], Sequence[Mapping[str, str]]],
    bucket: str,
    prefix: str,
    leave: Callable[[str], None],
) -> tuple[list[str], dict[str, str]]:
    """The new keys that a queue names, each once, and of the messages to be deleted: ids and
    receipts.

    `receive()` gives some messages: `MessageId`, `ReceiptHandle`, `Body`. Those of other buckets
    and prefixes are left to others; `leave` is told of those that are no notifications at all.
    """
    keys: dict[str, None] = {}
    receipts: dict[str, str] = {}
    seen: set[str] = set()

    def ours(notice: Notice) -> bool:
        return notice.bucket == bucket and (not notice.key or notice.key.startswith(prefix))

    while len(seen) < MESSAGES:
        new = [message for message in receive() if message["MessageId"] not in seen]
        if not new:
            break
        for message in new:
            seen.add(message["MessageId"])
            try:
                told = read_notices(message["Body"])
            except ValueError as error:
                leave(f"message {message['MessageId']} {error}: left in the queue")
                continue
            keys |= dict.fromkeys(notice.key for notice in told if notice.created and ours(notice))
            if all(map(ours, told)):
                receipts[message["MessageId"]] = message["ReceiptHandle"]
    return list(keys), receipts


def _told(message: Any) -> list[Notice]:
    if message.get("Type") == "Notification":
        return _told(json.loads(message["Message"]))
    if message.get("Event") == "s3:TestEvent":
        return [Notice(message["Bucket"], "", False)]
    if "detail-type" in message:
        detail = message["detail"]
        return [
            Notice(
                detail["bucket"]["name"],
                detail["object"]["key"],
                message["detail-type"] == "Object Created",
            )
        ]
    if not isinstance(message["Records"], list):
        raise TypeError
    return [
        Notice(
            record["s3"]["bucket"]["name"],
            unquote_plus(record["s3"]["object"]["key"]),
            record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"),
        )
        for record in message["Records"]
    ]
