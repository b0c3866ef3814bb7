"""Messages that tell of new objects in S3: as the store sends them, through SNS, or through EventBridge.

Refuses to be the truth: a notice is a hint which object to look at, and queues lose, repeat and mix up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened in a bucket."""

    bucket: str
    key: str
    """As it is in the store; empty for a test message."""
    created: bool
    """False for deletions, restores, test messages and all else that brings no new object."""


def read_notices(body: str) -> list[Notice]:
    """What the text of a queue's message tells. Raises ValueError for a text that is no notification of S3."""
    try:
        return _told(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("is no notification of S3") from None


def _told(message: Any) -> list[Notice]:
    if message.get("Type") == "Notification":
        return _told(json.loads(message["Message"]))
    if message.get("Event") == "s3:TestEvent":
        return [Notice(message["Bucket"], "", False)]
    if "detail-type" in message:
        detail = message["detail"]
        return [Notice(detail["bucket"]["name"], detail["object"]["key"], message["detail-type"] == "Object Created")]
    return [
        Notice(
            record["s3"]["bucket"]["name"],
            unquote_plus(record["s3"]["object"]["key"]),
            record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"),
        )
        for record in message["Records"]
    ]
