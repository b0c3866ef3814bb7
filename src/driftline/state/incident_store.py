"""Alerts and incidents in the database, and the messages they give rise to.

Refuses to decide what people are told: that came with the step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from driftline.alerting import AlertingState, Change, Step
from driftline.alerting.acts import Act, Kind
from driftline.alerting.fact import Fact, lane, message_id
from driftline.alerting.links import OPEN
from driftline.alerting.observe import HORIZON
from driftline.alerting.silencing import Silence
from driftline.extensions.phrasebook import Phrasebook
from driftline.state import outbox as waiting
from driftline.state import people
from driftline.state.incident_json import dump_alert, dump_incident, load_alert, load_incident
from driftline.state.measurements import labels_json
from driftline.state.notification_json import dump_notification
from driftline.state.tables import (
    alerts,
    as_micros,
    from_micros,
    from_micros_or_none,
    incident_events,
    incidents,
    measurements,
    outbox,
    pages,
)
from driftline.types.alert import Alert
from driftline.types.incident import Incident, Reason
from driftline.types.matchers import Matchers
from driftline.types.model import Bound, Judgement, Severity, Verdict
from driftline.types.notification import Event

PAGES = 100
"""Pages that are counted at most."""


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """What one sink wants to hear."""

    name: str
    min_severity: Severity = Severity.INFO
    updates: bool = True
    """Whether it wants to hear of more alerts between opening and resolution; it always hears of
    more severity.
    """


def load(connection: Connection, model: str, phrasebook: Phrasebook | None = None) -> AlertingState:
    """The alerts and open incidents of `model`. What can't be read is left out and named in
    `unreadable`.
    """
    unreadable: list[str] = []
    found: dict[str, Alert] = {}
    rows = (
        select(alerts.c.key, alerts.c.state).where(alerts.c.model == model).order_by(alerts.c.key)
    )
    for key, state in connection.execute(rows):
        try:
            found[key] = load_alert(state)
        except ValueError as error:
            unreadable.append(f"alert {key}: {error}")
    known: dict[str, Incident] = {}
    c = incidents.c
    alive = sa.or_(c.state == "firing", c.reopens_until.is_not(None))
    for row in connection.execute(
        select(incidents).where(c.model == model, alive).order_by(c.id)
    ).mappings():
        try:
            detail = load_incident(row["detail"])
        except ValueError as error:
            unreadable.append(f"incident {row['id']}: {error}")
            detail = {"lane": lane(row["cause"], "", "")}
        known[row["id"]] = Incident(
            id=row["id"],
            model=model,
            cause=row["cause"],
            since=from_micros(row["since"]),
            revision=row["revision"],
            severity=Severity(row["severity"]),
            title=row["title"],
            resolved=from_micros_or_none(row["resolved_at"]),
            reopens=from_micros_or_none(row["reopens_until"]),
            **detail,
        )
    counted = select(c.cause, func.count()).where(c.model == model).group_by(c.cause)
    counts = {(model, cause): count for cause, count in connection.execute(counted)}
    paged = (
        select(pages.c.at).where(pages.c.model == model).order_by(pages.c.at.desc()).limit(PAGES)
    )
    at = tuple(from_micros(value) for value in reversed(connection.execute(paged).scalars().all()))
    return AlertingState(found, known, counts, at, tuple(unreadable), phrasebook)


def asked(connection: Connection, model: str) -> list[Act]:
    """What people ask of the incidents of `model` and was not dealt with yet."""
    return [
        Act(row.id, Kind(row.kind), row.incident, row.author, row.reason, row.until)
        for row in people.load_waiting_acts(connection, model)
    ]


def silences(connection: Connection, now: datetime) -> list[Silence]:
    """The silences that are not over; one that can't be read holds nothing."""
    found = []
    for row in people.list_silences(connection, now):
        with suppress(ValueError):
            found.append(
                Silence(
                    row.id,
                    Matchers.parse(row.matchers),
                    row.start,
                    row.until,
                    row.author,
                    row.reason,
                )
            )
    return found


def later(connection: Connection, facts: Sequence[Fact]) -> list[Fact]:
    """Facts of the windows after those of `facts`, for the changed ones among them that came late;
    give them to the step, too.

    Quiet windows leave no trace in the state, so a change that is found in an older window would
    look like the newest one. The stored measurements tell what came after it; at most the next 16
    windows of each series are read.
    """
    found: list[Fact] = []
    columns = measurements.c
    newest: dict[str, int] = {}
    for fact in facts:
        if fact.model not in newest:
            query = select(func.max(columns.start)).where(columns.model == fact.model)
            newest[fact.model] = connection.execute(query).scalar() or 0
        if fact.verdict is not Verdict.CHANGED or newest[fact.model] <= as_micros(fact.start):
            continue
        series = (
            columns.model == fact.model, columns.version == fact.version, columns.segment == fact.segment,
            columns.check == fact.check, columns.name == fact.measurement, columns.labels == labels_json(dict(fact.labels)),
        )  # fmt: skip
        sure = columns.verdict.in_((Verdict.OK.value, Verdict.CHANGED.value))
        rows = (
            select(measurements)
            .where(*series, sure, columns.start > as_micros(fact.start))
            .order_by(columns.start)
        )
        found += [_later(fact, row) for row in connection.execute(rows.limit(HORIZON)).mappings()]
    given = {(fact.key, fact.start) for fact in facts}
    return [fact for fact in found if (fact.key, fact.start) not in given]


def _later(fact: Fact, row: RowMapping) -> Fact:
    """The fact of a later window of the series of `fact`, from its stored measurement."""
    start, reason = from_micros(row["start"]), row["reason"]
    interval = None if row["low"] is None or row["high"] is None else (row["low"], row["high"])
    judged = replace(
        fact.judged,
        measurement=replace(
            fact.judged.measurement,
            value=row["value"],
            was=row["was"],
            interval=interval,
            unit=row["unit"],
            detail=json.loads(row["detail"]),
        ),
        judgement=Judgement(
            Verdict(row["verdict"]),
            Severity(row["severity"]) if row["severity"] else None,
            reason,
            bound=Bound.from_stored(reason),
        ),
        rows=row["rows"],
    )
    return replace(
        fact,
        start=start,
        end=start + (fact.end - fact.start),
        judged=judged,
        revision=row["revision"],
    )


def save(connection: Connection, step: Step) -> None:
    """Write what the step changed: alerts, incidents and their history. Call in the transaction
    that holds the windows.
    """
    for key, alert in sorted(step.alerts.items()):
        if alert is None:
            connection.execute(delete(alerts).where(alerts.c.key == key))
            continue
        state = dump_alert(alert)
        if not connection.execute(
            update(alerts).where(alerts.c.key == key).values(state=state)
        ).rowcount:
            connection.execute(insert(alerts).values(key=key, model=alert.model, state=state))
    for _, incident in sorted(step.incidents.items()):
        values = {
            "state": "firing" if incident.resolved is None else "resolved",
            "severity": incident.severity.value,
            "title": incident.title,
            "since": as_micros(incident.since),
            "resolved_at": None if incident.resolved is None else as_micros(incident.resolved),
            "reopens_until": None if incident.reopens is None else as_micros(incident.reopens),
            "revision": incident.revision,
            "detail": dump_incident(incident),
        }
        if not connection.execute(
            update(incidents).where(incidents.c.id == incident.id).values(**values)
        ).rowcount:
            whole = {"id": incident.id, "model": incident.model, "cause": incident.cause}
            connection.execute(insert(incidents).values(**whole, **values))
    for change in step.changes:
        name, revision = change.incident.id, change.incident.revision
        facts = dump_notification(change.notification)
        event = {
            "event": change.word,
            "at": as_micros(change.at),
            "reason": change.said or change.reason.value,
            "facts": facts,
        }
        people = {"author": change.author, "held": change.held.text if change.held else ""}
        connection.execute(
            insert(incident_events).values(incident=name, revision=revision, **event, **people)
        )
    for name, revision in step.paged:
        assert step.now is not None
        model = step.state.incidents[name].model
        connection.execute(
            insert(pages).values(
                incident=name, revision=revision, model=model, at=as_micros(step.now)
            )
        )


def enqueue(
    connection: Connection,
    change: Change,
    sinks: Sequence[SinkPlan],
    now: datetime,
    links: Mapping[str, str] | None = None,
) -> list[str]:
    """Write one outbox row for each sink that is to hear of `change`; returns the names of those
    sinks.

    A sink hears of an incident once it is severe enough for it, and of its end whenever it was told
    of it before. `links` are added to the message, where to open it first.
    """
    if change.held:
        return []
    incident = change.incident
    query = select(outbox.c.sink).where(outbox.c.incident == incident.id).distinct()
    told = {str(name) for name in connection.execute(query).scalars()}
    plans = {plan.name: plan for plan in sinks}
    names = [
        name
        for name in sorted(plans.keys() | told)
        if _wants(plans.get(name), name in told, change)
    ]
    ours = dict(links or {})
    first = {OPEN: ours[OPEN]} if OPEN in ours else {}
    whole = change.notification.model_copy(
        update={"links": {**first, **change.notification.links, **ours}}
    )
    for name in names:
        waiting.add_message(
            connection,
            whole.model_copy(update={"id": message_id(incident.id, incident.revision, name)}),
            name,
            now,
        )
    return names


def _wants(plan: SinkPlan | None, told: bool, change: Change) -> bool:
    if change.event is Event.RESOLVED:
        return told
    if plan is None:
        return False
    severe = change.incident.severity.rank >= plan.min_severity.rank
    if change.event in (Event.ACKNOWLEDGED, Event.SILENCED):
        return told and plan.updates
    if change.event in (Event.OPENED, Event.REOPENED) or not told:
        return severe
    return plan.updates or change.reason is Reason.MORE_SEVERE
