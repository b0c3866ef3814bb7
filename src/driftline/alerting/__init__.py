"""From judged measurements to incidents: a pure step, without clock, store or network."""

from __future__ import annotations

from driftline.alerting.fact import Fact
from driftline.alerting.incident import Change
from driftline.alerting.lifespans import Lifespans
from driftline.alerting.observe import IgnoreReason
from driftline.alerting.step import firing_alerts, retire, step
from driftline.alerting.work import AlertingState, Note, Step
from driftline.types.alert import Alert, AlertState
from driftline.types.incident import Incident, Reason

__all__ = [
    "Alert",
    "AlertState",
    "AlertingState",
    "Change",
    "Fact",
    "IgnoreReason",
    "Incident",
    "Lifespans",
    "Note",
    "Reason",
    "Step",
    "firing_alerts",
    "retire",
    "step",
]
