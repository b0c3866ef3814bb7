"""Stores what people ask for: acts on incidents, and silences.

Does not do the acts: any process may write a row, and the agent that leads handles it in the
transaction of its next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import acts, silences
from driftline.types.times import as_micros, from_micros, from_micros_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRow:
    """One act on an incident."""

    id: int
    kind: str
    model: str
    incident: str
    until: datetime | None
    author: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """Write an act on an incident; return the number of the row."""
    row = {
        "kind": kind,
        "model": model,
        "incident": incident,
        "until": None if until is None else as_micros(until),
    }
    result = connection.execute(
        acts.insert().values(**row, author=author, reason=reason, created=as_micros(now))
    )
    return int(result.inserted_primary_key[0])  # type: ignore[index]


# The statements that run for each window are made once.
_WAITING_ACTS = (
    sa.select(
        *(acts.c[name] for name in ("id", "kind", "model", "incident", "until", "author", "reason"))
    )
    .where(acts.c.model == sa.bindparam("of_model"), acts.c.applied.is_(None))
    .order_by(acts.c.id)
)
_SILENCES = (
    sa.select(
        *(silences.c[name] for name in ("id", "matchers", "start", "until", "author", "reason"))
    )
    .where(silences.c.until > sa.bindparam("now"))
    .order_by(silences.c.start, silences.c.id)
)


def load_waiting_acts(connection: Connection, model: str) -> list[ActRow]:
    """Load the acts that are not handled yet, in the order they were written."""
    rows = connection.execute(_WAITING_ACTS, {"of_model": model})
    return [
        ActRow(
            id=r.id,
            kind=r.kind,
            model=r.model,
            incident=r.incident,
            until=from_micros_or_none(r.until),
            author=r.author,
            reason=r.reason,
        )
        for r in rows
    ]


def mark_act_applied(connection: Connection, id: int, outcome: str, now: datetime) -> None:
    """Store the outcome of an act: empty when it was done, else the obstacle."""
    connection.execute(
        acts.update().where(acts.c.id == id).values(applied=as_micros(now), outcome=outcome)
    )


def load_act_outcome(connection: Connection, id: int) -> str | None:
    """Load the outcome of an act; None while it waits."""
    row = connection.execute(sa.select(acts.c.applied, acts.c.outcome).where(acts.c.id == id)).one()
    return None if row.applied is None else str(row.outcome)


def insert_silence(
    connection: Connection,
    matchers: str,
    start: datetime,
    until: datetime,
    author: str,
    reason: str,
    now: datetime,
) -> int:
    """Write a silence; return its number."""
    times = {"start": as_micros(start), "until": as_micros(until), "created": as_micros(now)}
    result = connection.execute(
        silences.insert().values(matchers=matchers, author=author, reason=reason, **times)
    )
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def load_silence_rows(connection: Connection, now: datetime) -> list[SilenceRow]:
    """List the silences that are active or begin later, by start."""
    rows = connection.execute(_SILENCES, {"now": as_micros(now)})
    return [
        SilenceRow(
            id=r.id,
            matchers=r.matchers,
            start=from_micros(r.start),
            until=from_micros(r.until),
            author=r.author,
            reason=r.reason,
        )
        for r in rows
    ]


def expire_silence(
    connection: Connection, id: int, author: str, reason: str, now: datetime
) -> bool:
    """End a silence now; False when it is over already, or there is none."""
    live = silences.update().where(silences.c.id == id, silences.c.until > as_micros(now))
    return bool(
        connection.execute(
            live.values(until=as_micros(now), ended_by=author, ended_reason=reason)
        ).rowcount
    )
