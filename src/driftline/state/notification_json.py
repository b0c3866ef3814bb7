"""Notifications as the state stores them: their public JSON, and beside it what only driftline reads.

`Notification.model_validate_json` reads both forms.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from driftline.types.notification import Notification


def dump_notification(notification: Notification) -> str:
    """One line of JSON with the structured reason, upstream changes and bounds, where there are."""
    stored = notification.model_dump(mode="json")
    if notification.reason is not None:
        stored["reason"] = notification.reason.value
    if notification.upstream:
        stored["upstream"] = [asdict(upstream) for upstream in notification.upstream]
    for alert, document in zip(notification.alerts, stored["alerts"], strict=True):
        if alert.bound is not None:
            document["bound"] = asdict(alert.bound)
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
