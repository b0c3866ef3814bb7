"""Signed links: to see an incident, to fetch its chart, to act on it.

Each is for one subject and purpose, and valid for a week. Opening a link does not act: it opens a
page that asks, since chat programs and mail scanners open links on their own. The keys are in the
state (`driftline.state.link_keys`).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

from driftline.alerting.digest import CAUSE
from driftline.types.family import Family
from driftline.types.notification import OPEN, Event, Notification

GOOD_FOR = timedelta(days=7)
CHART = "chart"
"""The word in the address of a chart."""
ACCEPT = "accept as normal"
"""The label of the link that accepts a change."""
ACTS = {"acknowledge": "ack", "snooze": "snooze", ACCEPT: "accept"}
"""The label of a link and the word in its address."""
LONGEST = 900
"""Characters of a chart's address: more have no room in every card."""


def incident_links(
    notification: Notification, base_url: str, key: bytes, now: datetime
) -> dict[str, str]:
    """The links of a message by label: the page of its incident, then what can be done to it.

    A test and a report have no links: they belong to no incident.
    """
    if notification.event in (Event.TEST, Event.REPORT):
        return {}
    base, until = f"{base_url.rstrip('/')}/i/{quote(notification.incident, safe='')}", expiry(now)
    is_over = notification.event is Event.RESOLVED
    acts = {} if is_over else possible_acts(notification)
    page = {OPEN: f"{base}?{sign_query(key, notification.incident, OPEN, until)}"}
    return page | {
        label: f"{base}/{act}?{sign_query(key, notification.incident, act, until)}"
        for label, act in acts.items()
    }


def chart_link(notification: Notification, base_url: str, key: bytes, now: datetime) -> str | None:
    """The address of the chart of an incident; None unless it is https and short enough."""
    if notification.event is Event.REPORT:
        return None
    name = quote(notification.incident, safe="")
    query = sign_query(key, notification.incident, CHART, expiry(now))
    url = f"{base_url.rstrip('/')}/i/{name}/chart.png?{query}"
    return url if url.startswith("https://") and len(url) <= LONGEST else None


def possible_acts(notification: Notification) -> dict[str, str]:
    """What can be done to an open incident, from its newest message: label and word."""
    if notification.cause == CAUSE:
        return {}
    is_drifting = any(
        alert.cause == Family.DRIFT and alert.state == "firing" for alert in notification.alerts
    )
    impossible = {"ack"} if notification.is_acknowledged else set()
    impossible |= set() if is_drifting else {"accept"}
    return {label: act for label, act in ACTS.items() if act not in impossible}


def expiry(now: datetime) -> int:
    """When a link made now expires, in seconds since 1970."""
    return int((now + GOOD_FOR).timestamp())


def sign_query(key: bytes, subject: str, act: str, until: int) -> str:
    """The query of an address that is valid for one subject and act until `until`."""
    return f"exp={until}&sig={signature(key, subject, act, until)}"


def signature(key: bytes, subject: str, act: str, until: int) -> str:
    """The signature of a link: 43 characters that bind it to subject, act and time.

    A subject is an incident or a run of an action.
    """
    text = f"{act}\n{subject}\n{until}".encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(hmac.digest(key, text, sha256)).decode().rstrip("=")


def is_valid(
    keys: Iterable[bytes], subject: str, act: str, until: str, sig: str, *, now: datetime
) -> bool:
    """Whether a link was signed with a key for this subject and act, and has not expired."""
    if not until.isascii() or not until.isdigit() or len(until) > 12 or not sig.isascii():
        return False
    return now.timestamp() < int(until) and is_signed(keys, subject, act, int(until), sig)


def is_signed(keys: Iterable[bytes], subject: str, act: str, until: int, sig: str) -> bool:
    """Whether `sig` is the signature by one of the keys."""
    return any(
        hmac.compare_digest(signature(key, subject, act, until).encode(), sig.encode())
        for key in keys
    )
