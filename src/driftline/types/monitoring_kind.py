"""The kinds of trouble that the agent reports about itself."""

from __future__ import annotations

from enum import StrEnum


class MonitoringKind(StrEnum):
    """What is wrong with the agent itself: the measurement of an alert of monitoring."""

    READING = "reading"
    """The source, or an object of it, can't be read now."""
    UNREADABLE = "unreadable"
    """Objects or records can't be decoded."""
    UNUSABLE_TIMES = "unusable times"
    """Rows are held back because their time can't be used."""
    REFERENCE_LOSSES = "reference losses"
    """Records of the reference can't be decoded."""
    UNPAIRED = "unpaired"
    """Requests have no response."""
    LABELS = "labels"
    """The source of late labels can't be read now."""
    UNUSABLE_LABELS = "unusable labels"
    """Labels lack an id, a time or a value."""
    WAITING_PREDICTIONS = "waiting predictions"
    """Predictions stopped waiting for their labels."""
    CHECK_FAILED = "error"
    """A check raised an error."""
    DELIVERY_FAILED = "refused"
    """A sink took no message, or an action no request."""
    UNSURE = "unsure"
    """A check has too little data."""

    @property
    def lane(self) -> str:
        """The lane of its alerts: only alerts of one lane can be one incident."""
        return _LANES.get(self, "feed")


_LANES = {
    MonitoringKind.CHECK_FAILED: "checks",
    MonitoringKind.DELIVERY_FAILED: "sinks",
    MonitoringKind.UNSURE: "unsure",
}
"""The lanes of the kinds that are not about the feed; "sinks" also holds failed actions."""
