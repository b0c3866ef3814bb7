"""Converts notifications to JSON for the state.

The text is their public JSON, and fields that only driftline reads.
`Notification.model_validate_json` reads both forms.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from driftline.types.notification import Notification


def dump_notification(notification: Notification) -> str:
    """Dump a notification to one line of JSON, with its reason, upstream changes and bounds."""
    state = notification.model_dump(mode="json")
    if notification.reason is not None:
        state["reason"] = notification.reason.value
    if notification.upstream:
        state["upstream"] = [asdict(upstream) for upstream in notification.upstream]
    for alert, document in zip(notification.alerts, state["alerts"], strict=True):
        if alert.bound is not None:
            document["bound"] = asdict(alert.bound)
    return json.dumps(state, ensure_ascii=False, separators=(",", ":"))
