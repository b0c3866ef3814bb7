"""Links that act: signed for one incident and one act, and good for a week.

Refuses to act by themselves: a link opens a page that asks, since chat programs and mail scanners open links on their own.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

from driftline.alerting.digest import CAUSE
from driftline.notification import Event, Notification

GOOD_FOR = timedelta(days=7)
ACTS = {"acknowledge": "ack", "snooze": "snooze", "accept as normal": "accept"}
"""The label of a link and the word in its address."""


def act_links(notification: Notification, base_url: str, secret: str, now: datetime) -> dict[str, str]:
    """What can be done to the incident of a message: label and address; nothing once it is over, and nothing for a test."""
    if notification.event in (Event.RESOLVED, Event.TEST) or notification.cause == CAUSE:
        return {}
    base, name = base_url.rstrip("/"), quote(notification.incident, safe="")
    until = int((now + GOOD_FOR).timestamp())
    drifts = any(alert.cause == "drift" and alert.state == "firing" for alert in notification.alerts)
    acts = {label: act for label, act in ACTS.items() if act != "accept" or drifts}
    return {
        label: f"{base}/i/{name}/{act}?exp={until}&sig={signature(secret, notification.incident, act, until)}"
        for label, act in acts.items()
    }


def signature(secret: str, incident: str, act: str, until: int) -> str:
    """Binds a link to incident, act and time: 43 characters for an address."""
    key = hmac.digest(secret.encode(), b"driftline act link", sha256)
    text = f"{act}\n{incident}\n{until}".encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(hmac.digest(key, text, sha256)).decode().rstrip("=")


def good(secret: str, incident: str, act: str, until: str, given: str, now: datetime) -> bool:
    """Whether a link was made by this agent for this incident and act, and is not too old."""
    if not until.isascii() or not until.isdigit() or len(until) > 12 or not given.isascii():
        return False
    right = hmac.compare_digest(signature(secret, incident, act, int(until)), given)
    return right and now < datetime.fromtimestamp(int(until), UTC)
