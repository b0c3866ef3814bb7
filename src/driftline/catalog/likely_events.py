"""Chooses the event that most likely caused a change: one shortly before it, of the same version.

An event is only a candidate: it happened before, which does not say that it is the cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from driftline.catalog.catalog import Record

LOOK_BACK = timedelta(days=2)
"""How long before a change an event may have happened to be a candidate."""
ORDER = ("deployment", "schema", "configuration", "campaign", "other")
"""Types of events, the likeliest cause first, where all else is equal."""


def rank_events(
    events: Sequence[Record], since: datetime, until: datetime, version: str = ""
) -> list[Record]:
    """Return the candidates for the cause of a change, the likeliest first.

    The change began in the window from `since` to `until`; `version` is that of the model, where
    the change is about one. An event that lasts, such as a campaign, is a candidate while it lasts.
    An event of the same version comes first, then the latest, then by type.
    """

    def is_candidate(event: Record) -> bool:
        at, end = _time(event.fields, "at"), _time(event.fields, "until")
        if at is None or at >= until:
            return False
        other = event.fields.get("version", "")
        if version and other and other != version:
            return False
        return at >= since - LOOK_BACK or (end is not None and end > since)

    def rank(event: Record) -> tuple[bool, float, int]:
        at = _time(event.fields, "at")
        assert at is not None
        same = bool(version) and event.fields.get("version") == version
        return not same, -at.timestamp(), ORDER.index(event.fields["type"])

    return sorted(filter(is_candidate, events), key=rank)


def describe_event(event: Record) -> str:
    """Return what happened when, such as `deployment of v4 at 2026-05-01 09:00 UTC: smaller`."""
    fields = event.fields
    at = _time(fields, "at")
    kind = fields["type"] if fields["type"] != "other" else "event"
    version = f" of {fields['version']}" if fields.get("version") else ""
    title = f": {fields['title']}" if fields.get("title") else ""
    return f"{kind}{version} at {at:%Y-%m-%d %H:%M} UTC{title}"


def _time(fields: Mapping[str, Any], name: str) -> datetime | None:
    text = fields.get(name)
    return None if text is None else datetime.fromisoformat(text)
