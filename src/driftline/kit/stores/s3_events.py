"""Messages about new objects in S3: direct, through SNS, or through EventBridge.

A message is only a hint which object to read: queues lose, repeat and reorder messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

MAX_MESSAGES = 1000
"""Messages received in one pass; the next pass continues."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One event in a bucket."""

    bucket: str
    key: str
    """The object's key, decoded; empty for a test message."""
    is_new: bool
    """True where an object was created; False for deletions, restores and test messages."""


def read_notices(body: str) -> list[Notice]:
    """Return the events of a queue message. Raises ValueError for text of another kind."""
    try:
        return _parse(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("is no notification of S3") from None


def receive_keys(
    receive: Callable[[], Sequence[Mapping[str, str]]],
    bucket: str,
    prefix: str,
    report: Callable[[str], None],
) -> tuple[list[str], dict[str, str]]:
    """Return the new keys that a queue names, each once, and the messages to delete.

    The messages to delete are given as receipts by message id. `receive()` returns some messages
    with `MessageId`, `ReceiptHandle` and `Body`, and none when the queue is empty. Messages about
    other buckets and prefixes stay in the queue; `report` gets the reason for each message that is
    no notification at all.
    """
    keys: dict[str, None] = {}
    receipts: dict[str, str] = {}
    message_ids: set[str] = set()

    def is_ours(notice: Notice) -> bool:
        return notice.bucket == bucket and (not notice.key or notice.key.startswith(prefix))

    while len(message_ids) < MAX_MESSAGES:
        new = [message for message in receive() if message["MessageId"] not in message_ids]
        if not new:
            break
        for message in new:
            message_ids.add(message["MessageId"])
            try:
                notices = read_notices(message["Body"])
            except ValueError as error:
                report(f"message {message['MessageId']} {error}: left in the queue")
                continue
            keys |= dict.fromkeys(
                notice.key for notice in notices if notice.is_new and is_ours(notice)
            )
            if all(map(is_ours, notices)):
                receipts[message["MessageId"]] = message["ReceiptHandle"]
    return list(keys), receipts


def _parse(message: Any) -> list[Notice]:
    if message.get("Type") == "Notification":
        return _parse(json.loads(message["Message"]))
    if message.get("Event") == "s3:TestEvent":
        return [Notice(message["Bucket"], "", False)]
    if "detail-type" in message:
        detail = message["detail"]
        is_new = message["detail-type"] == "Object Created"
        return [Notice(detail["bucket"]["name"], detail["object"]["key"], is_new)]
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
