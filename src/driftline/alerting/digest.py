"""The digest: one incident that stands for the critical ones beyond the cap of pages.

Refuses to page for each of them: it opens once, grows, and ends with the last of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from driftline.alerting.describe import LENGTH, LONGEST
from driftline.alerting.fact import message_id
from driftline.alerting.incident import Change, incident_id
from driftline.alerting.work import Work
from driftline.types.incident import Incident, Reason
from driftline.types.model import Severity
from driftline.types.notification import Event, Notification
from driftline.types.phrasing import WHY, clean

CAUSE = "digest"
SHOWN = 20
"""Incidents that the message names."""


def gathered(
    work: Work, digest: Incident | None, over: Sequence[Change], most: int, now: datetime
) -> Change:
    """The digest with the incidents of `over` in it, opened where there is none."""
    model = over[0].incident.model
    if digest is None:
        ordinal = work.counts.get((model, CAUSE), 0) + 1
        work.counts[model, CAUSE] = ordinal
        name = incident_id(model, CAUSE, now, ordinal)
        digest = Incident(
            id=name,
            model=model,
            cause=CAUSE,
            since=now,
            severity=Severity.CRITICAL,
            lane=CAUSE,
            opened=now,
        )
    event = Event.UPDATED if digest.revision else Event.OPENED
    digest = replace(digest, keys=digest.keys | {change.incident.id for change in over})
    lines = [
        one.title.removeprefix(f"{clean(model, 40)}: ")
        for one in work.open
        if one.id in digest.keys
    ]
    many = (
        f"{len(lines)} more critical incidents" if len(lines) != 1 else "1 more critical incident"
    )
    line = clean(
        f"{clean(model, 40)}: {many} beyond {most} pages in 24 hours: {'; '.join(lines)}", LENGTH
    )
    facts = {
        f"incident {place}": clean(text, LONGEST) for place, text in enumerate(lines[:SHOWN], 1)
    }
    return _change(digest, event, Reason.DIGEST, line, facts, now)


def ended(digest: Incident, now: datetime) -> Change:
    """The end of the digest: every incident in it is over."""
    line = f"{clean(digest.model, 40)}: resolved: all {len(digest.keys)} critical incidents of the digest"
    return _change(replace(digest, resolved=now), Event.RESOLVED, Reason.DIGEST_OVER, line, {}, now)


def _change(
    digest: Incident, event: Event, reason: Reason, line: str, facts: dict[str, str], now: datetime
) -> Change:
    digest = replace(digest, revision=digest.revision + 1, title=line)
    notification = Notification(
        id=message_id(digest.id, digest.revision),
        incident=digest.id,
        revision=digest.revision,
        event=event,
        model=clean(digest.model, LONGEST),
        cause=CAUSE,
        severity=digest.severity,
        title=line,
        since=digest.since,
        resolved_at=digest.resolved,
        facts={WHY: reason.value, **facts},
        reason=reason,
        sent_before=event is not Event.OPENED,
    )
    return Change(digest, event, reason, now, notification)
