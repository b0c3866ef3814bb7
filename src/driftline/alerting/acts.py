"""What people do to incidents: acknowledge them, snooze them, accept them as the new normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from driftline.alerting.digest import CAUSE
from driftline.alerting.incident import Occasion, make_change, resolve
from driftline.alerting.work import AlertingState, Step, Work
from driftline.types.incident import Incident, Reason
from driftline.types.notification import Event


class ActKind(StrEnum):
    """The kinds of acts."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that a person asks of an incident."""

    id: int
    kind: ActKind
    incident: str
    author: str
    reason: str = ""
    until: datetime | None = None
    """End of a snooze; None for other acts."""


def apply_acts(
    previous: Step, acts: Sequence[Act], now: datetime
) -> tuple[Step, Mapping[int, str]]:
    """Apply acts to the state after a step, except acts of the kind `accept`.

    Returns the new step and, by id of the act, why the act could not be done; empty when it was.
    To accept needs the new reference first, see `accept_incident`.
    """
    work = Work.continue_step(previous)
    outcomes: dict[int, str] = {}
    for act in acts:
        if act.kind is not ActKind.ACCEPT:
            outcomes[act.id] = _apply(work, act, now)
    return work.step(previous.notes, now), outcomes


def explain_refusal(incident: Incident | None) -> str:
    """Say why nothing can be done to an incident; empty when something can."""
    if incident is not None and incident.cause == CAUSE:
        return "a digest is the sum of other incidents: name one of them"
    if incident is None:
        return "there is no such incident, or it has been over for long"
    return "" if incident.resolved_at is None else "it is over"


def _apply(work: Work, act: Act, now: datetime) -> str:
    incident = work.incidents.get(act.incident)
    refusal = explain_refusal(incident)
    if incident is None or refusal:
        return refusal
    members = work.members(incident)
    if act.kind is ActKind.ACKNOWLEDGE:
        if incident.acknowledged_by:
            return f"{incident.acknowledged_by} has acknowledged it already"
        incident = replace(incident, acknowledged_by=act.author)
        event, reason, comment = Event.ACKNOWLEDGED, Reason.ACKNOWLEDGED, act.reason
    else:
        if act.until is None or act.until <= now:
            return "its time was over before it began"
        end = f"until {act.until:%Y-%m-%d %H:%M} UTC"
        incident = replace(incident, snoozed_until=act.until, hold_reason=Reason.SNOOZED.text)
        event, reason = Event.SILENCED, Reason.SNOOZED
        comment = f"{end}, {act.reason}" if act.reason else end
    occasion = Occasion(
        window=(now, now), author=act.author, comment=comment, phrasebook=work.phrasebook
    )
    work.record(make_change(incident, event, reason, members, occasion))
    return ""


def accept_incident(state: AlertingState, act: Act, now: datetime) -> Step:
    """Resolve an incident because its values are normal from now on, and forget its alerts.

    Call it in the transaction in which the new reference becomes the model's own.
    """
    work = Work.from_state(state)
    incident = work.incidents[act.incident]
    occasion = Occasion(
        window=(now, now), author=act.author, comment=act.reason, phrasebook=work.phrasebook
    )
    work.record(resolve(incident, Reason.ACCEPTED, work.members(incident), occasion))
    work.drop_alerts(incident.keys)
    return work.step((), now)
