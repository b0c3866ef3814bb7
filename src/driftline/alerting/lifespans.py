"""How long an incident may be resolved and still come back, and when it is flapping."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

TOGETHER = 6
"""Windows within which changes began together, and for which an incident is young."""
CALM = 3
"""Windows without a firing alert that end a flapping incident.

Also windows of less severity before that is reported.
"""
FLAPS = 3
"""Returns within `Lifespans.flap_span` that are flapping."""


@dataclass(frozen=True, slots=True)
class Lifespans:
    """The times of an incident; `reopen_within` comes from the configuration."""

    reopen_within: timedelta = timedelta(hours=24)
    """An alert that fires this soon after the end reopens its incident; at least three windows."""

    def reopen_span(self, length: timedelta) -> timedelta:
        """How long after its end an incident may come back; `length` is that of a window."""
        return max(self.reopen_within, 3 * length)

    def flap_span(self, length: timedelta) -> timedelta:
        """Within which time returns are counted."""
        return max(timedelta(hours=24), 12 * length)

    def calm_span(self, length: timedelta) -> timedelta:
        """How long an incident must be calm, or less severe, for that to count.

        The windows of trouble of the agent have no length.
        """
        return max(timedelta(hours=1), CALM * length)
