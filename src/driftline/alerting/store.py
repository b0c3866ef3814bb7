"""Alerts and incidents in the database, and the messages they give rise to.

Refuses to decide what people are told: that came with the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from driftline.alerting import Alert, AlertingState, Change, Incident, Reason, Step
from driftline.alerting.fact import digest
from driftline.alerting.saved import dump_alert, dump_incident, load_alert, load_keys
from driftline.model import Severity
from driftline.notification import Event
from driftline.state.tables import alerts, incident_events, incidents, micros, moment, outbox


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """What one sink wants to hear."""

    name: str
    min_severity: Severity = Severity.INFO
    updates: bool = True
    """Whether it wants to hear of more alerts between opening and resolution; it always hears of more severity."""


def load(connection: Connection, model: str) -> AlertingState:
    """The alerts and open incidents of `model`. What can't be read is left out and named in `unreadable`."""
    unreadable: list[str] = []
    found: dict[str, Alert] = {}
    rows = select(alerts.c.key, alerts.c.state).where(alerts.c.model == model).order_by(alerts.c.key)
    for key, state in connection.execute(rows):
        try:
            found[key] = load_alert(state)
        except ValueError as error:
            unreadable.append(f"alert {key}: {error}")
    opened: dict[tuple[str, str], Incident] = {}
    firing = select(incidents).where(incidents.c.model == model, incidents.c.state == "firing").order_by(incidents.c.id)
    for row in connection.execute(firing).mappings():
        try:
            keys = load_keys(row["detail"])
        except ValueError as error:
            unreadable.append(f"incident {row['id']}: {error}")
            keys = frozenset()
        opened[(model, row["cause"])] = Incident(
            row["id"], model, row["cause"], moment(row["since"]), row["revision"], Severity(row["severity"]), keys, row["title"]
        )
    counted = select(incidents.c.cause, func.count()).where(incidents.c.model == model).group_by(incidents.c.cause)
    counts = {(model, cause): count for cause, count in connection.execute(counted)}
    return AlertingState(found, opened, counts, tuple(unreadable))


def save(connection: Connection, step: Step) -> None:
    """Write what the step changed: alerts, incidents and their history. Call in the transaction that holds the windows."""
    for key, alert in sorted(step.alerts.items()):
        if alert is None:
            connection.execute(delete(alerts).where(alerts.c.key == key))
            continue
        state = dump_alert(alert)
        if not connection.execute(update(alerts).where(alerts.c.key == key).values(state=state)).rowcount:
            connection.execute(insert(alerts).values(key=key, model=alert.model, state=state))
    for change in step.changes:
        incident = change.incident
        values = {
            "state": "resolved" if change.event is Event.RESOLVED else "firing",
            "severity": incident.severity.value,
            "title": incident.title,
            "resolved_at": micros(change.notification.resolved_at) if change.notification.resolved_at else None,
            "revision": incident.revision,
            "detail": dump_incident(incident),
        }
        if not connection.execute(update(incidents).where(incidents.c.id == incident.id).values(**values)).rowcount:
            whole = {"id": incident.id, "model": incident.model, "cause": incident.cause, "since": micros(incident.since)}
            connection.execute(insert(incidents).values(**whole, **values))
        event = {"incident": incident.id, "revision": incident.revision, "event": change.event.value, "at": micros(change.at)}
        facts = change.notification.model_dump_json()
        connection.execute(insert(incident_events).values(**event, reason=change.reason.value, facts=facts))


def enqueue(connection: Connection, change: Change, sinks: Sequence[SinkPlan], now: datetime) -> list[str]:
    """Write one outbox row for each sink that is to hear of `change`; returns the names of those sinks.

    A sink hears of an incident once it is severe enough for it, and of its end whenever it was told of it before.
    """
    incident = change.incident
    query = select(outbox.c.sink).where(outbox.c.incident == incident.id).distinct()
    told = {str(name) for name in connection.execute(query).scalars()}
    plans = {plan.name: plan for plan in sinks}
    names = [name for name in sorted(plans.keys() | told) if _wants(plans.get(name), name in told, change)]
    for name in names:
        id = "ntf_" + digest(incident.id, incident.revision, name, length=32)
        payload = change.notification.model_copy(update={"id": id}).model_dump_json()
        row = {"id": id, "sink": name, "incident": incident.id, "revision": incident.revision, "event": change.event.value}
        moments = {"created": micros(now), "not_before": micros(now)}
        connection.execute(insert(outbox).values(**row, **moments, payload=payload, state="pending"))
    return names


def _wants(plan: SinkPlan | None, told: bool, change: Change) -> bool:
    if change.event is Event.RESOLVED:
        return told
    if plan is None:
        return False
    severe = change.incident.severity.rank >= plan.min_severity.rank
    if change.event is Event.OPENED or not told:
        return severe
    return plan.updates or change.reason is Reason.MORE_SEVERE
