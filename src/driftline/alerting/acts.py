"""What people do to incidents: acknowledge, snooze, and accept as the new normal.

Refuses an act without an author, and acts on what is over: each comes back with an outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from driftline.alerting.digest import CAUSE
from driftline.alerting.incident import end, told
from driftline.alerting.work import AlertingState, Step, Work
from driftline.types.incident import Incident, Reason
from driftline.types.notification import Event


class Kind(StrEnum):
    """What may be done."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a person asks of an incident."""

    id: int
    kind: Kind
    incident: str
    author: str
    reason: str = ""
    until: datetime | None = None
    """Of a snooze."""


def act(moved: Step, acts: Sequence[Act], now: datetime) -> tuple[Step, Mapping[int, str]]:
    """Do what people ask, after what a step did. Returns what came of it: empty when it was done,
    else why not.

    To accept is `accept`, which needs the new reference first: it is left alone here.
    """
    work = Work.on(moved)
    outcomes: dict[int, str] = {}
    for one in acts:
        if one.kind is not Kind.ACCEPT:
            outcomes[one.id] = _outcome(work, one, now)
    return work.step(moved.notes, now), outcomes


def refused(incident: Incident | None) -> str:
    """Why nothing can be done to an incident; empty when something can."""
    if incident is not None and incident.cause == CAUSE:
        return "a digest is the sum of other incidents: name one of them"
    if incident is None:
        return "there is no such incident, or it has been over for long"
    return "" if incident.resolved is None else "it is over"


def _outcome(work: Work, one: Act, now: datetime) -> str:
    incident = work.incidents.get(one.incident)
    why = refused(incident)
    if incident is None or why:
        return why
    members, window = work.members(incident), (now, now)
    if one.kind is Kind.ACKNOWLEDGE:
        if incident.acknowledged:
            return f"{incident.acknowledged} has acknowledged it already"
        taken = replace(incident, acknowledged=one.author)
        work.tell(
            told(
                taken,
                Event.ACKNOWLEDGED,
                Reason.ACKNOWLEDGED,
                members,
                window,
                author=one.author,
                said=one.reason,
                phrasebook=work.phrasebook,
            )
        )
        return ""
    if one.until is None or one.until <= now:
        return "its time was over before it began"
    until = f"until {one.until:%Y-%m-%d %H:%M} UTC"
    said = f"{until}, {one.reason}" if one.reason else until
    asleep = replace(incident, snoozed=one.until, owed=Reason.SNOOZED.value)
    work.tell(
        told(
            asleep,
            Event.SILENCED,
            Reason.SNOOZED,
            members,
            window,
            author=one.author,
            said=said,
            phrasebook=work.phrasebook,
        )
    )
    return ""


def accept(state: AlertingState, one: Act, now: datetime) -> Step:
    """End an incident because what it tells of is normal from now on: its alerts are forgotten, it
    never comes back.

    Call it in the transaction in which the new reference becomes the model's own.
    """
    work = Work.of(state)
    incident = work.incidents[one.incident]
    members = work.members(incident)
    work.tell(
        end(
            incident,
            Reason.ACCEPTED,
            members,
            (now, now),
            0,
            None,
            one.author,
            one.reason,
            work.phrasebook,
        )
    )
    work.drop_alerts(incident.keys)
    return work.step((), now)
