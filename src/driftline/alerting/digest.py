"""The digest: one incident that stands for the critical ones beyond the cap of pages.

It opens once, grows, and ends with the last of its incidents, instead of one page for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from driftline.alerting.describe import LONGEST
from driftline.alerting.fact import message_id
from driftline.alerting.incident import Change, incident_id
from driftline.alerting.title import headline_length, write_title
from driftline.alerting.work import Work
from driftline.types.incident import Incident, Reason
from driftline.types.model import Severity
from driftline.types.notification import WHY, Event, Notification
from driftline.types.phrasing import clean, count

CAUSE = "digest"
MOST_LINES = 20
"""Incidents that the message lists."""


def add_to_digest(
    work: Work, digest: Incident | None, over: Sequence[Change], max_pages: int, now: datetime
) -> Change:
    """Add the incidents of `over` to the digest, which is opened where there is none."""
    model = over[0].incident.model
    if digest is None:
        ordinal = work.counts.get((model, CAUSE), 0) + 1
        work.counts[model, CAUSE] = ordinal
        digest = Incident(
            id=incident_id(model, CAUSE, now, ordinal),
            model=model,
            cause=CAUSE,
            since=now,
            severity=Severity.CRITICAL,
            lane=CAUSE,
            opened_at=now,
        )
    event = Event.UPDATED if digest.revision else Event.OPENED
    digest = replace(digest, keys=digest.keys | {change.incident.id for change in over})
    headlines = [
        incident.headline or incident.title for incident in work.open if incident.id in digest.keys
    ]
    excess = f"{len(headlines)} more critical incidents than the {max_pages} sent in 24 hours"
    headline = headlines[0] if len(headlines) == 1 else f"{excess}: {'; '.join(headlines)}"
    facts = {
        f"incident {place}": clean(text, LONGEST)
        for place, text in enumerate(headlines[:MOST_LINES], 1)
    }
    change = _change(digest, event, Reason.DIGEST, headline, now, facts=facts)
    return change if len(headlines) > 1 else _describe_incident(change, over[-1].notification)


def _describe_incident(change: Change, message: Notification) -> Change:
    """Return the change of a digest with the content of the only incident in it."""
    fields = ("alerts", "since", "window", "rows", "reference", "upstream", "model_version")
    content = {name: getattr(message, name) for name in fields}
    return replace(change, notification=change.notification.model_copy(update=content))


def resolve_digest(digest: Incident, ends: Sequence[Change], now: datetime) -> Change:
    """End the digest: every incident in it is over. `ends` are the ends of this step."""
    own_ends = [change for change in ends if change.incident.id in digest.keys]
    ended = replace(digest, resolved_at=now)
    if len(digest.keys) == 1 and own_ends:
        end = own_ends[-1]
        headline = end.incident.headline or end.incident.title
        change = _change(ended, Event.RESOLVED, Reason.DIGEST_OVER, headline, now, facts={})
        return _describe_incident(change, end.notification)
    headline = f"the {count(len(digest.keys), 'critical incident')} of the list ended"
    return _change(ended, Event.RESOLVED, Reason.DIGEST_OVER, headline, now, facts={})


def _change(
    digest: Incident,
    event: Event,
    reason: Reason,
    headline: str,
    now: datetime,
    *,
    facts: dict[str, str],
) -> Change:
    headline = clean(headline, headline_length(digest.model))
    title = write_title(digest.model, headline)
    digest = replace(digest, revision=digest.revision + 1, title=title, headline=headline)
    notification = Notification(
        id=message_id(digest.id, digest.revision),
        incident=digest.id,
        revision=digest.revision,
        event=event,
        model=clean(digest.model, LONGEST),
        cause=CAUSE,
        severity=digest.severity,
        title=title,
        since=digest.since,
        resolved_at=digest.resolved_at,
        facts={WHY: reason.text, **facts},
        reason=reason,
        reason_text=reason.text,
        own_facts=frozenset({WHY}),
        sent_before=event is not Event.OPENED,
    )
    return Change(incident=digest, event=event, reason=reason, at=now, notification=notification)
