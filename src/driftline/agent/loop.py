"""One loop of the agent, as the health page shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True, kw_only=True)
class Loop:
    """One loop of the agent, as the health page shows it."""

    name: str
    every: timedelta
    """Pause between two rounds."""
    clock: Callable[[], datetime]
    patience: timedelta
    """How long a round may take."""
    beat: datetime | None = None
    """When it last showed progress; None before the first time."""
    start_time: datetime | None = None
    is_hanging: bool = False
    """Whether its round is known to hang, however long it may take."""

    @property
    def stuck(self) -> bool:
        """Whether the round hangs, or the next one should have ended by now."""
        if self.is_hanging:
            return True
        last = self.beat or self.start_time
        return last is not None and self.clock() - last > self.every + self.patience
