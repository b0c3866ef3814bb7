"""Reads incidents and their history.

Does not change them: alerting does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.notification_json import parse_notification
from driftline.state.tables import incident_events, incidents
from driftline.types.notification import Notification
from driftline.types.times import from_micros, from_micros_or_none

_COLUMNS = [
    incidents.c[name]
    for name in (
        "id",
        "model",
        "cause",
        "state",
        "severity",
        "title",
        "since",
        "resolved_at",
        "detail",
    )
]


@dataclass(frozen=True, slots=True, kw_only=True)
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
    detail: str = "{}"
    """More facts about it, as JSON."""

    @property
    def headline(self) -> str:
        """The title without the model; the whole title where an earlier version wrote it."""
        return str(json.loads(self.detail).get("headline") or self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event of an incident."""

    event: str
    at: datetime
    reason: str
    author: str
    """The person who did it; empty for the agent."""
    held_reason: str
    """The reason why no message was sent; empty when one was sent."""


def load_incidents(
    connection: Connection, model: str | None = None, *, firing: bool = False, limit: int = 100
) -> list[IncidentRow]:
    """List incidents: the firing ones first, then the resolved ones, each the newest first."""
    c = incidents.c
    query = sa.select(*_COLUMNS)
    if model is not None:
        query = query.where(c.model == model)
    if firing:
        query = query.where(c.state == "firing")
    rows = connection.execute(
        query.order_by((c.state == "firing").desc(), c.since.desc(), c.id).limit(limit)
    )
    return [_row(row) for row in rows]


def search_incidents(
    connection: Connection,
    *,
    model: str = "",
    state: str = "",
    severity: str = "",
    family: str = "",
    limit: int = 100,
    offset: int = 0,
) -> list[IncidentRow]:
    """List the incidents that have the given values, the newest first; empty text matches all."""
    c = incidents.c
    wanted = {c.model: model, c.state: state, c.severity: severity, c.cause: family}
    query = sa.select(*_COLUMNS).where(*(column == text for column, text in wanted.items() if text))
    rows = connection.execute(query.order_by(c.since.desc(), c.id).limit(limit).offset(offset))
    return [_row(row) for row in rows]


def list_incident_families(connection: Connection) -> list[str]:
    """List the families that any incident has."""
    return sorted(connection.execute(sa.select(incidents.c.cause).distinct()).scalars())


def load_incident(connection: Connection, id: str) -> IncidentRow:
    """Load the incident with this id, which must exist."""
    return _row(connection.execute(sa.select(*_COLUMNS).where(incidents.c.id == id)).one())


def find_incident_ids(connection: Connection, begin: str) -> list[str]:
    """Find the ids, at most 20, that begin with `begin`, with or without their `inc_`."""
    c = incidents.c
    has_beginning = sa.or_(
        c.id.startswith(begin, autoescape=True), c.id.startswith(f"inc_{begin}", autoescape=True)
    )
    return [
        row.id
        for row in connection.execute(sa.select(c.id).where(has_beginning).order_by(c.id).limit(20))
    ]


def load_incident_history(connection: Connection, id: str) -> list[EventRow]:
    """Load the events of an incident, in order."""
    c = incident_events.c
    rows = connection.execute(
        sa.select(incident_events).where(c.incident == id).order_by(c.revision)
    )
    return [
        EventRow(
            event=row.event,
            at=from_micros(row.at),
            reason=row.reason,
            author=row.author,
            held_reason=row.held,
        )
        for row in rows
    ]


def _row(row: sa.Row[Any]) -> IncidentRow:
    return IncidentRow(
        id=row.id,
        model=row.model,
        cause=row.cause,
        state=row.state,
        severity=row.severity,
        title=row.title,
        since=from_micros(row.since),
        resolved_at=from_micros_or_none(row.resolved_at),
        detail=row.detail,
    )


def load_newest_message(connection: Connection, incident: str) -> Notification | None:
    """Load the newest message of an incident; None when there is no such incident."""
    c = incident_events.c
    query = sa.select(c.facts).where(c.incident == incident).order_by(c.revision.desc()).limit(1)
    facts = connection.execute(query).scalar()
    return None if facts is None else parse_notification(facts)
