"""Signed links: to see an incident, to fetch its chart, to act on it; each for one subject and
purpose, and good for a week.

Refuses to act by themselves: a link opens a page that asks, since chat programs and mail scanners
open links on their own.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

from driftline.alerting.digest import CAUSE
from driftline.types.notification import Event, Notification

GOOD_FOR = timedelta(days=7)
OPEN, CHART = "open", "chart"
ACTS = {"acknowledge": "ack", "snooze": "snooze", "accept as normal": "accept"}
"""The label of a link and the word in its address."""
LONGEST = 900
"""Characters of a chart's address: more have no room in every card."""


def links(notification: Notification, base_url: str, secret: str, now: datetime) -> dict[str, str]:
    """Where to see the incident of a message, then what can be done to it: label and address;
    nothing for a test.
    """
    if notification.event is Event.TEST:
        return {}
    base, until = f"{base_url.rstrip('/')}/i/{quote(notification.incident, safe='')}", expiry(now)
    over = notification.event is Event.RESOLVED
    acts = {} if over else possible(notification)
    seen = {OPEN: f"{base}?{signed(secret, notification.incident, OPEN, until)}"}
    return seen | {
        label: f"{base}/{act}?{signed(secret, notification.incident, act, until)}"
        for label, act in acts.items()
    }


def chart_link(notification: Notification, base_url: str, secret: str, now: datetime) -> str | None:
    """Where the chart of an incident can be fetched; None where services would not fetch it: they
    ask for https.
    """
    name = quote(notification.incident, safe="")
    query = signed(secret, notification.incident, CHART, expiry(now))
    url = f"{base_url.rstrip('/')}/i/{name}/chart.png?{query}"
    return url if url.startswith("https://") and len(url) <= LONGEST else None


def possible(notification: Notification) -> dict[str, str]:
    """What can be done to an open incident, by what was last told of it: label and word."""
    if notification.cause == CAUSE:
        return {}
    drifts = any(
        alert.cause == "drift" and alert.state == "firing" for alert in notification.alerts
    )
    return {label: act for label, act in ACTS.items() if act != "accept" or drifts}


def expiry(now: datetime) -> int:
    """Until when a link made now is good, in seconds since 1970."""
    return int((now + GOOD_FOR).timestamp())


def signed(secret: str, subject: str, act: str, until: int) -> str:
    """The query of an address that is good for one subject and act."""
    return f"exp={until}&sig={signature(secret, subject, act, until)}"


def signature(secret: str, subject: str, act: str, until: int) -> str:
    """Binds a link to subject, act and time: 43 characters for an address. A subject is an incident
    or a run of an action.
    """
    key = hmac.digest(secret.encode(), b"driftline act link", sha256)
    text = f"{act}\n{subject}\n{until}".encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(hmac.digest(key, text, sha256)).decode().rstrip("=")


def good(secret: str, subject: str, act: str, until: str, given: str, now: datetime) -> bool:
    """Whether a link was made by this agent for this subject and act, and is not too old."""
    if not until.isascii() or not until.isdigit() or len(until) > 12 or not given.isascii():
        return False
    right = hmac.compare_digest(signature(secret, subject, act, int(until)), given)
    return right and now < datetime.fromtimestamp(int(until), UTC)
