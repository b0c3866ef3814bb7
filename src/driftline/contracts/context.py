"""What the host gives to a plugin at its start: name, log, clock, and guarded connections.

A plugin reaches the machine and the network only through them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from driftline.types.message import Markup, Message
from driftline.types.notification import AlertFact, Notification

if TYPE_CHECKING:
    import socket


NOTHING_RENDERS = (
    "the host renders messages; in tests, driftline.testing.start_context() brings a renderer"
)


class Answer(Protocol):
    """A receiver's answer with a status of 2xx; any other status raises before."""

    @property
    def status(self) -> int:
        """The HTTP status, 200 to 299."""
        ...

    @property
    def text(self) -> str:
        """The beginning of the body."""
        ...


class Http(Protocol):
    """The HTTP client for sinks and actions.

    It has a total timeout, follows no redirects, limits the size of answers, and guards private
    addresses.

    Raises `Rejected`, `Throttled`, `Retryable` or `OutcomeUnknown`, so that a sink needs no `try`.
    """

    def post(
        self,
        url: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Post `content`, or `json` written as JSON."""
        ...

    def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send exactly `content`, by any method."""
        ...


class Logger(Protocol):
    """A structured logger, bound to the plugin's name."""

    def info(self, event: str, **facts: Any) -> object:
        """Something worth knowing."""
        ...

    def warning(self, event: str, **facts: Any) -> object:
        """Something to look at."""
        ...


class Render(Protocol):
    """Writes a notification as text."""

    def __call__(
        self, notification: Notification, markup: Markup, limits: Mapping[str, int]
    ) -> Message:
        """The pieces, escaped for `markup` and cut to `limits`."""
        ...

    def describe(self, alert: AlertFact) -> str:
        """One alert in a sentence, as plain text."""
        ...


class NoRender:
    """The default of a context without a renderer: its methods raise RuntimeError."""

    def __call__(
        self, notification: Notification, markup: Markup, limits: Mapping[str, int]
    ) -> Message:
        """Raise RuntimeError."""
        raise RuntimeError(NOTHING_RENDERS)

    def describe(self, alert: AlertFact) -> str:
        """Raise RuntimeError."""
        raise RuntimeError(NOTHING_RENDERS)


def fail_to_connect(host: str, port: int) -> socket.socket:
    """Raise RuntimeError: the default of a context without a network."""
    raise RuntimeError(
        "the host connects; in tests, driftline.testing.start_context() brings "
        "connections to this machine"
    )


def fail_to_guard() -> AbstractContextManager[None]:
    """Raise RuntimeError: the default of a context without a guard."""
    raise RuntimeError(
        "the host guards connections; in tests, driftline.testing.start_context() brings a guard"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StartContext:
    """What the composition root hands to a plugin at its start."""

    name: str
    """The name in the configuration."""
    log: Logger
    clock: Callable[[], datetime]
    """Returns the time, UTC. Plugins never ask the machine for it."""
    http: Http | None = None
    """For sinks and actions."""
    console: TextIO | None = None
    """Where people look, for sinks that print."""
    config_folder: Path = Path()
    """The folder of the configuration: relative paths in settings start here."""
    render: Render = field(default_factory=NoRender)
    """For sinks, who call it as `self.message(notification)`."""
    chart: Callable[[Notification], bytes | None] = lambda notification: None
    """For sinks that take images: a PNG of what changed; None when there is nothing to draw."""
    chart_url: Callable[[Notification], str | None] = lambda notification: None
    """For sinks whose service fetches images: the URL of that PNG.

    It is an https address of at most 900 characters that holds for seven days; None when there is
    nothing to draw, or no such address.
    """
    connect: Callable[[str, int], socket.socket] = fail_to_connect
    """For sinks without HTTP: a connection to a host and port, guarded as `http` is.

    Waits 20 seconds at most. Raises Rejected or Retryable.
    """
    guard_connections: Callable[[], AbstractContextManager[None]] = fail_to_guard
    """For sinks whose library connects by itself: a context that guards this thread's connections.

    Raises Rejected at its end when a connection was refused.
    """
    find_earlier_result: Callable[[Notification], str] = lambda notification: ""
    """For sinks: the result of `send` for the incident's newest earlier message; else empty."""
