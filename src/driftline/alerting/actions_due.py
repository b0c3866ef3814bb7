"""Which actions a change of an incident calls for.

Refuses to act, and to know what an action does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from driftline.alerting.fact import MONITORING, digest
from driftline.alerting.incident import Change
from driftline.types.alert import AlertState
from driftline.types.incident import HoldKind
from driftline.types.model import Severity
from driftline.types.notification import AlertFact, Event

IDLE = frozenset({Event.RESOLVED, Event.ACKNOWLEDGED, Event.SILENCED})
"""What calls for nothing: an end, and what people did themselves."""
DOUBTED = frozenset({HoldKind.SILENCE, HoldKind.SNOOZE, HoldKind.INHIBITION})
"""What holds actions back, too. A mute time and the cap of pages only spare people."""


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """When one action is called for, and what it then waits for. Empty sets stand for all."""

    name: str
    models: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    severity: Severity = Severity.CRITICAL
    """The least that calls for it."""
    decision: str = ""
    """What a check must say is to be done; empty when it need not say so."""
    dry_run: bool = True
    approval: bool = False
    approve_within: timedelta = timedelta(days=1)
    max_per_day: int = 1


def token(incident: str, action: str) -> str:
    """Names the one run of an action for an incident: the same wherever and whenever it is
    computed.
    """
    return "driftline-" + digest(incident, action, length=32)


def calling(plan: ActionPlan, change: Change) -> AlertFact | None:
    """The alert that calls for the action, the most telling one; None when nothing does."""
    incident = change.incident
    doubted = change.held is not None and change.held.kind in DOUBTED
    if change.event in IDLE or doubted or (plan.models and incident.model not in plan.models):
        return None
    return next((alert for alert in change.notification.alerts if _calls(plan, alert)), None)


def _calls(plan: ActionPlan, alert: AlertFact) -> bool:
    # Trouble of the agent itself, such as an action that failed, calls for nothing unless it is
    # asked for by its name.
    return (
        alert.state == AlertState.FIRING
        and (alert.cause in plan.causes if plan.causes else alert.cause != MONITORING)
        and alert.severity.rank >= plan.severity.rank
        and (not plan.checks or alert.check in plan.checks)
        and (not plan.decision or alert.decision == plan.decision)
    )
