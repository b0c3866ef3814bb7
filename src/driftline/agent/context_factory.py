"""Makes the start contexts of sinks and actions: HTTP client, console, templates, connections.

There is one HTTP client for public addresses, and others for sinks that may reach private ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from driftline.config import ActionConfig
from driftline.config.models import SinkConfig
from driftline.contracts.context import Http, Logger, StartContext
from driftline.delivery.network.dial import Dial
from driftline.delivery.network.fence import Fence
from driftline.delivery.network.http import HttpClient
from driftline.delivery.rendering.renderer import Renderer
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.notification import Notification


@dataclass(kw_only=True)
class ContextFactory:
    """Makes the start contexts of sinks and actions."""

    console: TextIO
    clock: Callable[[], datetime]
    base: Path
    """The folder of the configuration."""
    permit: Callable[[], None] = lambda: None
    """Called right before a request leaves; raises when this agent must no longer send."""
    scrub: Callable[[str], str] = lambda text: text
    """Takes the secrets of the configuration out of a text."""
    phrasebook: Phrasebook | None = None
    """How alerts read in messages; as the installed plugins declare it when None."""
    _clients: dict[tuple[bool, Path | None, str], HttpClient] = field(default_factory=dict)

    def http_client(self, allow_private: bool, ca_file: Path | None = None, part: str = "") -> Http:
        """Return the client; with `allow_private` it may reach loopback and private addresses.

        `ca_file` holds the certificates of the authorities to trust, in place of the public ones.
        `part` is the part of the configuration that it works for, such as `sinks.chat`.
        """
        key = allow_private, ca_file, part
        if key not in self._clients:
            self._clients[key] = HttpClient(
                self.clock,
                allow_private=allow_private,
                ca_file=ca_file,
                permit=self.permit,
                scrub=self.scrub,
                part=part,
            )
        return self._clients[key]

    def sink_context(
        self,
        name: str,
        sink: SinkConfig,
        log: Logger,
        *,
        earlier: Callable[[Notification], str] = lambda notification: "",
        chart: Callable[[Notification], bytes | None] = lambda notification: None,
        chart_url: Callable[[Notification], str | None] = lambda notification: None,
    ) -> StartContext:
        """Return the start context of the sink called `name`.

        The defaults of `earlier`, `chart` and `chart_url` are for callers without a state: there
        is no earlier message and no chart.
        """
        templates: dict[str, str] = {
            piece: template if isinstance(template, str) else template.text(self.base)
            for piece, template in sink.templates.items()
        }
        part = f"sinks.{name}"
        dial = Dial(sink.allow_private, self.permit, part=part)
        return StartContext(
            name=name,
            log=log,
            clock=self.clock,
            http=self.http_client(sink.allow_private, part=part),
            console=self.console,
            config_folder=self.base,
            render=Renderer(templates, log, self.phrasebook),
            connect=dial,
            guard_connections=Fence(dial),
            chart=chart,
            chart_url=chart_url,
            find_earlier_result=earlier,
        )

    def action_context(self, name: str, action: ActionConfig, log: Logger) -> StartContext:
        """Return the start context of an action; `name` is its part, such as `actions.retrain`."""
        ca_file = self.base / action.trusted if action.trusted else None
        return StartContext(
            name=name,
            log=log,
            clock=self.clock,
            http=self.http_client(action.allow_private, ca_file, name),
            console=self.console,
            config_folder=self.base,
        )
