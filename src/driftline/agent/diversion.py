"""What a sink refused, and all that waits for one that seems dead or rests for long, goes to the
fallback of its route.

Refuses to wait for a sink that takes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from driftline.agent.compose import fallback_receivers_of
from driftline.config import Config
from driftline.delivery import fallback
from driftline.delivery.worker import Outcome, Report
from driftline.state import outbox
from driftline.state.store import Store
from driftline.types.notification import Notification

LONG = timedelta(hours=1)
"""A pause that is longer goes beyond what a chat or a pager asks of a busy client."""
DEAD = 5
"""Failures in a row after which a sink's messages go to its fallback, too."""


def divert_undelivered(config: Config, store: Store, report: Report) -> list[str]:
    """Give others what the sink of `report` does not take. Returns the names of those that are
    told.
    """
    if report.outcome in (Outcome.SENT, Outcome.THROTTLED):
        return []
    with store.read() as connection:
        dead = outbox.failures(connection, report.sink) >= DEAD
        messages = (
            [report.notification]
            if report.lost
            else outbox.undelivered(connection, report.sink)
            if dead
            else []
        )
    return _give(config, store, report.sink, messages, report.at)


def divert_paused(
    config: Config, store: Store, model: str, now: datetime
) -> dict[str, tuple[datetime, list[str]]]:
    """The same for what a model has waiting for sinks whose receiver asked for a pause of more than
    `LONG`.

    Returns until when, and who is told instead, by sink.
    """
    with store.read() as connection:
        until = {name: outbox.not_before(connection, name) for name in config.sinks}
        resting = {name: at for name, at in until.items() if at is not None and at - now > LONG}
        waiting = {
            name: [
                message
                for message in outbox.undelivered(connection, name)
                if message.model == model
            ]
            for name in resting
        }
    return {
        name: (resting[name], _give(config, store, name, waiting[name], now))
        for name in resting
        if waiting[name]
    }


def _give(
    config: Config, store: Store, sink: str, messages: Sequence[Notification], now: datetime
) -> list[str]:
    ways = {
        name: fallback_receivers_of(config, name)
        for name in {message.model for message in messages} & config.models.keys()
    }
    messages = [message for message in messages if message.model in ways]
    if not messages:
        return []
    with store.write() as connection:
        return fallback.divert(
            connection, sink, messages, lambda message: ways[message.model](message), now
        )
