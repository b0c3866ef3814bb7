"""Which changes people are told of: what is held back, what is told once nothing holds it, and the
cap of pages.

Refuses to lose anything: what is held is in the history with the reason, and ends are told to
whoever was told of a begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from driftline.alerting.digest import CAUSE, ended, gathered
from driftline.alerting.incident import Change, told
from driftline.alerting.silencing import Quiet
from driftline.alerting.work import Step, Work
from driftline.types.incident import Hold, HoldKind, Incident, Reason
from driftline.types.model import Severity
from driftline.types.notification import Event

DAY = timedelta(hours=24)
ALWAYS = frozenset({Event.RESOLVED, Event.ACKNOWLEDGED, Event.SILENCED})
"""Told whatever holds the rest: they ask nobody to get up."""
PAGING = frozenset(
    {Reason.FIRST_ALERT, Reason.CAME_BACK, Reason.FLAPPING, Reason.MORE_SEVERE, Reason.RELEASED}
)


def tell(moved: Step, quiet: Quiet, now: datetime) -> Step:
    """After a step, and after people's acts: mark the changes that nobody hears of, and add those
    that are due.
    """
    work = Work.on(moved)
    changes, work.changes = work.changes, []
    over: list[Change] = []
    causes = quiet.causes((one, work.members(one)) for one in work.open)
    for change in changes:
        work.changes.append(_weighed(work, change, quiet, causes, now, over))
    for incident in work.open:
        waits = incident.owed or incident.snoozed is not None or incident.silence is not None
        if incident.cause != CAUSE and (waits or quiet.silences):
            _attend(work, incident, quiet, causes, now, over)
    digest = next((one for one in work.open if one.cause == CAUSE), None)
    if over:
        work.tell(gathered(work, digest, over, quiet.max_pages, now))
    elif digest is not None and not any(one.id in digest.keys for one in work.open):
        work.tell(ended(digest, now))
    return work.step(moved.notes, now)


def _weighed(
    work: Work,
    change: Change,
    quiet: Quiet,
    causes: Sequence[str],
    now: datetime,
    over: list[Change],
) -> Change:
    """`change` with why it is held, if it is; a page beyond the cap goes `over` to the digest."""
    incident = work.incidents.get(change.incident.id, change.incident)
    if change.event in ALWAYS:
        hushed = change.event is Event.RESOLVED and incident.untold
        return replace(
            change,
            held=Hold(HoldKind.UNTOLD, "nobody was told that it is open") if hushed else None,
        )
    members = work.members(incident)
    held = quiet.holds(change.incident, members, causes, change.reason, now)
    owes = held is not None and held.kind is not HoldKind.ACKNOWLEDGED
    digest = next(
        (one for one in work.open if one.cause == CAUSE and incident.id in one.keys), None
    )
    page = change.incident.severity is Severity.CRITICAL and change.reason in PAGING
    if held is None and digest is not None and change.event is Event.UPDATED:
        held = Hold(HoldKind.DIGEST, f"in digest {digest.id}")
    elif held is None and page:
        if sum(now - at < DAY for at in work.pages) >= quiet.max_pages:
            held = Hold(
                HoldKind.CAP, f"{quiet.max_pages} pages in 24 hours are the most: in the digest"
            )
            over += [change] if incident.resolved is None else []
        else:
            work.pages.append(now)
            work.paged.append((incident.id, change.incident.revision))
    if incident.resolved is None:
        owed = "" if held is None else held.text if owes else incident.owed
        untold = held is not None and (incident.untold or change.event is not Event.UPDATED)
        work.put(replace(incident, owed=owed, untold=untold))
    return replace(change, held=held)


def _attend(
    work: Work,
    incident: Incident,
    quiet: Quiet,
    causes: Sequence[str],
    now: datetime,
    over: list[Change],
) -> None:
    """Note a silence in the history of what it holds, and tell of what nothing holds any more."""
    members = work.members(incident)
    silence = quiet.silence_of(incident, members, now)
    if silence is None:
        incident = replace(incident, silence=None)
    elif silence.id != incident.silence:
        until = f"until {silence.until:%Y-%m-%d %H:%M} UTC"
        said = f"{until}, {silence.reason}" if silence.reason else until
        noted = replace(incident, silence=silence.id)
        work.tell(
            told(
                noted,
                Event.SILENCED,
                Reason.SILENCED,
                members,
                (now, now),
                author=silence.author,
                said=said,
                phrasebook=work.phrasebook,
            )
        )
        return
    if incident.snoozed is not None and incident.snoozed <= now:
        incident = replace(incident, snoozed=None)
    work.put(incident)
    fires = any(alert.fires for alert in members)
    if incident.owed and fires and not quiet.holds(incident, members, causes, Reason.RELEASED, now):
        change = told(
            replace(incident, owed=""),
            Event.UPDATED,
            Reason.RELEASED,
            members,
            (now, now),
            phrasebook=work.phrasebook,
        )
        work.put(change.incident)
        work.changes.append(_weighed(work, change, quiet, causes, now, over))
