"""Stores alerts and incidents, and writes their messages to the outbox.

Does not decide who gets a message about what: the step has decided it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from driftline.alerting import AlertingState, Change, Step
from driftline.alerting.acts import Act, ActKind
from driftline.alerting.fact import Fact, lane_of, message_id
from driftline.alerting.observe import HORIZON
from driftline.alerting.silencing import Silence
from driftline.extensions.phrasebook import Phrasebook
from driftline.state import outbox as messages
from driftline.state import people
from driftline.state.incident_json import (
    dump_alert,
    dump_incident,
    parse_alert,
    parse_incident_fields,
)
from driftline.state.measurement_reader import read_measurements, select_series
from driftline.state.measurements import load_bound
from driftline.state.notification_json import dump_notification
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import (
    alerts,
    incident_events,
    incidents,
    measurement_blocks,
    outbox,
    pages,
)
from driftline.types.alert import Alert
from driftline.types.incident import Incident, Reason
from driftline.types.labels import labels_json
from driftline.types.matchers import Matchers
from driftline.types.model import Judgement, Severity, Verdict
from driftline.types.notification import Event
from driftline.types.records import WindowKey
from driftline.types.times import as_micros, from_micros, from_micros_or_none

PAGES = 100
"""The largest number of pages that are loaded."""


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """Which messages one sink gets."""

    name: str
    min_severity: Severity = Severity.INFO
    updates: bool = True
    """Whether it gets messages about more alerts of an open incident.

    It always gets a message when the severity rises.
    """


# The statements that run for each window are made once.
_MODEL: sa.BindParameter[str] = sa.bindparam("of_model")
_ALERTS = (
    select(alerts.c.key, alerts.c.state).where(alerts.c.model == _MODEL).order_by(alerts.c.key)
)
_ALIVE_INCIDENTS = (
    select(incidents)
    .where(
        incidents.c.model == _MODEL,
        sa.or_(incidents.c.state == "firing", incidents.c.reopens_until.is_not(None)),
    )
    .order_by(incidents.c.id)
)
_INCIDENT_COUNTS = (
    select(incidents.c.cause, func.count())
    .where(incidents.c.model == _MODEL)
    .group_by(incidents.c.cause)
)
_PAGES = select(pages.c.at).where(pages.c.model == _MODEL).order_by(pages.c.at.desc()).limit(PAGES)


def load_alerting_state(
    connection: Connection, model: str, phrasebook: Phrasebook | None = None
) -> AlertingState:
    """Load the alerts and open incidents of `model`.

    Those that can't be read are left out and listed in `unreadable`.
    """
    unreadable: list[str] = []
    alerts_by_key: dict[str, Alert] = {}
    of_model = {"of_model": model}
    for key, state in connection.execute(_ALERTS, of_model):
        try:
            alerts_by_key[key] = parse_alert(state)
        except ValueError as error:
            unreadable.append(f"alert {key}: {error}")
    incidents_by_id: dict[str, Incident] = {}
    for row in connection.execute(_ALIVE_INCIDENTS, of_model).mappings():
        try:
            detail = parse_incident_fields(row["detail"])
        except ValueError as error:
            unreadable.append(f"incident {row['id']}: {error}")
            detail = {"lane": lane_of(row["cause"], "", "")}
        incidents_by_id[row["id"]] = Incident(
            id=row["id"],
            model=model,
            cause=row["cause"],
            since=from_micros(row["since"]),
            revision=row["revision"],
            severity=Severity(row["severity"]),
            title=row["title"],
            resolved_at=from_micros_or_none(row["resolved_at"]),
            reopens_until=from_micros_or_none(row["reopens_until"]),
            **detail,
        )
    counts = {
        (model, cause): count for cause, count in connection.execute(_INCIDENT_COUNTS, of_model)
    }
    page_times = connection.execute(_PAGES, of_model).scalars().all()
    return AlertingState(
        alerts=alerts_by_key,
        incidents=incidents_by_id,
        counts=counts,
        pages=tuple(from_micros(value) for value in reversed(page_times)),
        unreadable=tuple(unreadable),
        phrasebook=phrasebook,
    )


def load_acts(connection: Connection, model: str) -> list[Act]:
    """Load the requests of people about the incidents of `model` that no step has handled yet."""
    return [
        Act(
            id=row.id,
            kind=ActKind(row.kind),
            incident=row.incident,
            author=row.author,
            reason=row.reason,
            until=row.until,
        )
        for row in people.load_waiting_acts(connection, model)
    ]


def load_silences(connection: Connection, now: datetime) -> list[Silence]:
    """Load the silences that are not over; those that can't be read are left out."""
    result = []
    for row in people.load_silence_rows(connection, now):
        with suppress(ValueError):
            result.append(
                Silence(
                    id=row.id,
                    matchers=Matchers.parse(row.matchers),
                    start=row.start,
                    until=row.until,
                    author=row.author,
                    reason=row.reason,
                )
            )
    return result


def load_later_facts(connection: Connection, facts: Sequence[Fact]) -> list[Fact]:
    """Load the facts of the windows after the changed ones of `facts` that came late.

    The step needs them, too. The state keeps nothing of windows without a change, so a change in
    an older window would look like the newest one. The stored measurements have the windows after
    it. At most the next 16 windows (`HORIZON`) of each series are read.
    """
    later_facts: list[Fact] = []
    columns = measurement_blocks.c
    newest: dict[str, int] = {}
    for fact in facts:
        if fact.verdict is not Verdict.CHANGED:
            continue
        if fact.model not in newest:
            query = select(func.max(columns.start)).where(columns.model == fact.model)
            newest[fact.model] = connection.execute(query).scalar() or 0
        if newest[fact.model] <= as_micros(fact.start):
            continue
        key = WindowKey(fact.model, as_micros(fact.start), fact.version, fact.segment)
        labels = labels_json(dict(fact.labels))
        series = select_series(key, fact.check, fact.measurement, labels, since=key.start + 1)
        judged = (Verdict.OK.value, Verdict.CHANGED.value)
        rows = read_measurements(connection, series, verdicts=judged, limit=HORIZON)
        later_facts += [_make_later_fact(fact, row) for row in rows]
    keys = {(fact.key, fact.start) for fact in facts}
    return [fact for fact in later_facts if (fact.key, fact.start) not in keys]


def _make_later_fact(fact: Fact, row: StoredMeasurement) -> Fact:
    """Make the fact of a later window in the series of `fact` from its stored measurement."""
    start, reason = from_micros(row.start), row.reason
    interval = None if row.low is None or row.high is None else (row.low, row.high)
    judgement = Judgement(
        verdict=Verdict(row.verdict),
        severity=Severity(row.severity) if row.severity else None,
        reason=reason,
        bound=load_bound(row.bound_side, row.bound_value, reason),
    )
    measurement = replace(
        fact.judged.measurement,
        value=row.value,
        was=row.was,
        interval=interval,
        unit=row.unit,
        detail=json.loads(row.detail),
    )
    return replace(
        fact,
        start=start,
        end=start + (fact.end - fact.start),
        judged=replace(fact.judged, measurement=measurement, judgement=judgement, rows=row.rows),
        revision=row.revision,
    )


def save_step(connection: Connection, step: Step) -> None:
    """Write the alerts, the incidents and the history that the step changed.

    Call it in the transaction that writes the windows.
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
            "state": "firing" if incident.resolved_at is None else "resolved",
            "severity": incident.severity.value,
            "title": incident.title,
            "since": as_micros(incident.since),
            "resolved_at": None
            if incident.resolved_at is None
            else as_micros(incident.resolved_at),
            "reopens_until": None
            if incident.reopens_until is None
            else as_micros(incident.reopens_until),
            "revision": incident.revision,
            "detail": dump_incident(incident),
        }
        if not connection.execute(
            update(incidents).where(incidents.c.id == incident.id).values(**values)
        ).rowcount:
            key_values = {"id": incident.id, "model": incident.model, "cause": incident.cause}
            connection.execute(insert(incidents).values(**key_values, **values))
    for change in step.changes:
        name, revision = change.incident.id, change.incident.revision
        facts = dump_notification(change.notification)
        event = {
            "event": change.history_event,
            "at": as_micros(change.at),
            "reason": change.comment or change.reason.text,
            "facts": facts,
        }
        people = {"author": change.author, "held": change.hold.text if change.hold else ""}
        connection.execute(
            insert(incident_events).values(incident=name, revision=revision, **event, **people)
        )
    for name, revision in step.new_pages:
        assert step.now is not None
        # One that is over and can't come back has left the state.
        model = (step.incidents.get(name) or step.state.incidents[name]).model
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
    """Write one outbox row for each sink that gets a message about `change`; return their names.

    A sink gets a message when the incident is severe enough for it. When it has got one, it also
    gets the one about the end. `links` are added to the message, the one to open it first.
    """
    if change.hold:
        return []
    incident = change.incident
    query = select(outbox.c.sink).where(outbox.c.incident == incident.id).distinct()
    recipients = {str(name) for name in connection.execute(query).scalars()}
    plans = {plan.name: plan for plan in sinks}
    names = [
        name
        for name in sorted(plans.keys() | recipients)
        if _is_due(plans.get(name), name in recipients, change)
    ]
    notification = messages.add_links(change.notification, links or {})
    for name in names:
        own_id = message_id(incident.id, incident.revision, name)
        messages.add_message(connection, notification.model_copy(update={"id": own_id}), name, now)
    return names


def _is_due(plan: SinkPlan | None, is_recipient: bool, change: Change) -> bool:
    """Whether the sink of `plan` gets a message; with `is_recipient` it has got one before."""
    if change.event is Event.RESOLVED:
        return is_recipient
    if plan is None:
        return False
    severe = change.incident.severity.rank >= plan.min_severity.rank
    if change.event in (Event.ACKNOWLEDGED, Event.SILENCED):
        return is_recipient and plan.updates
    if change.event in (Event.OPENED, Event.REOPENED) or not is_recipient:
        return severe
    return plan.updates or change.reason in (Reason.MORE_SEVERE, Reason.DOUBLED)
