"""How long an incident may be away and still be the same one, when it flaps, and what one change
is.

Refuses the configuration: what of this may be set is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

TOGETHER = 6
"""Windows within which changes of one family began together, or after which an incident is no
longer young.
"""
CALM = 3
"""Windows without a firing alert after which a flapping incident is over, or of less severity
before that is told.
"""
FLAPS = 3
"""So many returns within `Life.flap_span` are flapping."""


@dataclass(frozen=True, slots=True)
class Life:
    """What of an incident's life may be set."""

    reopen_within: timedelta = timedelta(hours=24)
    """An alert that comes back this soon after the end reopens its incident; at least three
    windows.
    """

    def reopen_span(self, length: timedelta) -> timedelta:
        """How long after its end an incident may come back, where windows are so long."""
        return max(self.reopen_within, 3 * length)

    def flap_span(self, length: timedelta) -> timedelta:
        """Within which returns are counted."""
        return max(timedelta(hours=24), 12 * length)

    def calm_span(self, length: timedelta) -> timedelta:
        """How long it must be calm, or better, for that to be believed; trouble of the agent has
        windows without length.
        """
        return max(timedelta(hours=1), CALM * length)
