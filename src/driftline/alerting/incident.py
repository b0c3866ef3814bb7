"""One incident: the firing alerts of one model that have one cause, reported as one thing.

A change is an opening, an alert that is new to the incident, more severity or lastingly less, twice
the size, the end, a return, or what a person did. Nothing is reported twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from driftline.alerting.describe import LONGEST, describe_alert, rank_key
from driftline.alerting.fact import hash_parts, message_id
from driftline.alerting.lifespans import FLAPS, Lifespans
from driftline.alerting.observe import severest
from driftline.alerting.title import Story, write_headline, write_title
from driftline.extensions.phrasebook import Phrasebook, installed_phrasebook
from driftline.types.alert import Alert, AlertState
from driftline.types.family import Family
from driftline.types.incident import Hold, Incident, Reason, Upstream, UpstreamKind
from driftline.types.model import Decision, Severity
from driftline.types.notification import (
    IN_ALL,
    LIKELY_CAUSE,
    LIKELY_CAUSE_DETAIL,
    WHY,
    AlertFact,
    Event,
    Notification,
)
from driftline.types.phrasing import clean

MOST_ALERTS = 50
"""Alerts in one message; a fact of the message counts all of them."""
TimeSpan = tuple[datetime, datetime]
"""Begin and end."""

HISTORY_EVENTS = {
    Reason.MORE_ALERTS: "worsened",
    Reason.MORE_SEVERE: "worsened",
    Reason.DOUBLED: "worsened",
    Reason.LESS_SEVERE: "improved",
    Reason.DECIDED: "decided",
    Reason.RELEASED: "told",
}
"""How the history calls the updates of an incident, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened to an incident, and why."""

    incident: Incident
    event: Event
    reason: Reason
    at: datetime
    """End of the window that caused it.

    The time of the tick for trouble of the agent, the time of the act for what people did.
    """
    notification: Notification
    author: str = ""
    """Who did it; empty for what the agent found."""
    comment: str = ""
    """The reason that the author gave."""
    hold: Hold | None = None
    """Why the message is held back; None when it is sent."""

    @property
    def history_event(self) -> str:
        """How the history calls it."""
        if self.event is not Event.UPDATED and self.reason is not Reason.RELEASED:
            return self.event.value
        return HISTORY_EVENTS.get(self.reason, self.event.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When and by whom an incident is changed."""

    window: TimeSpan
    """The window that was judged; twice the time of an act."""
    rows: int = 0
    """Rows of the window."""
    columns: frozenset[str] = frozenset()
    """The columns that were measured in the window."""
    lifespans: Lifespans = field(default_factory=Lifespans)
    author: str = ""
    """Who did it; empty for what the agent found."""
    comment: str = ""
    """The reason that the author gave."""
    phrasebook: Phrasebook | None = None
    """The words of the installed checks; those of all installed plugins when None."""

    @property
    def length(self) -> timedelta:
        """Length of the window."""
        return self.window[1] - self.window[0]


def incident_id(model: str, cause: str, since: datetime, ordinal: int) -> str:
    """The id of the `ordinal`-th incident of a model and cause: the same on every computation."""
    return "inc_" + hash_parts(model, cause, since.isoformat(), ordinal, length=16)


def open_incident(
    alerts: Sequence[Alert],
    occasion: Occasion,
    *,
    cause: str,
    lane: str,
    ordinal: int,
    upstream: frozenset[Upstream],
) -> Change:
    """Open one incident for firing alerts of one model."""
    since = min(alert.phase.since for alert in alerts if alert.phase.since is not None)
    model = alerts[0].model
    incident = Incident(
        id=incident_id(model, cause, since, ordinal),
        model=model,
        cause=cause,
        since=since,
        lane=lane,
        opened_at=occasion.window[1],
        upstream=upstream,
    )
    return make_change(
        incident, Event.OPENED, Reason.FIRST_ALERT, alerts, occasion, severity=severest(alerts)
    )


def reopen(incident: Incident, members: Sequence[Alert], occasion: Occasion) -> Change:
    """Open an incident again with its earlier alerts.

    It is flapping, and the message says so, when it was never calm since its end, or at the third
    return within the span.
    """
    start, end = occasion.window
    span = occasion.lifespans.flap_span(occasion.length)
    reopen_times = (*(time for time in incident.reopen_times if end - time <= span), end)
    calm_span = occasion.lifespans.calm_span(occasion.length)
    # A window before the end was judged anew: that is late data, and no time has passed.
    is_early = (
        incident.resolved_at is not None
        and incident.resolved_at <= start < incident.resolved_at + calm_span
    )
    flapping = len(reopen_times) >= FLAPS or is_early
    firing = [alert for alert in members if alert.is_firing]
    incident = replace(
        incident,
        opened_at=end,
        resolved_at=None,
        reopens_until=None,
        reopen_times=reopen_times,
        flapping=flapping,
        calm_since=None,
        improving_since=None,
        acknowledged_by="",
        severity=severest(firing),
        since=min(alert.phase.since for alert in firing if alert.phase.since is not None),
        hold_reason="",
        unannounced=False,
    )
    reason = Reason.FLAPPING if flapping else Reason.CAME_BACK
    return make_change(incident, Event.REOPENED, reason, members, occasion)


def update_incident(
    incident: Incident,
    members: Sequence[Alert],
    occasion: Occasion,
    *,
    previous: Sequence[Alert],
    additions: Sequence[Alert],
    end_reason: Reason = Reason.ALL_RESOLVED,
) -> tuple[Incident, Change | None]:
    """Move an open incident through one window.

    `members` are all its alerts, firing or not, `previous` the same before the window, and
    `additions` those that are new to it. Returns the incident, and the change to report if there
    is one.
    """
    firing = [alert for alert in members if alert.is_firing]
    start, end = occasion.window
    if list(previous) == list(members) and (firing or incident.flapping):
        # The window was judged before, or says nothing: no time passes for the incident.
        return incident, None
    calm_span = occasion.lifespans.calm_span(occasion.length)
    if not firing:
        calm_since = incident.calm_since or start
        waits_for_calm = incident.flapping and end_reason is Reason.ALL_RESOLVED
        if waits_for_calm and end - calm_since < calm_span:
            return replace(incident, calm_since=calm_since), None
        reason = Reason.CALM if waits_for_calm else end_reason
        reopen_span = occasion.lifespans.reopen_span(occasion.length)
        change = resolve(incident, reason, members, occasion, reopen_span=reopen_span)
        return change.incident, change
    severity = severest(firing)
    keys = incident.keys | {alert.key for alert in additions}
    improving = severity.rank < incident.severity.rank
    improving_since = (incident.improving_since or start) if improving else None
    incident = replace(incident, keys=keys, calm_since=None, improving_since=improving_since)
    steady = replace(incident, improving_since=None)
    if severity.rank > incident.severity.rank:
        change = make_change(
            steady, Event.UPDATED, Reason.MORE_SEVERE, members, occasion, severity=severity
        )
    elif _has_doubled(firing, previous):
        change = make_change(steady, Event.UPDATED, Reason.DOUBLED, members, occasion)
    elif improving_since is not None and end - improving_since >= calm_span:
        change = make_change(
            steady, Event.UPDATED, Reason.LESS_SEVERE, members, occasion, severity=severity
        )
    elif additions and not incident.flapping:
        # A decision that is new with them stands in the same message.
        change = make_change(
            incident, Event.UPDATED, Reason.MORE_ALERTS, members, occasion, additions=additions
        )
    elif _decisions(firing) - _decisions(previous):
        change = make_change(incident, Event.UPDATED, Reason.DECIDED, members, occasion)
    else:
        return _restate(incident, members, occasion), None
    return change.incident, change


def _restate(incident: Incident, members: Sequence[Alert], occasion: Occasion) -> Incident:
    """Return an incident about the agent itself or about traffic with the newest title.

    Nobody gets a message: the trouble is the same, and whoever looks should see what it is now,
    such as the reason of an error, or the age of the newest record.
    """
    if incident.cause not in (Family.MONITORING, Family.SERVICE):
        return incident
    story = _make_story(incident, Event.UPDATED, members, occasion)
    return _with_headline(incident, story, Event.UPDATED, Reason.FIRST_ALERT, occasion)


def resolve(
    incident: Incident,
    reason: Reason,
    members: Sequence[Alert],
    occasion: Occasion,
    *,
    reopen_span: timedelta | None = None,
) -> Change:
    """End an incident; without `reopen_span` it can't come back."""
    end = occasion.window[1]
    is_calm = reason is Reason.CALM
    incident = replace(
        incident,
        resolved_at=end,
        reopens_until=None if reopen_span is None else end + reopen_span,
        improving_since=None,
        calm_since=None,
        flapping=incident.flapping and not is_calm,
        reopen_times=() if is_calm else incident.reopen_times,
        snoozed_until=None,
        silence_id=None,
        hold_reason="",
    )
    return make_change(incident, Event.RESOLVED, reason, members, occasion)


def _has_doubled(firing: Sequence[Alert], previous: Sequence[Alert]) -> bool:
    """Whether a change that fired before has doubled once more since it was sent."""
    before = {alert.key: _doublings(alert) for alert in previous if alert.is_firing}
    return any(_doublings(alert) > before.get(alert.key, math.inf) for alert in firing)


def _doublings(alert: Alert) -> int:
    entry = alert.newest_change
    return 0 if entry is None else entry.judgement.doublings


def _decisions(alerts: Sequence[Alert]) -> set[Decision]:
    """The decisions that the checks of firing alerts recommend."""
    entries = (alert.newest_change for alert in alerts if alert.is_firing)
    decisions = (entry.measurement.decision for entry in entries if entry is not None)
    return {decision for decision in decisions if decision}


def _has_versions(members: Sequence[Alert]) -> bool:
    """Whether the alerts are about several versions of the model."""
    return len({alert.version for alert in members}) > 1


def _describe_alerts(members: Sequence[Alert]) -> list[tuple[AlertFact, Alert]]:
    """Return each alert with its description, those that matter most first."""
    with_version = _has_versions(members)
    pairs = [(describe_alert(alert, with_version=with_version), alert) for alert in members]
    return sorted(pairs, key=lambda pair: (rank_key(pair[0]), pair[1].key))


def _make_story(
    incident: Incident,
    event: Event,
    members: Sequence[Alert],
    occasion: Occasion,
    additions: Sequence[Alert] = (),
) -> Story:
    """Return what the titles of an incident with these alerts are about."""
    pairs = _describe_alerts(members)
    # What is seen at one moment, such as a source that can't be read, ends when it is seen no more.
    ends = [
        alert.phase.until
        for alert in members
        if alert.phase.until is not None and alert.phase.until > incident.since
    ]
    with_version = _has_versions(members)
    fired = [describe_alert(alert, with_version=with_version, as_fired=True) for alert in members]
    fired.sort(key=lambda fact: rank_key(fact.model_copy(update={"state": "firing"})))
    new_keys = {alert.key for alert in additions}
    return Story(
        model=incident.model,
        alerts=tuple(fact for fact, _ in pairs),
        as_fired=tuple(fired),
        additions=tuple(fact for fact, alert in pairs if alert.key in new_keys),
        columns=occasion.columns,
        since=incident.since,
        resolved_at=max(ends, default=occasion.window[1]) if event is Event.RESOLVED else None,
    )


def _with_headline(
    incident: Incident, story: Story, event: Event, reason: Reason, occasion: Occasion
) -> Incident:
    """Return the incident with the title that says how it stands."""
    phrasebook = occasion.phrasebook or installed_phrasebook()
    headline = write_headline(story, event, reason, phrasebook)
    return replace(incident, title=write_title(incident.model, headline), headline=headline)


def make_change(
    incident: Incident,
    event: Event,
    reason: Reason,
    members: Sequence[Alert],
    occasion: Occasion,
    *,
    severity: Severity | None = None,
    additions: Sequence[Alert] = (),
) -> Change:
    """Make a change of an incident with its message; the revision of the incident is one higher.

    `members` are all alerts of the incident, `additions` those that are new to it. Without
    `severity` it stays as it is. The title of the message says what is new, that of the incident
    how it stands.
    """
    incident = replace(
        incident,
        revision=incident.revision + 1,
        severity=severity or incident.severity,
        keys=incident.keys | {alert.key for alert in members},
    )
    versions = sorted({alert.version for alert in members})
    story = _make_story(incident, event, members, occasion, additions)
    facts, resolved_at = story.alerts, story.resolved_at
    phrasebook = occasion.phrasebook or installed_phrasebook()
    title = write_title(incident.model, write_headline(story, event, reason, phrasebook))
    state_reason = reason if event is Event.RESOLVED else Reason.FIRST_ALERT
    incident = _with_headline(incident, story, event, state_reason, occasion)
    ranked = (alert for _, alert in _describe_alerts(members))
    entries = (alert.newest_change or alert.newest_entry for alert in ranked)
    references = (entry.reference for entry in entries if entry is not None and entry.reference)
    reason_text = _reason_text(reason, occasion)
    alert_count = len(facts) if len(facts) > MOST_ALERTS else 0
    message_facts = {WHY: reason_text} | ({IN_ALL: str(alert_count)} if alert_count else {})
    notification = Notification(
        id=message_id(incident.id, incident.revision),
        incident=incident.id,
        revision=incident.revision,
        event=event,
        model=clean(incident.model, LONGEST),
        model_version=clean(versions[0], LONGEST) if len(versions) == 1 else "",
        cause=incident.cause,
        severity=incident.severity,
        title=title,
        since=incident.since,
        window=occasion.window,
        rows=occasion.rows,
        reference=clean(next(references, ""), LONGEST),
        alerts=facts[:MOST_ALERTS],
        resolved_at=resolved_at,
        facts=message_facts | _upstream_facts(incident, facts) | _cause_facts(facts),
        reason=reason,
        reason_text=reason_text,
        alert_count=alert_count,
        own_facts=frozenset(message_facts),
        upstream=tuple(sorted(incident.upstream)),
        sent_before=event is not Event.OPENED,
        is_acknowledged=bool(incident.acknowledged_by),
    )
    return Change(
        incident=incident,
        event=event,
        reason=reason,
        at=occasion.window[1],
        notification=notification,
        author=occasion.author,
        comment=occasion.comment,
    )


def _reason_text(reason: Reason, occasion: Occasion) -> str:
    """Why a message is sent, with author and comment."""
    sentence = reason.text
    if occasion.author:
        sentence += f" by {clean(occasion.author, 60)}"
    if occasion.comment:
        sentence += f": {clean(occasion.comment, LONGEST)}"
    return sentence


def _upstream_facts(incident: Incident, alerts: Sequence[AlertFact]) -> dict[str, str]:
    """What changed before, as a fact of the message, where its findings do not say it already."""
    quality_columns = {
        alert.labels.get("column") for alert in alerts if alert.cause == Family.QUALITY
    }
    sentences = sorted(
        upstream.text
        for upstream in incident.upstream
        if upstream.kind is not UpstreamKind.SCHEMA or upstream.name not in quality_columns
    )
    return {"upstream": clean(", ".join(sentences), LONGEST)} if sentences else {}


def _cause_facts(alerts: Sequence[AlertFact]) -> dict[str, str]:
    """Why it probably changed, from the first open alert that says so."""
    for alert in alerts:
        text = alert.detail.get(LIKELY_CAUSE_DETAIL)
        if isinstance(text, str) and text and alert.state != AlertState.RESOLVED.value:
            return {LIKELY_CAUSE: clean(text, LONGEST)}
    return {}
