"""Links of messages to the pages of this agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from driftline.config import Config
from driftline.delivery import links
from driftline.state.link_keys import load_keys
from driftline.types.notification import Notification


@dataclass(frozen=True)
class PageLinks:
    """Makes signed links; none where `agent.public_url` or `agent.token` is not set."""

    config: Config

    def links(
        self, connection: Connection, notification: Notification, now: datetime
    ) -> Mapping[str, str]:
        """Return the address of the incident and of each act on it, by label."""
        base = self._find_base()
        key = self._load_key(connection, now)
        return {} if key is None else links.incident_links(notification, base, key, now)

    def chart_link(
        self, connection: Connection, notification: Notification, now: datetime
    ) -> str | None:
        """Return where services can fetch the chart of an incident, None where they can't."""
        base = self._find_base()
        key = self._load_key(connection, now)
        return None if key is None else links.chart_link(notification, base, key, now)

    def _find_base(self) -> str:
        agent = self.config.agent
        return "" if agent.token is None else agent.public_url or ""

    def _load_key(self, connection: Connection, now: datetime) -> bytes | None:
        return next(iter(load_keys(connection, now)), None) if self._find_base() else None
