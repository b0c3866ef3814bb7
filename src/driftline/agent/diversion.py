"""Gives messages that a sink does not accept to the fallback of their route.

A message goes to the fallback when its sink rejected it, or when the sink keeps failing or pauses
for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from driftline.agent.receivers import fallback_receivers_of
from driftline.config import Config
from driftline.delivery import fallback
from driftline.delivery.worker import DeliveryOutcome, DeliveryReport
from driftline.state import outbox
from driftline.state.store import Store
from driftline.types.notification import Notification

LONG_PAUSE = timedelta(hours=1)
"""A longer pause is more than what a chat or a pager asks of a busy client."""
MAX_FAILURES = 5
"""Failures in a row after which all messages of a sink go to its fallback."""


def divert_undelivered(config: Config, store: Store, report: DeliveryReport) -> list[str]:
    """Give what the sink of `report` did not accept to others.

    Returns the names of the sinks that receive it instead.
    """
    if report.outcome is DeliveryOutcome.SENT:
        return []
    messages: Sequence[Notification] = []
    with store.read() as connection:
        if report.is_dead_letter:
            messages = [report.notification]
        elif outbox.count_failures(connection, report.sink) >= MAX_FAILURES:
            messages = outbox.load_undelivered(connection, report.sink)
    return _divert(config, store, report.sink, messages, report.at)


def divert_paused(
    config: Config, store: Store, model: str, now: datetime
) -> dict[str, tuple[datetime, list[str]]]:
    """Give the messages of a model that wait for sinks with a long pause to others.

    Returns by sink the end of the pause and the names of the sinks that receive the messages
    instead.
    """
    pause_ends: dict[str, datetime] = {}
    waiting: dict[str, list[Notification]] = {}
    with store.read() as connection:
        for sink in config.sinks:
            end = outbox.load_pause_end(connection, sink)
            if end is None or end - now <= LONG_PAUSE:
                continue
            messages = [
                message
                for message in outbox.load_undelivered(connection, sink)
                if message.model == model
            ]
            if messages:
                pause_ends[sink], waiting[sink] = end, messages
    return {
        sink: (pause_ends[sink], _divert(config, store, sink, messages, now))
        for sink, messages in waiting.items()
    }


def _divert(
    config: Config, store: Store, sink: str, messages: Sequence[Notification], now: datetime
) -> list[str]:
    receivers = {
        model: fallback_receivers_of(config, model)
        for model in {message.model for message in messages} & config.models.keys()
    }
    messages = [message for message in messages if message.model in receivers]
    if not messages:
        return []
    with store.write() as connection:
        return fallback.divert_messages(
            connection, sink, messages, lambda message: receivers[message.model](message), now
        )
