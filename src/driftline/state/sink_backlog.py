"""What the receiver of a sink does not know of the incidents: it refused a message, or is new.

A sink is behind with an incident while the newest message of it was not delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Subquery, and_, exists, func, or_, select, true, update
from sqlalchemy.engine import Connection

from driftline.alerting.fact import message_id
from driftline.state.action_runs import ACTION_PREFIX
from driftline.state.notification_json import dump_notification, parse_notification
from driftline.state.outbox import add_links, add_message, ensure_sink
from driftline.state.tables import incident_events, incidents, outbox, sinks
from driftline.types.family import Family
from driftline.types.message_state import UNDELIVERED, MessageState
from driftline.types.notification import Event, Notification
from driftline.types.times import as_micros, from_micros

REPEAT_AFTER = timedelta(hours=1)
"""How long a receiver that refused an incident again is not asked once more."""
SINK_REMOVED = "sink removed"
"""The error of messages whose sink is no longer in the configuration."""
NOT_A_STATE = (Event.RESOLVED.value, Event.ACKNOWLEDGED.value, Event.SILENCED.value)
"""Events whose message does not say how an open incident stands."""
Links = Callable[[Connection, Notification, datetime], Mapping[str, str]]
"""Returns the addresses of an incident and of the acts on it, by label."""


def is_behind(connection: Connection, sink: str, model: str | None = None) -> bool:
    """Whether `sink` is behind with an incident of `model`; with any incident if it is None.

    Of a model, incidents about the agent itself don't count: one of them says that the sink is
    behind.
    """
    newest = _newest_rows(sink)
    query = (
        select(newest.c.incident)
        .join(incidents, incidents.c.id == newest.c.incident)
        .where(
            true()
            if model is None
            else and_(incidents.c.model == model, incidents.c.cause != Family.MONITORING.value),
            newest.c.state.in_((*UNDELIVERED, MessageState.REFUSED)),
            _is_owed(sink),
        )
    )
    return connection.execute(query.limit(1)).first() is not None


def catch_up(connection: Connection, sink: str, now: datetime, links: Links) -> list[str]:
    """Write the newest message of each incident whose message the receiver refused.

    Call it when the receiver has taken another message. Messages say that they are late. An
    incident that was refused again waits for an hour. Returns the incidents.
    """
    newest = _newest_rows(sink)
    query = (
        select(newest, incidents.c.state.label("incident_state"))
        .join(incidents, incidents.c.id == newest.c.incident)
        .where(newest.c.state == MessageState.REFUSED, _is_owed(sink))
        .order_by(newest.c.created, newest.c.incident)
    )
    caught_up = []
    for row in connection.execute(query).mappings().all():
        refused = _parse(row["payload"])
        written_at = (refused and refused.written_at) or from_micros(row["created"])
        was_repeated = written_at < from_micros(row["created"])
        if was_repeated and from_micros(row["finished"]) > now - REPEAT_AFTER:
            continue
        is_open = row["incident_state"] == "firing"
        message = _load_state_message(connection, row["incident"], is_open=is_open)
        if message is None or (is_open and _is_about(message, sink)):
            continue
        message = add_links(message, links(connection, message, now))
        message = message.model_copy(update={"written_at": written_at})
        _replace_refused(connection, sink, message, now)
        caught_up.append(message.incident)
    return caught_up


def note_sinks(connection: Connection, names: Collection[str]) -> list[str]:
    """Note that sinks are in the configuration; return those that are new."""
    known = set(connection.execute(select(sinks.c.name)).scalars())
    known |= set(connection.execute(select(outbox.c.sink).distinct()).scalars())
    for name in names:
        ensure_sink(connection, name)
    return [name for name in names if name not in known]


def load_open_messages(connection: Connection, model: str) -> list[Notification]:
    """Load the newest message of each open incident of `model`, the oldest incident first.

    An incident whose messages are all held back has none.
    """
    query = select(incidents.c.id).where(incidents.c.model == model, incidents.c.state == "firing")
    messages = [
        _load_state_message(connection, incident, is_open=True)
        for incident in connection.execute(query.order_by(incidents.c.since)).scalars()
    ]
    return [message for message in messages if message is not None]


def introduce_sink(
    connection: Connection, sink: str, messages: Sequence[Notification], now: datetime, links: Links
) -> None:
    """Write messages about open incidents for a sink that is new."""
    for message in messages:
        message = add_links(message, links(connection, message, now))
        id = message_id(message.incident, message.revision, sink)
        add_message(connection, message.model_copy(update={"id": id}), sink, now)


def close_removed_sinks(
    connection: Connection, names: Collection[str], now: datetime
) -> dict[str, int]:
    """Close the messages that wait for sinks outside `names`; return their number by sink."""
    is_removed = and_(
        outbox.c.sink.not_in(names),
        outbox.c.sink.not_like(f"{ACTION_PREFIX}%"),
        outbox.c.state.in_(UNDELIVERED),
    )
    query = select(outbox.c.sink, func.count()).where(is_removed).group_by(outbox.c.sink)
    counts = {str(sink): int(count) for sink, count in connection.execute(query)}
    if counts:
        closed = {
            "state": MessageState.SUPERSEDED,
            "error": SINK_REMOVED,
            "finished": as_micros(now),
        }
        connection.execute(update(outbox).where(is_removed).values(**closed))
    return counts


def _newest_rows(sink: str) -> Subquery:
    """The newest row of each incident for a sink."""
    newer = outbox.alias("newer")
    has_newer = exists().where(
        newer.c.sink == outbox.c.sink,
        newer.c.incident == outbox.c.incident,
        newer.c.revision > outbox.c.revision,
    )
    return select(outbox).where(outbox.c.sink == sink, ~has_newer).subquery("newest")


def _is_owed(sink: str) -> ColumnElement[bool]:
    """Whether the receiver must hear of an incident: it is open, or its opening was delivered."""
    earlier = outbox.alias("earlier")
    arrived = (MessageState.SENT, MessageState.POSSIBLY_SENT)
    return or_(
        incidents.c.state == "firing",
        exists().where(
            earlier.c.sink == sink,
            earlier.c.incident == incidents.c.id,
            earlier.c.state.in_(arrived),
        ),
    )


def _load_state_message(
    connection: Connection, incident: str, *, is_open: bool
) -> Notification | None:
    """Load the newest message that says how an incident stands, or that it is over.

    None where every such message is held back. It is written at the end of the window that it is
    about.
    """
    event = incident_events.c.event
    query = (
        select(incident_events.c.facts, incident_events.c.at)
        .where(
            incident_events.c.incident == incident,
            incident_events.c.held == "",
            event.not_in(NOT_A_STATE) if is_open else event == Event.RESOLVED.value,
        )
        .order_by(incident_events.c.revision.desc())
    )
    row = connection.execute(query.limit(1)).first()
    message = None if row is None else _parse(row.facts)
    if row is None or message is None:
        return None
    return message.model_copy(update={"written_at": from_micros(row.at)})


def _replace_refused(
    connection: Connection, sink: str, message: Notification, now: datetime
) -> None:
    """Write `message` for `sink` in place of the refused messages of its incident."""
    message = message.model_copy(
        update={"id": message_id(message.incident, message.revision, sink)}
    )
    refused = and_(
        outbox.c.sink == sink,
        outbox.c.incident == message.incident,
        outbox.c.state == MessageState.REFUSED,
    )
    connection.execute(
        update(outbox)
        .where(refused, outbox.c.revision != message.revision)
        .values(state=MessageState.SUPERSEDED)
    )
    waiting = {
        "state": MessageState.PENDING,
        "payload": dump_notification(message),
        "finished": None,
        "not_before": as_micros(now),
        "created": as_micros(now),
        "attempts": 0,
    }
    if not connection.execute(update(outbox).where(refused).values(**waiting)).rowcount:
        add_message(connection, message, sink, now)


def _is_about(message: Notification, sink: str) -> bool:
    """Whether a message is about trouble of `sink` itself, which is over when it is read."""
    return message.cause == Family.MONITORING and all(
        alert.check == sink for alert in message.alerts
    )


def _parse(payload: str) -> Notification | None:
    try:
        return parse_notification(payload)
    except ValidationError:
        return None
