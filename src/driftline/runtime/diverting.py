"""What a sink refused, and all that waits for one that seems dead, goes to the fallback of its route.

Refuses to wait for a sink that takes nothing.
"""

from __future__ import annotations

from driftline.config import Config
from driftline.delivery import fallback
from driftline.delivery.worker import Outcome, Report
from driftline.runtime.compose import instead
from driftline.state import outbox
from driftline.state.store import Store

DEAD = 5
"""Failures in a row after which a sink's messages go to its fallback, too."""


def divert(config: Config, store: Store, report: Report) -> list[str]:
    """Give others what the sink of `report` does not take. Returns the names of those that are told."""
    if report.outcome in (Outcome.SENT, Outcome.THROTTLED):
        return []
    with store.read() as connection:
        dead = outbox.failures(connection, report.sink) >= DEAD
        messages = [report.notification] if report.lost else outbox.undelivered(connection, report.sink) if dead else []
    ways = {name: instead(config, name) for name in {message.model for message in messages} & config.models.keys()}
    messages = [message for message in messages if message.model in ways]
    if not messages:
        return []
    with store.write() as connection:
        return fallback.divert(connection, report.sink, messages, lambda message: ways[message.model](message), report.at)
