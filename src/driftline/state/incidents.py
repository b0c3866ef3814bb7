"""Incidents, for whoever wants to read them.

Refuses to change them: that is alerting's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.notification import Notification
from driftline.state.tables import incident_events, incidents, moment


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident in a line."""

    id: str
    model: str
    cause: str
    state: str
    severity: str
    title: str
    since: datetime
    resolved_at: datetime | None


def listed(connection: Connection, model: str | None = None, *, firing: bool = False, limit: int = 100) -> list[IncidentRow]:
    """The newest incidents first; those that fire before the others."""
    c = incidents.c
    query = sa.select(c.id, c.model, c.cause, c.state, c.severity, c.title, c.since, c.resolved_at)
    if model is not None:
        query = query.where(c.model == model)
    if firing:
        query = query.where(c.state == "firing")
    rows = connection.execute(query.order_by((c.state == "firing").desc(), c.since.desc(), c.id).limit(limit))
    return [
        IncidentRow(r.id, r.model, r.cause, r.state, r.severity, r.title, moment(r.since), _moment(r.resolved_at)) for r in rows
    ]


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def newest_message(connection: Connection, incident: str) -> Notification | None:
    """What was last told of an incident; None when there is no such incident."""
    c = incident_events.c
    query = sa.select(c.facts).where(c.incident == incident).order_by(c.revision.desc()).limit(1)
    facts = connection.execute(query).scalar()
    return None if facts is None else Notification.model_validate_json(facts)
