"""What people ask: acts on incidents, and silences.

Refuses to do any of it: a row is left by any process, and the agent that leads acts on it in the
transaction of its step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import acts, as_micros, from_micros, from_micros_or_none, silences


@dataclass(frozen=True, slots=True)
class ActRow:
    """One thing that was asked of an incident."""

    id: int
    kind: str
    model: str
    incident: str
    until: datetime | None
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """One silence."""

    id: int
    matchers: str
    start: datetime
    until: datetime
    author: str
    reason: str


def add_act(
    connection: Connection,
    kind: str,
    model: str,
    incident: str,
    author: str,
    reason: str,
    now: datetime,
    until: datetime | None = None,
) -> int:
    """Ask something of an incident; returns the number of the row."""
    row = {
        "kind": kind,
        "model": model,
        "incident": incident,
        "until": None if until is None else as_micros(until),
    }
    made = connection.execute(
        acts.insert().values(**row, author=author, reason=reason, created=as_micros(now))
    )
    return int(made.inserted_primary_key[0])  # type: ignore[index]


def load_waiting_acts(connection: Connection, model: str) -> list[ActRow]:
    """What was asked and not yet dealt with, in the order in which it was asked."""
    c = acts.c
    columns = (c.id, c.kind, c.model, c.incident, c.until, c.author, c.reason)
    rows = connection.execute(
        sa.select(*columns).where(c.model == model, c.applied.is_(None)).order_by(c.id)
    )
    return [
        ActRow(r.id, r.kind, r.model, r.incident, from_micros_or_none(r.until), r.author, r.reason)
        for r in rows
    ]


def mark_act_applied(connection: Connection, id: int, outcome: str, now: datetime) -> None:
    """Note what came of it: empty when it was done, else why not."""
    connection.execute(
        acts.update().where(acts.c.id == id).values(applied=as_micros(now), outcome=outcome)
    )


def load_act_outcome(connection: Connection, id: int) -> str | None:
    """What came of it; None while it waits."""
    row = connection.execute(sa.select(acts.c.applied, acts.c.outcome).where(acts.c.id == id)).one()
    return None if row.applied is None else str(row.outcome)


def add_silence(
    connection: Connection,
    matchers: str,
    start: datetime,
    until: datetime,
    author: str,
    reason: str,
    now: datetime,
) -> int:
    """Begin a silence; returns its number."""
    times = {"start": as_micros(start), "until": as_micros(until), "created": as_micros(now)}
    made = connection.execute(
        silences.insert().values(matchers=matchers, author=author, reason=reason, **times)
    )
    return int(made.inserted_primary_key[0])  # type: ignore[index]


def list_silences(connection: Connection, now: datetime) -> list[SilenceRow]:
    """The silences that are on or still to come, the first first."""
    c = silences.c
    columns = (c.id, c.matchers, c.start, c.until, c.author, c.reason)
    rows = connection.execute(
        sa.select(*columns).where(c.until > as_micros(now)).order_by(c.start, c.id)
    )
    return [
        SilenceRow(r.id, r.matchers, from_micros(r.start), from_micros(r.until), r.author, r.reason)
        for r in rows
    ]


def end_silence(connection: Connection, id: int, author: str, reason: str, now: datetime) -> bool:
    """End a silence now. False when there is none that is not over."""
    live = silences.update().where(silences.c.id == id, silences.c.until > as_micros(now))
    return bool(
        connection.execute(
            live.values(until=as_micros(now), ended_by=author, ended_reason=reason)
        ).rowcount
    )
