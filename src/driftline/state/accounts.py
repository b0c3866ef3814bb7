"""What the ledger says as a whole: sums, what waits to be read include_quarantined, and what could not be read.

Refuses to change anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.ledger import ATTEMPTS
from driftline.state.tables import objects, rejects
from driftline.types.records import DONE, QUARANTINED, WAITING


@dataclass(slots=True)
class Totals:
    """What the ledger of a model holds."""

    objects: int = 0
    rows: int = 0
    rejected_rows: int = 0
    held_rows: int = 0
    quarantined_objects: int = 0
    waiting_objects: int = 0
    unpaired_rows: int = 0
    """Requests and responses that stayed alone, in windows that take nothing more."""
    trouble: list[dict[str, object]] = field(default_factory=list)


def count_waiting_objects(connection: Connection, model: str) -> int:
    """How many objects failed to be read, but not so often that windows are judged without them."""
    c = objects.c
    held_up = sa.or_(c.state == WAITING, sa.and_(c.state == DONE, c.attempts > 0))
    return int(
        connection.execute(sa.select(sa.func.count()).where(c.model == model, held_up)).scalar_one()
    )


def has_failed_objects(connection: Connection, model: str, *, include_quarantined: bool) -> bool:
    """Whether any object is to be tried include_quarantined; `include_quarantined` includes those that were given up because
    their source failed.
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
    """Predictions, or labels, that never met, and wait no longer."""
    total = sa.func.coalesce(sa.func.sum(objects.c.unlabelled), 0)
    return int(connection.execute(sa.select(total).where(objects.c.model == model)).scalar_one())


def load_totals(connection: Connection, model: str, trouble: int = 20) -> Totals:
    """Sums over the ledger, and the newest objects that could not be read, or not wholly."""
    c = objects.c
    counted = sa.select(
        sa.func.count().filter(c.state != WAITING),
        sa.func.coalesce(sa.func.sum(c.rows), 0),
        sa.func.coalesce(sa.func.sum(c.rejected), 0),
        sa.func.coalesce(sa.func.sum(c.held), 0),
        sa.func.count().filter(c.state == QUARANTINED),
        sa.func.count().filter(c.state == WAITING),
        sa.func.coalesce(sa.func.sum(c.unpaired), 0),
    ).where(c.model == model)
    done, rows, rejected, held, quarantined, waiting, alone = (
        int(value) for value in connection.execute(counted).one()
    )
    found = Totals(done, rows, rejected, held, quarantined, waiting, alone)
    bad = sa.or_(c.state.in_((QUARANTINED, WAITING)), c.rejected > 0, c.error != "")
    query = (
        sa.select(c.id, c.uri, c.state, c.error, c.rejected)
        .where(c.model == model, bad)
        .order_by(c.id.desc())
    )
    for row in connection.execute(query.limit(trouble)).all():
        samples = connection.execute(
            sa.select(rejects.c.position, rejects.c.reason, rejects.c.sample)
            .where(rejects.c.object_id == row.id)
            .limit(3)
        )
        found.trouble.append(
            {**row._mapping, "records": [dict(sample._mapping) for sample in samples]}
        )
    return found
