"""Stores what to do with each model, one row for each span of time that was judged.

Times are microseconds since the epoch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import action_runs, model_decisions, outbox
from driftline.types.message_state import MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """The decision of one span of time."""

    start: int
    end: int
    decision: str
    since: int
    """Start of the first span with the same decision, without another one between."""
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]
    action: str = ""
    """The action that ran for it."""
    effect: str = ""
    """What the windows after the action say; empty while they do not tell."""


def write_decision(connection: Connection, model: str, row: StoredDecision) -> None:
    """Write the decision of a span, in place of an earlier one of the same span.

    Action and effect of an earlier one stay.
    """
    c = model_decisions.c
    values = {
        "end": row.end,
        "decision": row.decision,
        "since": row.since,
        "reasons": json.dumps(row.reasons, ensure_ascii=False),
        "evidence": json.dumps(row.evidence, ensure_ascii=False),
    }
    updated = connection.execute(
        model_decisions.update().where(c.model == model, c.start == row.start).values(values)
    )
    if not updated.rowcount:
        connection.execute(
            model_decisions.insert().values(
                model=model, start=row.start, action=row.action, effect=row.effect, **values
            )
        )


def record_effect(connection: Connection, model: str, start: int, action: str, effect: str) -> None:
    """Write what an action did beside the decision of the span that began at `start`."""
    c = model_decisions.c
    connection.execute(
        model_decisions.update()
        .where(c.model == model, c.start == start)
        .values(action=action, effect=effect)
    )


def load_decisions(
    connection: Connection, model: str, *, limit: int, before: int | None = None
) -> list[StoredDecision]:
    """Load the newest decisions of spans that begin before `before`, oldest first."""
    c = model_decisions.c
    query = sa.select(model_decisions).where(c.model == model)
    if before is not None:
        query = query.where(c.start < before)
    rows = connection.execute(query.order_by(c.start.desc()).limit(limit)).all()
    return [
        StoredDecision(
            start=row.start,
            end=row.end,
            decision=row.decision,
            since=row.since,
            reasons=tuple(json.loads(row.reasons)),
            evidence=tuple(json.loads(row.evidence)),
            action=row.action,
            effect=row.effect,
        )
        for row in reversed(rows)
    ]


def load_runs_of_decisions(
    connection: Connection, model: str, decisions: Sequence[str]
) -> list[tuple[str, str, int]]:
    """Load action, decision and end of each finished run of these decisions, oldest first."""
    c, o = action_runs.c, outbox.c
    rows = connection.execute(
        sa.select(c.action, c.decision, o.finished)
        .join(outbox, o.id == c.token)
        .where(c.model == model, c.decision.in_(decisions), o.state == MessageState.SENT.value)
        .order_by(o.finished)
    )
    return [(row.action, row.decision, int(row.finished)) for row in rows]
