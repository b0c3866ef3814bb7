"""Which actions a change of an incident triggers.

Does not know what an action does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from driftline.alerting.fact import hash_parts
from driftline.alerting.incident import Change
from driftline.types.alert import AlertState
from driftline.types.family import Family
from driftline.types.incident import HoldKind
from driftline.types.model import Severity
from driftline.types.notification import AlertFact, Event

IDLE = frozenset({Event.RESOLVED, Event.ACKNOWLEDGED, Event.SILENCED})
"""Events that trigger nothing: an end, and what people did themselves."""
ACTION_HOLDS = frozenset({HoldKind.SILENCE, HoldKind.SNOOZE, HoldKind.INHIBITION})
"""Holds that hold actions back, too. A mute time and the cap of pages concern messages only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlan:
    """When one action is triggered, and what it then waits for. Empty sets stand for all."""

    name: str
    models: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    severity: Severity = Severity.CRITICAL
    """The least severity that triggers it."""
    decision: str = ""
    """The decision that a check must recommend; empty where none is needed."""
    dry_run: bool = True
    approval: bool = False
    approve_within: timedelta = timedelta(days=1)
    max_per_day: int = 1


def run_token(incident: str, action: str) -> str:
    """The token of the one run of an action for an incident: the same on every computation."""
    return "driftline-" + hash_parts(incident, action, length=32)


def find_trigger(plan: ActionPlan, change: Change) -> AlertFact | None:
    """The first alert of a change that triggers the action; None when none does."""
    incident = change.incident
    is_held = change.hold is not None and change.hold.kind in ACTION_HOLDS
    if change.event in IDLE or is_held or (plan.models and incident.model not in plan.models):
        return None
    return next((alert for alert in change.notification.alerts if _triggers(plan, alert)), None)


def _triggers(plan: ActionPlan, alert: AlertFact) -> bool:
    # Trouble of the agent itself, such as an action that failed, triggers nothing unless the plan
    # names its cause.
    return (
        alert.state == AlertState.FIRING
        and (alert.cause in plan.causes if plan.causes else alert.cause != Family.MONITORING)
        and alert.severity.rank >= plan.severity.rank
        and (not plan.checks or alert.check in plan.checks)
        and (not plan.decision or alert.decision == plan.decision)
    )
