"""Which messages are held back, which are released, and the cap of pages.

What is held back is in the history with the reason. Whoever got the opening of an incident gets
its end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from driftline.alerting.digest import CAUSE, add_to_digest, resolve_digest
from driftline.alerting.incident import Change, Occasion, make_change
from driftline.alerting.silencing import Silencing
from driftline.alerting.work import Step, Work
from driftline.types.incident import Hold, HoldKind, Incident, Reason
from driftline.types.model import Severity
from driftline.types.notification import Event
from driftline.types.times import DAY

ALWAYS = frozenset({Event.RESOLVED, Event.ACKNOWLEDGED, Event.SILENCED})
"""Events that are sent whatever holds the others: they wake nobody."""
PAGING = frozenset(
    {
        Reason.FIRST_ALERT,
        Reason.CAME_BACK,
        Reason.FLAPPING,
        Reason.MORE_SEVERE,
        Reason.DOUBLED,
        Reason.RELEASED,
    }
)
"""Reasons of a message that wakes people when it is critical."""
UNTOLD = Hold(HoldKind.UNTOLD, "nobody was told that it is open")


def hold_back(previous: Step, silencing: Silencing, now: datetime) -> Step:
    """Mark the changes of a step that are held back, and add those that are released now.

    Call it after the acts of people were applied.
    """
    work = Work.continue_step(previous)
    changes, work.changes = work.changes, []
    hold_pass = HoldPass(work, silencing, now)
    for change in changes:
        work.changes.append(hold_pass.apply_hold(change))
    for incident in work.open:
        is_held = (
            incident.hold_reason
            or incident.snoozed_until is not None
            or incident.silence_id is not None
        )
        if incident.cause != CAUSE and (is_held or silencing.silences):
            hold_pass.release(incident)
    digest = next((incident for incident in work.open if incident.cause == CAUSE), None)
    if hold_pass.excess_pages:
        work.record(add_to_digest(work, digest, hold_pass.excess_pages, silencing.max_pages, now))
    elif digest is not None and not any(incident.id in digest.keys for incident in work.open):
        ends = [change for change in work.changes if change.event is Event.RESOLVED]
        work.record(resolve_digest(digest, ends, now))
    return work.step(previous.notes, now)


class HoldPass:
    """One pass over the changes and the open incidents of a model."""

    def __init__(self, work: Work, silencing: Silencing, now: datetime) -> None:
        self.work, self.silencing, self.now = work, silencing, now
        self.excess_pages: list[Change] = []
        """Pages beyond the cap, for the digest."""
        self._inhibiting = silencing.inhibiting_incidents(
            (incident, work.members(incident)) for incident in work.open
        )

    def apply_hold(self, change: Change) -> Change:
        """The change, with its hold if it is held back."""
        work = self.work
        incident = work.newest(change.incident)
        if change.event in ALWAYS:
            unannounced = change.event is Event.RESOLVED and incident.unannounced
            return replace(change, hold=UNTOLD if unannounced else None)
        hold = self._find_hold(change.incident, change.reason)
        is_update = change.event is Event.UPDATED and incident.resolved_at is None
        if hold is None and is_update and incident.unannounced and incident.hold_reason:
            # `release` sends the opening, which says this too.
            return replace(change, hold=UNTOLD)
        is_owed = hold is not None and hold.kind is not HoldKind.ACKNOWLEDGED
        hold = hold or self._find_digest_hold(change, incident)
        if incident.resolved_at is None:
            reason = "" if hold is None else incident.hold_reason
            reason = hold.text if hold is not None and is_owed else reason
            unannounced = hold is not None and (
                incident.unannounced or change.event is not Event.UPDATED
            )
            work.put(replace(incident, hold_reason=reason, unannounced=unannounced))
        return replace(change, hold=hold)

    def release(self, incident: Incident) -> None:
        """Note a silence in the history of its incident, or release what nothing holds any more."""
        work, now = self.work, self.now
        members = work.members(incident)
        silence = self.silencing.find_silence(incident, members, now)
        if silence is None:
            incident = replace(incident, silence_id=None)
        elif silence.id != incident.silence_id:
            end = f"until {silence.until:%Y-%m-%d %H:%M} UTC"
            occasion = Occasion(
                window=(now, now),
                author=silence.author,
                comment=f"{end}, {silence.reason}" if silence.reason else end,
                phrasebook=work.phrasebook,
            )
            incident = replace(incident, silence_id=silence.id, hold_reason=Reason.SILENCED.text)
            work.record(make_change(incident, Event.SILENCED, Reason.SILENCED, members, occasion))
            return
        if incident.snoozed_until is not None and incident.snoozed_until <= now:
            incident = replace(incident, snoozed_until=None)
        work.put(incident)
        fires = any(alert.is_firing for alert in members)
        if incident.hold_reason and fires and not self._find_hold(incident, Reason.RELEASED):
            occasion = Occasion(window=(now, now), phrasebook=work.phrasebook)
            incident = replace(incident, hold_reason="")
            # For whoever was not told that it opened, this is the opening.
            event = Event.OPENED if incident.unannounced else Event.UPDATED
            change = make_change(incident, event, Reason.RELEASED, members, occasion)
            work.put(change.incident)
            work.changes.append(self.apply_hold(change))

    def _find_hold(self, incident: Incident, reason: Reason) -> Hold | None:
        members = self.work.members(self.work.newest(incident))
        return self.silencing.find_hold(
            incident, members, reason, self.now, inhibiting=self._inhibiting
        )

    def _find_digest_hold(self, change: Change, incident: Incident) -> Hold | None:
        """Why the digest speaks for a change that nothing else holds; counts a page."""
        work, max_pages = self.work, self.silencing.max_pages
        digest = next(
            (
                candidate
                for candidate in work.open
                if candidate.cause == CAUSE and incident.id in candidate.keys
            ),
            None,
        )
        if digest is not None and change.event is Event.UPDATED:
            return Hold(HoldKind.DIGEST, f"in digest {digest.id}")
        if change.incident.severity is not Severity.CRITICAL or change.reason not in PAGING:
            return None
        if sum(self.now - at < DAY for at in work.pages) < max_pages:
            work.pages.append(self.now)
            work.new_pages.append((incident.id, change.incident.revision))
            return None
        self.excess_pages += [change] if incident.resolved_at is None else []
        return Hold(HoldKind.CAP, f"{max_pages} pages in 24 hours are the most: in the digest")
