"""When a sink takes nothing: its messages go to the sinks that its route names for that.

Refuses to take anything away: the sink keeps its own messages, and gets them when it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from driftline.alerting.fact import message_id
from driftline.state import outbox
from driftline.state.incident_store import SinkPlan
from driftline.types.notification import Event, Notification


def divert(
    connection: Connection,
    sink: str,
    messages: Iterable[Notification],
    instead: Callable[[Notification], Sequence[SinkPlan]],
    now: datetime,
) -> list[str]:
    """Write `messages`, which `sink` does not take, for the sinks that `instead` names. Returns the
    names of these.

    The end of an incident goes only where it was told of: alerting sees to that.
    """
    told: dict[str, None] = {}
    for message in messages:
        if message.event in (Event.RESOLVED, Event.TEST):
            continue
        for plan in instead(message):
            if plan.name == sink or message.severity.rank < plan.min_severity.rank:
                continue
            id = message_id(message.incident, message.revision, plan.name)
            facts = {**message.facts, "sent here because": f"{sink} took no message"}
            if outbox.add_message(
                connection, message.model_copy(update={"id": id, "facts": facts}), plan.name, now
            ):
                told[plan.name] = None
    return list(told)
