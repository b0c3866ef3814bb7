"""Lists what people changed: acts on incidents, silences, actions, records and configurations.

Each change is stored where it takes effect; here they are read as one list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import action_runs, acts, configurations, records, silences
from driftline.types.matchers import Matchers
from driftline.types.times import as_micros, from_micros

KINDS = ("acknowledge", "snooze", "accept", "silence", "action", "record", "configuration")
"""The kinds of changes; other kinds of acts are listed under their own names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change that a person made."""

    at: datetime
    kind: str
    act: str
    """What was done, such as "write", "delete", "end" or "approve"."""
    model: str
    """Empty for a silence, which may match several models."""
    subject: str
    """The incident, matchers, action, record or configuration that it was done to."""
    author: str
    """Empty where it is not known, as for a file that was changed."""
    reason: str
    way: str = ""
    """Of a record: config, cli, http, python or import."""
    outcome: str = ""
    """Why nothing came of it; empty when it was done or waits."""

    def as_json(self) -> dict[str, Any]:
        """Return the change as plain values for JSON."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilter:
    """Which changes are listed; empty values stand for all."""

    model: str = ""
    author: str = ""
    kind: str = ""
    since: datetime | None = None

    def admits(self, change: Change) -> bool:
        """Whether a change is listed; a silence is one of each model that its matchers match."""
        return (
            (not self.author or change.author == self.author)
            and (not self.kind or change.kind == self.kind)
            and (self.since is None or change.at >= self.since)
            and (not self.model or self.model == change.model or self._may_silence(change))
        )

    def _may_silence(self, change: Change) -> bool:
        if change.kind != "silence":
            return False
        of_model = Matchers.parse(change.subject).restricted_to(frozenset({"model"}))
        return of_model.match({"model": self.model})


def load_changes(connection: Connection, selection: ChangeFilter, limit: int) -> list[Change]:
    """Load at most `limit` changes, the newest first."""
    since = None if selection.since is None else as_micros(selection.since)
    readers = (_load_acts, _load_silences, _load_actions, _load_records, _load_configurations)
    changes = [
        change for read in readers for change in read(connection, since) if selection.admits(change)
    ]
    return sorted(changes, key=lambda change: change.at, reverse=True)[:limit]


def _since(column: sa.ColumnElement[int], since: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if since is None else column >= since


def _load_acts(connection: Connection, since: int | None) -> Iterator[Change]:
    query = sa.select(acts).where(_since(acts.c.created, since))
    for row in connection.execute(query):
        until = "" if row.until is None else f" until {from_micros(row.until):%Y-%m-%d %H:%M}"
        yield Change(
            at=from_micros(row.created),
            kind=row.kind,
            act=f"{row.kind}{until}",
            model=row.model,
            subject=row.incident,
            author=row.author,
            reason=row.reason,
            outcome=row.outcome,
        )


def _load_silences(connection: Connection, since: int | None) -> Iterator[Change]:
    c = silences.c
    query = sa.select(silences).where(sa.or_(_since(c.created, since), _since(c.until, since)))
    for row in connection.execute(query):
        yield Change(
            at=from_micros(row.created),
            kind="silence",
            act=f"add until {from_micros(row.until):%Y-%m-%d %H:%M}",
            model="",
            subject=row.matchers,
            author=row.author,
            reason=row.reason,
        )
        if row.ended_by:
            yield Change(
                at=from_micros(row.until),
                kind="silence",
                act="end",
                model="",
                subject=row.matchers,
                author=row.ended_by,
                reason=row.ended_reason,
            )


def _load_actions(connection: Connection, since: int | None) -> Iterator[Change]:
    c = action_runs.c
    query = sa.select(c.model, c.action, c.incident, c.state, c.decided, c.author, c.reason).where(
        c.decided.is_not(None), c.author != "", _since(c.decided, since)
    )
    for row in connection.execute(query):
        yield Change(
            at=from_micros(row.decided),
            kind="action",
            act=row.state,
            model=row.model,
            subject=f"{row.action} of {row.incident}",
            author=row.author,
            reason=row.reason,
        )


def _load_records(connection: Connection, since: int | None) -> Iterator[Change]:
    c = records.c
    query = sa.select(
        c.at, c.model, c.kind, c.name, c.way, c.author, c.reason, c.body.is_(None).label("deleted")
    ).where(_since(c.at, since))
    for row in connection.execute(query):
        yield Change(
            at=from_micros(row.at),
            kind="record",
            act="delete" if row.deleted else "write",
            model=row.model,
            subject=f"{row.kind} {row.name}".rstrip(),
            author=row.author,
            reason=row.reason,
            way=row.way,
        )


def _load_configurations(connection: Connection, since: int | None) -> Iterator[Change]:
    c = configurations.c
    query = sa.select(c.digest, c.model, c.first_used).where(_since(c.first_used, since))
    for row in connection.execute(query):
        yield Change(
            at=from_micros(row.first_used),
            kind="configuration",
            act="use",
            model=row.model,
            subject=row.digest,
            author="",
            reason="",
        )
