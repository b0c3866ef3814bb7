"""The outside world of one agent: the HTTP client and the place where people look.

Refuses to be made twice: one client for guarded addresses, one for sinks that may reach private ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from driftline.delivery.http import HttpClient
from driftline.plugin import Http


@dataclass
class Outside:
    """What sinks reach the world through."""

    console: TextIO
    clock: Callable[[], datetime]
    seed: int
    """For the jitter of retries."""
    permit: Callable[[], None] = lambda: None
    """Called right before a request leaves; raises when this agent must no longer send."""
    _clients: dict[tuple[bool, Path | None], HttpClient] = field(default_factory=dict)

    def http(self, allow_private: bool, trusted: Path | None = None) -> Http:
        """The client; with `allow_private` it also goes to loopback and private addresses. For `trusted` see `HttpClient`."""
        key = allow_private, trusted
        if key not in self._clients:
            self._clients[key] = HttpClient(self.clock, allow_private=allow_private, trusted=trusted, permit=self.permit)
        return self._clients[key]
