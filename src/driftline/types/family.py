"""The families of alerts: what a change is about."""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """What the alerts of a check are about; a check may write it as plain text."""

    DRIFT = "drift"
    QUALITY = "quality"
    SERVICE = "service"
    """Traffic: no change of the model explains its alerts."""
    PERFORMANCE = "performance"
    BUSINESS = "business"
    FAIRNESS = "fairness"
    MONITORING = "monitoring"
    """The agent itself: a check that raises, a source that is down. No check has it."""


CHECK_FAMILIES = tuple(family for family in Family if family is not Family.MONITORING)
"""The families that a check may have."""
