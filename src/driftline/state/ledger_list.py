"""Lists what the ledger has: objects, rejected records, judged windows and configurations.

Does not change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import configurations, objects, references, rejects, windows
from driftline.types.records import QUARANTINED, WAITING


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One record that could not be used."""

    position: int
    reason: str
    sample: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """One object of the ledger. Times are microseconds since 1970."""

    id: int
    uri: str
    size: int
    modified: int
    state: str
    rows: int
    rejected: int
    held: int
    """Rows without a usable time, or too late for their window."""
    first_event: int | None
    last_event: int | None
    error: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWindow:
    """One judged window of a version, of all rows. Times are microseconds since 1970."""

    start: int
    end: int
    version: str
    rows: int
    revision: int
    """How often it was judged."""
    settled: int
    """1 when no more rows are taken."""
    reference: int | None
    """The number of the reference that it was compared with; None for one without."""
    config_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedConfiguration:
    """A configuration that windows were judged by."""

    digest: str
    plugins: str
    """JSON: kind and name of each plugin to its version and origin."""
    first_used: int
    """Microseconds since 1970."""
    is_current: bool
    """Whether the agent judges by it now."""


def list_objects(
    connection: Connection, model: str, *, only_troubled: bool = False, limit: int, offset: int = 0
) -> list[ObjectRow]:
    """List the objects of a model, the newest first.

    With `only_troubled` only those that were not read as a whole.
    """
    c = objects.c
    query = sa.select(*(c[name] for name in ObjectRow.__dataclass_fields__)).where(c.model == model)
    if only_troubled:
        query = query.where(
            sa.or_(c.state.in_((QUARANTINED, WAITING)), c.rejected > 0, c.held > 0, c.error != "")
        )
    rows = connection.execute(query.order_by(c.id.desc()).limit(limit).offset(offset))
    return [ObjectRow(**row._mapping) for row in rows]


def load_rejected_records(
    connection: Connection, object_id: int, limit: int
) -> list[RejectedRecord]:
    """Load the first `limit` rejected records of an object."""
    c = rejects.c
    query = sa.select(c.position, c.reason, c.sample).where(c.object_id == object_id)
    rows = connection.execute(query.order_by(c.position).limit(limit))
    return [RejectedRecord(*row) for row in rows]


def list_judged_windows(connection: Connection, model: str, limit: int) -> list[StoredWindow]:
    """List the newest judged windows of a model, the newest first."""
    c = windows.c
    query = (
        sa.select(
            *(c[name] for name in StoredWindow.__dataclass_fields__ if name != "reference"),
            references.c.number.label("reference"),
        )
        .join(references, references.c.id == c.reference_id, isouter=True)
        .where(c.model == model, c.segment == "", c.revision > 0)
        .order_by(c.start.desc(), c.version)
        .limit(limit)
    )
    return [StoredWindow(**row._mapping) for row in connection.execute(query)]


def list_configurations(
    connection: Connection, model: str, current: str
) -> Sequence[UsedConfiguration]:
    """List the configurations of a model, the newest first; `current` is the digest in use."""
    c = configurations.c
    query = sa.select(c.digest, c.plugins, c.first_used).where(c.model == model)
    return [
        UsedConfiguration(**row._mapping, is_current=row.digest == current)
        for row in connection.execute(query.order_by(c.first_used.desc()))
    ]
