"""Keeps the decisions of a model, and writes beside them what actions did.

Does not decide.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from driftline.evaluate.decide import (
    ACTIONABLE,
    PATIENCE,
    ModelDecision,
    describe_decision,
    judge_effect,
)
from driftline.state import model_decisions
from driftline.state.model_decisions import StoredDecision
from driftline.types.model import Decision
from driftline.types.phrasing import count
from driftline.types.times import from_micros

EFFECT_WINDOWS = 200
"""Newest windows in which a decision waits for the effect of its action."""


def record_decision(
    connection: Connection, model: str, start: int, end: int, decision: ModelDecision
) -> None:
    """Write the decision of a span of time, and the effects that are known with it."""
    previous = model_decisions.load_decisions(connection, model, limit=1, before=start)
    is_same = bool(previous) and previous[-1].decision == decision.decision
    model_decisions.write_decision(
        connection,
        model,
        StoredDecision(
            start=start,
            end=end,
            decision=decision.decision.value,
            since=previous[-1].since if is_same else start,
            reasons=decision.reasons,
            evidence=decision.evidence,
        ),
    )
    _record_effects(connection, model)


def _record_effects(connection: Connection, model: str) -> None:
    """Judge each run of an action by the windows between its end and that of the next run.

    The effect stands beside the newest decision that the run carried out, and is judged once.
    """
    runs = model_decisions.load_runs_of_decisions(connection, model, sorted(ACTIONABLE))
    if not runs:
        return
    rows = model_decisions.load_decisions(connection, model, limit=EFFECT_WINDOWS)
    for place, (action, decision, finished) in enumerate(runs):
        until = runs[place + 1][2] if place + 1 < len(runs) else None
        causes = [row for row in rows if row.decision == decision and row.start < finished]
        if not causes or causes[-1].effect:
            continue
        later = [
            Decision(row.decision)
            for row in rows
            if row.start >= finished and (until is None or row.start < until)
        ]
        effect = judge_effect(later)
        if effect is not None:
            text = f"{action}: {effect.value} ({count(len(later), 'window')} later)"
            model_decisions.record_effect(connection, model, causes[-1].start, action, text)


def summarise_decision(connection: Connection, model: str) -> dict[str, Any] | None:
    """The newest decision of a model as plain values; None before the first one."""
    rows = model_decisions.load_decisions(connection, model, limit=EFFECT_WINDOWS)
    if not rows:
        return None
    newest = rows[-1]
    effects = [row for row in rows if row.effect]
    return {
        "decision": newest.decision,
        "since": from_micros(newest.since).isoformat(),
        "reasons": list(newest.reasons),
        "evidence": list(newest.evidence),
        "text": describe_decision(newest.decision, newest.reasons, from_micros(newest.since)),
        "effects": [
            {
                "decision": row.decision,
                "at": from_micros(row.start).isoformat(),
                "action": row.action,
                "effect": row.effect,
            }
            for row in effects[-PATIENCE:]
        ],
    }
