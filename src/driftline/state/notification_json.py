"""Converts notifications to JSON for the state.

The text is their public JSON, and fields that only driftline reads. Text of earlier versions lacks
some of these fields.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from pydantic import ValidationError

from driftline.state.earlier_bounds import parse_earlier_bound
from driftline.types.incident import Reason
from driftline.types.notification import IN_ALL, WHY, Notification

EARLIER_REASONS = {
    "first alert": Reason.FIRST_ALERT,
    "more alerts": Reason.MORE_ALERTS,
    "more severe": Reason.MORE_SEVERE,
    "less severe": Reason.LESS_SEVERE,
    "came back": Reason.CAME_BACK,
    "comes and goes, held until it is calm": Reason.FLAPPING,
    "a check says what to do": Reason.DECIDED,
    "all alerts resolved": Reason.ALL_RESOLVED,
    "calm after it came and went": Reason.CALM,
    "late data showed no change": Reason.LATE_DATA,
    "no longer watched": Reason.RETIRED,
    "accepted as the new normal": Reason.ACCEPTED,
    "acknowledged": Reason.ACKNOWLEDGED,
    "snoozed": Reason.SNOOZED,
    "silenced": Reason.SILENCED,
    "no longer held back": Reason.RELEASED,
    "more pages than may be sent in a day": Reason.DIGEST,
    "all of them resolved": Reason.DIGEST_OVER,
}
"""Reasons as earlier versions stored them: by their sentences of that time."""


def dump_notification(notification: Notification) -> str:
    """Dump a notification to one line of JSON, with the fields for driftline itself."""
    state = notification.model_dump(mode="json")
    if notification.reason is not None:
        state["reason"] = notification.reason.value
    if notification.upstream:
        state["upstream"] = [asdict(upstream) for upstream in notification.upstream]
    if notification.is_acknowledged:
        state["is_acknowledged"] = True
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
    try:
        notification = Notification.model_validate_json(text)
    except ValidationError:
        # An earlier version stored the reason as a sentence.
        notification = Notification.model_validate_json(_rename_earlier_reason(text))
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


def _rename_earlier_reason(text: str) -> str:
    """The text with the value of the reason in place of an earlier version's sentence."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    reason = document.get("reason") if isinstance(document, dict) else None
    if not isinstance(reason, str) or reason not in EARLIER_REASONS:
        return text
    return json.dumps({**document, "reason": EARLIER_REASONS[reason].value})
