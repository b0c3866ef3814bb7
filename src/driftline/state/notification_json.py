"""Converts notifications to JSON for the state.

The text is their public JSON, and fields that only driftline reads. Text of earlier versions lacks
some of these fields.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from driftline.state.earlier_bounds import parse_earlier_bound
from driftline.types.notification import IN_ALL, WHY, Notification


def dump_notification(notification: Notification) -> str:
    """Dump a notification to one line of JSON, with the fields for driftline itself."""
    state = notification.model_dump(mode="json")
    if notification.reason is not None:
        state["reason"] = notification.reason.value
    if notification.upstream:
        state["upstream"] = [asdict(upstream) for upstream in notification.upstream]
    state["reason_text"] = notification.reason_text
    state["alert_count"] = notification.alert_count
    state["own_facts"] = sorted(notification.own_facts)
    for alert, document in zip(notification.alerts, state["alerts"], strict=True):
        if alert.bound is not None:
            document["bound"] = asdict(alert.bound)
    return json.dumps(state, ensure_ascii=False, separators=(",", ":"))


def parse_notification(text: str) -> Notification:
    """Load a notification from the text of `dump_notification` or of an earlier version.

    Raises pydantic's ValidationError where the text can't be read.
    """
    notification = Notification.model_validate_json(text)
    if "own_facts" in notification.model_fields_set:
        return notification
    total = notification.facts.get(IN_ALL, "")
    alerts = (
        alert.model_copy(update={"bound": alert.bound or parse_earlier_bound(alert.reason)})
        for alert in notification.alerts
    )
    fields = {
        "alerts": tuple(alerts),
        "reason_text": notification.facts.get(WHY, ""),
        "alert_count": int(total) if total.isdigit() else 0,
        "own_facts": frozenset({WHY, IN_ALL}),
    }
    return notification.model_copy(update=fields)
