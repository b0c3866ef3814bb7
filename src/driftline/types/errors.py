"""The errors that driftline raises on purpose, each with one meaning.

Does not decide what follows: the agent retries, gives up and notifies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

TRY_LATER = frozenset({408, 425})
"""HTTP statuses by which a receiver says that it did nothing: the request may succeed later."""


class DriftlineError(Exception):
    """The base of all errors that driftline raises on purpose. Its text is written for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a configuration: its position, its setting, and how to fix it."""

    path: str
    """The path of the file."""
    line: int
    """The line, from 1."""
    column: int
    """The column, from 1."""
    name: str
    """The dotted name of the setting, such as `checks.drift.type`."""
    message: str
    """What is wrong, and how to fix it."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.name}: {self.message}"


class ConfigError(DriftlineError):
    """The configuration can't be used; `problems` holds every mistake, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ComparisonError(DriftlineError):
    """Two tables that can't be compared: no common column, no rows, an absent column."""


class PluginError(DriftlineError):
    """A plugin raised an exception, hung, or returned what its contract does not allow."""


class SourceError(DriftlineError):
    """A source can't be listed or read now; the agent tries again."""


class SourceBusy(SourceError):
    """The source asks for a pause or failed temporarily; the same request may succeed later."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause
        """Seconds to wait, if the source named them."""


class ObjectChanged(SourceError):
    """The object has another version than listed; the agent lists and reads it again."""


class ObjectGone(SourceError):
    """The object vanished between listing and reading."""


class Unreadable(DriftlineError):
    """This version of an object can never be read; the agent quarantines it with the reason."""


class StateError(DriftlineError):
    """The state can't be used: locked by another agent, newer than this version, or damaged."""


class NoState(StateError):
    """There is no state yet: no agent has run."""


class AnotherAgentLeads(StateError):
    """Another agent works on a state that several agents can share."""

    def __init__(self, leader: str) -> None:
        agent = f"another agent ({leader})" if leader else "another agent"
        super().__init__(f"{agent} works on this state: stop it, or use another agent.state")
        self.leader = leader
        """Host and process of the leader; empty if unknown."""


class Unreachable(StateError):
    """The database can't be reached now; it may come back."""


class LeadershipLost(StateError):
    """This agent no longer leads: its database session has ended, and its transaction is lost."""

    def __init__(self) -> None:
        super().__init__("this agent no longer leads: its session with the database has ended")


class Rejected(DriftlineError):
    """The receiver refused this notification for good, and would refuse it again."""

    def __init__(
        self, message: str, status: int = 0, answer: str = "", not_before: datetime | None = None
    ) -> None:
        super().__init__(message)
        self.not_before = not_before
        """The earliest time of any further request, UTC, if the receiver named one."""
        self.status = status
        """The HTTP status; 0 if there was none."""
        self.answer = answer
        """The beginning of the receiver's answer."""
        self.summary = ""
        """What happened, without a word of the answer; empty where that is not known."""


class Retryable(DriftlineError):
    """The notification was not delivered this time; nothing happened at the receiver."""

    def __init__(self, message: str, not_before: datetime | None = None) -> None:
        super().__init__(message)
        self.not_before = not_before
        """The earliest time of any further request, UTC, if the receiver named one."""
        self.summary = ""
        """What happened, without a word of the answer; empty where that is not known."""


class OutcomeUnknown(Retryable):
    """The request was sent, but no usable answer came: the receiver may have acted or not."""


class Throttled(Retryable):
    """The receiver asks for a pause."""
