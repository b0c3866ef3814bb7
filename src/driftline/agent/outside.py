"""The outside world of one agent: the HTTP client and the place where people look.

Refuses to be made twice: one client for guarded addresses, one for sinks that may reach private
ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from driftline.config.models import SinkConfig
from driftline.contracts.context import Http, Logger, StartContext
from driftline.delivery.network.dial import Dial
from driftline.delivery.network.fence import Fence
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.notification import Notification


@dataclass
class Outside:
    """What sinks reach the world through."""

    console: TextIO
    clock: Callable[[], datetime]
    seed: int
    """For the jitter of retries."""
    permit: Callable[[], None] = lambda: None
    """Called right before a request leaves; raises when this agent must no longer send."""
    phrasebook: Phrasebook | None = None
    """How alerts read in messages; as the installed plugins say when None."""
    _clients: dict[tuple[bool, Path | None], HttpClient] = field(default_factory=dict)

    def http(self, allow_private: bool, trusted: Path | None = None) -> Http:
        """The client; with `allow_private` it also goes to loopback and private addresses. For
        `trusted` see `HttpClient`.
        """
        key = allow_private, trusted
        if key not in self._clients:
            self._clients[key] = HttpClient(
                self.clock, allow_private=allow_private, trusted=trusted, permit=self.permit
            )
        return self._clients[key]

    def context(
        self,
        name: str,
        sink: SinkConfig,
        log: Logger,
        base: Path,
        earlier: Callable[[Notification], str] = lambda notification: "",
        chart: Callable[[Notification], bytes | None] = lambda notification: None,
        chart_url: Callable[[Notification], str | None] = lambda notification: None,
    ) -> StartContext:
        """What the sink called `name` is started with; without a state there is nothing earlier,
        and no chart.
        """
        templates: dict[str, str] = {
            piece: told if isinstance(told, str) else told.text(base)
            for piece, told in sink.templates.items()
        }
        dial = Dial(sink.allow_private, self.permit)
        return StartContext(
            name=name,
            log=log,
            clock=self.clock,
            http=self.http(sink.allow_private),
            console=self.console,
            base=base,
            message=Renderer(templates, log, self.phrasebook),
            connect=dial,
            fenced=Fence(dial),
            chart=chart,
            chart_url=chart_url,
            earlier=earlier,
        )
