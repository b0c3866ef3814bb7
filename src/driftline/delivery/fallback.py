"""Sends the messages of a sink that fails to the fallback sinks of their routes.

The sink keeps its own messages and gets them when it works again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from driftline.alerting.fact import message_id
from driftline.state import outbox
from driftline.state.incident_store import SinkPlan
from driftline.types.notification import Event, Notification


def divert_messages(
    connection: Connection,
    sink: str,
    messages: Iterable[Notification],
    find_fallback: Callable[[Notification], Sequence[SinkPlan]],
    now: datetime,
) -> list[str]:
    """Write the messages that `sink` does not take for their fallback sinks; return their names.

    The end of an incident is left out: alerting sends it to the sinks that had a message before. A
    report can wait until the sink works again.
    """
    receivers: dict[str, None] = {}
    for message in messages:
        if message.event in (Event.RESOLVED, Event.TEST, Event.REPORT):
            continue
        for plan in find_fallback(message):
            if plan.name == sink or message.severity.rank < plan.min_severity.rank:
                continue
            id = message_id(message.incident, message.revision, plan.name)
            facts = {**message.facts, "sent here because": f"{sink} took no message"}
            if outbox.add_message(
                connection, message.model_copy(update={"id": id, "facts": facts}), plan.name, now
            ):
                receivers[plan.name] = None
    return list(receivers)
