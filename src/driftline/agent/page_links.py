"""Links of messages to the pages of this agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from driftline.config import Config
from driftline.delivery import links
from driftline.types.notification import Notification


@dataclass(frozen=True)
class PageLinks:
    """Makes signed links; none where `agent.public_url` or `agent.token` is not set."""

    config: Config

    def links(self, notification: Notification, now: datetime) -> Mapping[str, str]:
        """Return the address of the incident and of each act on it, by label."""
        agent = self.config.agent
        if agent.public_url is None or agent.token is None:
            return {}
        return links.incident_links(notification, agent.public_url, agent.token.reveal(), now)

    def chart_link(self, notification: Notification, now: datetime) -> str | None:
        """Return where services can fetch the chart of an incident, None where they can't."""
        agent = self.config.agent
        if agent.public_url is None or agent.token is None:
            return None
        return links.chart_link(notification, agent.public_url, agent.token.reveal(), now)
