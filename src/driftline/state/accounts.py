"""Reads the totals of the ledger, and the objects that could not be read.

Does not change anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.ledger import ATTEMPTS
from driftline.state.tables import objects, rejects
from driftline.types.records import DONE, QUARANTINED, WAITING


@dataclass(slots=True, kw_only=True)
class Totals:
    """The totals of a model's ledger."""

    objects: int = 0
    rows: int = 0
    rejected_rows: int = 0
    held_rows: int = 0
    quarantined_objects: int = 0
    waiting_objects: int = 0
    unpaired_rows: int = 0
    """Requests and responses without their other half, in settled windows."""
    trouble: list[dict[str, object]] = field(default_factory=list)


def count_waiting_objects(connection: Connection, model: str) -> int:
    """Count the objects that could not be read and that windows still wait for."""
    c = objects.c
    held_up = sa.or_(c.state == WAITING, sa.and_(c.state == DONE, c.attempts > 0))
    return int(
        connection.execute(sa.select(sa.func.count()).where(c.model == model, held_up)).scalar_one()
    )


def has_failed_objects(connection: Connection, model: str, *, include_quarantined: bool) -> bool:
    """Whether the agent will try again to read any object.

    With `include_quarantined` objects count too that were given up because their source failed.
    """
    c = objects.c
    held_up = sa.or_(c.state == WAITING, sa.and_(c.state == DONE, c.attempts > 0))
    if include_quarantined:
        held_up = sa.or_(held_up, sa.and_(c.state == QUARANTINED, c.attempts >= ATTEMPTS))
    return (
        connection.execute(sa.select(c.id).where(c.model == model, held_up).limit(1)).first()
        is not None
    )


def count_unlabelled(connection: Connection, model: str) -> int:
    """Count predictions, or labels, that found no match and no longer wait for one."""
    total = sa.func.coalesce(sa.func.sum(objects.c.unlabelled), 0)
    return int(connection.execute(sa.select(total).where(objects.c.model == model)).scalar_one())


_SUMS = (
    sa.func.count().filter(objects.c.state != WAITING).label("objects"),
    sa.func.coalesce(sa.func.sum(objects.c.rows), 0).label("rows"),
    sa.func.coalesce(sa.func.sum(objects.c.rejected), 0).label("rejected"),
    sa.func.coalesce(sa.func.sum(objects.c.held), 0).label("held"),
    sa.func.count().filter(objects.c.state == QUARANTINED).label("quarantined"),
    sa.func.count().filter(objects.c.state == WAITING).label("waiting"),
    sa.func.coalesce(sa.func.sum(objects.c.unpaired), 0).label("unpaired"),
)


def _totals(row: sa.Row[Any]) -> Totals:
    return Totals(
        objects=int(row.objects),
        rows=int(row.rows),
        rejected_rows=int(row.rejected),
        held_rows=int(row.held),
        quarantined_objects=int(row.quarantined),
        waiting_objects=int(row.waiting),
        unpaired_rows=int(row.unpaired),
    )


def load_all_totals(connection: Connection) -> dict[str, Totals]:
    """Load the sums of every model, without its objects in trouble, by model."""
    query = sa.select(objects.c.model, *_SUMS).group_by(objects.c.model)
    return {row.model: _totals(row) for row in connection.execute(query)}


def load_totals(connection: Connection, model: str, trouble: int = 20) -> Totals:
    """Load the sums, and the newest objects that could not be read completely.

    `trouble` is the largest number of such objects.
    """
    c = objects.c
    totals = _totals(connection.execute(sa.select(*_SUMS).where(c.model == model)).one())
    bad = sa.or_(c.state.in_((QUARANTINED, WAITING)), c.rejected > 0, c.held > 0, c.error != "")
    query = (
        sa.select(c.id, c.uri, c.state, c.error, c.rejected, c.held)
        .where(c.model == model, bad)
        .order_by(c.id.desc())
    )
    for row in connection.execute(query.limit(trouble)).all():
        samples = connection.execute(
            sa.select(rejects.c.position, rejects.c.reason, rejects.c.sample)
            .where(rejects.c.object_id == row.id)
            .limit(3)
        )
        totals.trouble.append(
            {**row._mapping, "records": [dict(sample._mapping) for sample in samples]}
        )
    return totals
