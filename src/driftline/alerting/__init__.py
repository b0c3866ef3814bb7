"""From judged measurements to incidents: a pure step.

Refuses the clock, the store and the network.
"""

from __future__ import annotations

from driftline.alerting.fact import MONITORING, Fact
from driftline.alerting.incident import Change
from driftline.alerting.lifespans import Life
from driftline.alerting.observe import Ignored
from driftline.alerting.step import firing, retire, step
from driftline.alerting.work import AlertingState, Note, Step
from driftline.types.alert import Alert, AlertState
from driftline.types.incident import Incident, Reason

__all__ = [
    "MONITORING",
    "Alert",
    "AlertState",
    "AlertingState",
    "Change",
    "Fact",
    "Ignored",
    "Incident",
    "Life",
    "Note",
    "Reason",
    "Step",
    "firing",
    "retire",
    "step",
]
