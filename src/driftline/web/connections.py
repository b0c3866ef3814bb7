"""Limits of the connections to the agent's port, so that no client can stop the agent by them.

A connection that waits for a request is closed after some seconds, and earlier when there are too
many: then the one that waited longest makes room. So `/healthz` answers while thousands of idle
connections are opened, and the process keeps file descriptors for its own work.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 15.0
"""For a whole request, from the connection or from the end of the request before."""
ANSWER_SECONDS = 120.0
"""For an answer, until the client has read it."""
MOST_CONNECTIONS = 256
PART_OF_FILES = 4
"""One of so many file descriptors of the process may be a connection."""


class ConnectionLimits:
    """The connections of one server that wait for a request, oldest first."""

    def __init__(self, most: int | None = None) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.most = most or max(8, min(MOST_CONNECTIONS, files // PART_OF_FILES))
        """The most open connections."""
        self.waiting: dict[LimitedProtocol, None] = {}

    def make_room(self, count: int, newest: LimitedProtocol) -> None:
        """Close the connection that waits longest when `count` are too many."""
        if count > self.most:
            next(iter(self.waiting), newest).abort()


class LimitedProtocol(H11Protocol):
    """A connection with a limit of time for each request and each answer."""

    limits: ClassVar[ConnectionLimits]
    """Those of the server."""

    def __init__(self, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self._deadline: asyncio.TimerHandle | None = None
        self._is_answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait_for_request()
        self.limits.make_room(len(self.connections), self)

    def data_received(self, data: bytes) -> None:
        """Give the answer its time once the request is whole."""
        super().data_received(data)
        is_whole = self.cycle is not None and not self.cycle.more_body
        if is_whole and not self.cycle.response_complete and not self._is_answering:
            self._is_answering = True
            self.limits.waiting.pop(self, None)
            self._set_deadline(ANSWER_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.limits.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close at once, without waiting for what the client has not read."""
        self.limits.waiting.pop(self, None)
        self.transport.abort()

    def _wait_for_request(self) -> None:
        self._is_answering = False
        self.limits.waiting.pop(self, None)
        self.limits.waiting[self] = None
        self._set_deadline(REQUEST_SECONDS)

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.abort)


def limited_protocol(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """Return the class of the connections of one server."""

    class ServerProtocol(LimitedProtocol):
        """A connection to that server."""

    ServerProtocol.limits = limits
    return ServerProtocol
