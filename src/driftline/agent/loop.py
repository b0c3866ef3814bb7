"""One loop of the agent: what it does now, how long that may take, and whether it had an effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STEP_SECONDS = 60.0
"""How long a step without a limit of its own may take."""


def _is_alive() -> bool:
    """Return true: a loop without a thread can't die."""
    return True


@dataclass(slots=True, kw_only=True)
class Loop:
    """One loop of the agent, as the health page shows it.

    Each round is a row of steps. A loop is stuck when a step shows no progress for longer than its
    limit, when its last round had no effect, when a plugin that it called hangs, or when its thread
    has ended.
    """

    name: str
    every: timedelta
    """Pause between two rounds."""
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    """Returns seconds that never go back: a clock that jumps makes no loop stuck."""
    patience: float = STEP_SECONDS
    """Seconds that a step without a limit of its own may take."""
    is_alive: Callable[[], bool] = _is_alive
    """Whether the thread of the loop runs."""
    find_hanging: Callable[[], Sequence[str]] = tuple
    """Returns sentences about calls of plugins that have not ended in their time."""
    beat: datetime | None = None
    """When it last showed progress; None before the first time."""
    failure: str = ""
    """Why the last round had no effect; empty when it had."""
    _step: str = field(default="", init=False)
    _limit: float = field(default=0.0, init=False)
    _progress: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._progress, self._limit = self.monotonic(), self.every.total_seconds() + self.patience

    def begin_step(self, name: str, seconds: float | None = None) -> None:
        """Note that a step begins, which may take `seconds` without progress."""
        self._step, self._limit = name, self.patience + (seconds or 0.0)
        self.note_progress()

    def note_progress(self) -> None:
        """Note that the step at hand makes progress."""
        self.beat, self._progress = self.clock(), self.monotonic()

    def end_round(self, failure: str = "") -> None:
        """Note the end of a round, and why it had no effect."""
        self.failure = failure
        self._step, self._limit = "", self.every.total_seconds() + self.patience
        self.note_progress()

    @property
    def stuck(self) -> bool:
        """Whether it does not do its work."""
        return bool(self.reason)

    @property
    def reason(self) -> str:
        """Why it does not do its work; empty when it does."""
        if not self.is_alive():
            return f"{self.name} has ended" + (f": {self.failure}" if self.failure else "")
        if self.failure:
            return self.failure
        silence = self.monotonic() - self._progress
        if silence > self._limit:
            step = f": {self._step}" if self._step else ""
            return f"{self.name} has made no progress for {silence:.0f} s{step}"
        return "; ".join(self.find_hanging())
