"""The errors that driftline raises on purpose, each with one meaning.

Refuses to decide anything: who retries, who gives up and who is told is the host's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class DriftlineError(Exception):
    """Anything that driftline raises on purpose; its text is written for the person who reads
    it.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration: where it is, which name it is about, what is wrong and how to
    mend it.
    """

    path: str
    """The file."""
    line: int
    """From 1."""
    column: int
    """From 1."""
    name: str
    """The dotted name of the setting, like `checks.drift.type`."""
    message: str
    """What is wrong, and the mend."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.name}: {self.message}"


class ConfigError(DriftlineError):
    """The configuration can't be used; `problems` holds every mistake, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class PluginError(DriftlineError):
    """A plugin raised, hung or returned something its contract doesn't allow."""


class SourceError(DriftlineError):
    """A source can't be listed or read just now; it will be tried again."""


class SourceBusy(SourceError):
    """The source asks for a pause, or failed in a way that passes: the same may be asked again."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause
        """Seconds to wait, when the source named them."""


class ObjectChanged(SourceError):
    """The object is no longer the version that was listed; it will be listed and read again."""


class ObjectGone(SourceError):
    """The object vanished between listing and reading."""


class Unreadable(DriftlineError):
    """This version of an object will never be readable: it is quarantined with this reason."""


class StateError(DriftlineError):
    """The state can't be used: locked by another agent, newer than this version, or damaged."""


class AnotherAgentLeads(StateError):
    """Another agent works on a state that several may share."""

    def __init__(self, leader: str) -> None:
        who = f"another agent ({leader})" if leader else "another agent"
        super().__init__(f"{who} works on this state: stop it, or use another agent.state")
        self.leader = leader
        """Host and process; empty when that is not known."""


class Unreachable(StateError):
    """The database can't be reached just now; it may come back."""


class LeadershipLost(StateError):
    """This agent no longer leads: its session with the database has ended, and what it had in hand
    with it.
    """

    def __init__(self) -> None:
        super().__init__("this agent no longer leads: its session with the database has ended")


class Rejected(DriftlineError):
    """The receiver refused this notification for good; sending it again would be refused again."""

    def __init__(
        self, message: str, status: int = 0, answer: str = "", not_before: datetime | None = None
    ) -> None:
        super().__init__(message)
        self.not_before = not_before
        """The earliest time (UTC) of any further request, when the receiver named one."""
        self.status = status
        """The HTTP status, where there was one."""
        self.answer = answer
        """The beginning of what the receiver said."""


class Retryable(DriftlineError):
    """The notification did not get through this time; nothing happened at the receiver."""

    def __init__(self, message: str, not_before: datetime | None = None) -> None:
        super().__init__(message)
        self.not_before = not_before
        """The earliest time (UTC) of any further request, when the receiver named one."""


class OutcomeUnknown(Retryable):
    """The request left, but no usable answer came back: the receiver may or may not have acted."""


class Throttled(Retryable):
    """The receiver asks for a pause."""
