"""Stores the outbox: messages for sinks, and their outcome.

Does not send. A row is `pending`, then `sending` (committed before the first byte is sent), then
`sent` or `refused`. After a failure it is `pending` again, or `unknown` when the message may have
arrived. A `superseded` row is no longer needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import and_, case, exists, func, or_, select, true, update
from sqlalchemy.engine import Connection

from driftline.state.notification_json import dump_notification, parse_notification
from driftline.state.tables import outbox, sinks
from driftline.types.message_state import DUE, UNDELIVERED, MessageState
from driftline.types.notification import OPEN, Event, Notification
from driftline.types.records import ClaimedMessage
from driftline.types.times import as_micros, from_micros, from_micros_or_none

ERROR_LENGTH = 500
TURNS = (Event.OPENED.value, Event.REOPENED.value, Event.RESOLVED.value)
"""Events that open or end an incident."""
DOWN_AFTER = 3
"""Failures in a row after which turns that were never tried are superseded, too."""
LATE_AFTER = timedelta(minutes=10)
"""A message that waited for longer says when it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message that was refused, or given up after too long."""

    id: str
    sink: str
    incident: str
    event: str
    title: str
    attempts: int
    finished_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """The state of one sink."""

    name: str
    counts: Mapping[str, int]
    """Rows by state."""
    oldest: datetime | None
    """When the oldest undelivered message was written."""
    failures: int
    """In a row."""
    not_before: datetime | None
    """No request before this time."""
    last_sent: datetime | None
    error: str
    """The newest error; empty after a success."""

    @property
    def waiting(self) -> int:
        """Count the messages that the sink has not taken yet."""
        return sum(self.counts.get(state, 0) for state in UNDELIVERED)


def recover_unfinished(connection: Connection, now: datetime) -> int:
    """After a crash: make `sending` rows `unknown`, and due; return the number of rows."""
    rows = update(outbox).where(outbox.c.state == MessageState.SENDING)
    return connection.execute(
        rows.values(state=MessageState.UNKNOWN, not_before=as_micros(now))
    ).rowcount


def claim_next(connection: Connection, sink: str, now: datetime) -> ClaimedMessage | None:
    """Make the next due row `sending` and return it; None when nothing may be sent now.

    A row is due only when all older rows of its incident are delivered. Commit before sending.
    """
    if now < (load_pause_end(connection, sink) or now):
        return None
    _supersede_older_rows(connection, sink, now)
    older = outbox.alias()
    has_older_row = exists().where(
        older.c.sink == outbox.c.sink,
        older.c.incident == outbox.c.incident,
        older.c.revision < outbox.c.revision,
        older.c.state.in_(UNDELIVERED),
    )
    due = (
        select(outbox)
        .where(
            outbox.c.sink == sink,
            outbox.c.state.in_(DUE),
            outbox.c.not_before <= as_micros(now),
            ~has_older_row,
        )
        .order_by(outbox.c.created, outbox.c.incident, outbox.c.revision)
        .limit(1)
    )
    while (row := connection.execute(due).mappings().first()) is not None:
        try:
            notification = parse_notification(row["payload"])
        except ValidationError as error:
            mark_refused(
                connection,
                row["id"],
                now,
                f"the stored message can't be read: {error.error_count()} mistakes",
            )
            continue
        was_sent = notification.event is Event.TEST or _was_sent(
            connection, sink, row["incident"], row["revision"]
        )
        attempts = row["attempts"] + 1
        created = from_micros(row["created"])
        written_at = notification.written_at or created
        is_late = now - written_at > LATE_AFTER and notification.event is not Event.TEST
        connection.execute(
            update(outbox)
            .where(outbox.c.id == row["id"])
            .values(state=MessageState.SENDING, attempts=attempts)
        )
        return ClaimedMessage(
            id=row["id"],
            notification=notification.model_copy(
                update={"sent_before": was_sent, "is_late": is_late}
            ),
            attempts=attempts,
            created=created,
            unknown=row["state"] == MessageState.UNKNOWN,
        )
    return None


def add_links(message: Notification, links: Mapping[str, str]) -> Notification:
    """Return the message with more links, by label; the one to open it comes first."""
    first = {OPEN: links[OPEN]} if OPEN in links else {}
    return message.model_copy(update={"links": {**first, **message.links, **links}})


def mark_sent(connection: Connection, id: str, now: datetime, remote: str = "") -> None:
    """Note that the receiver took the message; `remote` is its reference there."""
    _finish(connection, id, now, state=MessageState.SENT, remote=remote[:ERROR_LENGTH], error="")
    sink = select(outbox.c.sink).where(outbox.c.id == id).scalar_subquery()
    _ensure_sink_of_row(connection, id)
    connection.execute(
        update(sinks)
        .where(sinks.c.name == sink)
        .values(failures=0, error="", not_before=0, last_sent=as_micros(now))
    )


def load_receiver_reference(connection: Connection, sink: str, notification: Notification) -> str:
    """Load the receiver's reference of the incident's newest earlier message; empty if none."""
    earlier = (
        outbox.c.sink == sink,
        outbox.c.incident == notification.incident,
        outbox.c.revision < notification.revision,
    )
    query = select(outbox.c.remote).where(
        *earlier, outbox.c.state == MessageState.SENT, outbox.c.remote != ""
    )
    return str(connection.execute(query.order_by(outbox.c.revision.desc()).limit(1)).scalar() or "")


def load_undelivered(connection: Connection, sink: str, limit: int = 1000) -> list[Notification]:
    """Load the messages that `sink` has not taken yet, oldest first."""
    waiting = outbox.c.sink == sink, outbox.c.state.in_(UNDELIVERED)
    query = (
        select(outbox.c.payload)
        .where(*waiting)
        .order_by(outbox.c.created, outbox.c.revision)
        .limit(limit)
    )
    messages = []
    for payload in connection.execute(query).scalars():
        with suppress(ValidationError):  # a row that can't be read is refused later
            messages.append(parse_notification(payload))
    return messages


def add_message(
    connection: Connection, notification: Notification, sink: str, now: datetime
) -> bool:
    """Write a message for `sink`; False when it has this incident and revision already."""
    same = (
        outbox.c.sink == sink,
        outbox.c.incident == notification.incident,
        outbox.c.revision == notification.revision,
    )
    if connection.execute(select(exists().where(*same))).scalar():
        return False
    if notification.written_at is None:
        notification = notification.model_copy(update={"written_at": now})
    row = {
        "id": notification.id,
        "sink": sink,
        "incident": notification.incident,
        "revision": notification.revision,
    }
    moments = {"created": as_micros(now), "not_before": as_micros(now)}
    payload = {
        "event": notification.event.value,
        "payload": dump_notification(notification),
        "state": MessageState.PENDING,
    }
    connection.execute(outbox.insert().values(**row, **moments, **payload))
    return True


def schedule_retry(
    connection: Connection,
    id: str,
    not_before: datetime,
    error: str,
    *,
    unknown: bool,
) -> None:
    """Schedule the next attempt at `not_before`. With `unknown` the message may have arrived."""
    state = MessageState.UNKNOWN if unknown else MessageState.PENDING
    text = error[:ERROR_LENGTH]
    values = {"state": state, "not_before": as_micros(not_before), "error": text}
    connection.execute(update(outbox).where(outbox.c.id == id).values(**values))
    _add_failure(connection, id, text)


def mark_refused(connection: Connection, id: str, now: datetime, error: str) -> None:
    """Make a message a dead letter: the receiver will never take it as it is."""
    _finish(connection, id, now, state=MessageState.REFUSED, error=error[:ERROR_LENGTH])
    name = _ensure_sink_of_row(connection, id)
    connection.execute(update(sinks).where(sinks.c.name == name).values(error=error[:ERROR_LENGTH]))


def pause_sink(connection: Connection, sink: str, until: datetime) -> None:
    """Pause `sink` until `until`; a longer pause stays. Pauses survive restarts."""
    ensure_sink(connection, sink)
    shorter = sinks.c.name == sink, sinks.c.not_before < as_micros(until)
    connection.execute(update(sinks).where(*shorter).values(not_before=as_micros(until)))


def load_pause_end(connection: Connection, sink: str) -> datetime | None:
    """The time before which `sink` gets no request; None when it is not paused."""
    value = connection.execute(select(sinks.c.not_before).where(sinks.c.name == sink)).scalar()
    return from_micros(value) if value else None


def count_failures(connection: Connection, sink: str) -> int:
    """Count the failures of `sink` in a row."""
    return int(
        connection.execute(select(sinks.c.failures).where(sinks.c.name == sink)).scalar() or 0
    )


def find_next_due(connection: Connection, sink: str) -> datetime | None:
    """Find when the next row of `sink` may be due; None when no row waits."""
    waiting = outbox.c.sink == sink, outbox.c.state.in_(DUE)
    first = connection.execute(select(func.min(outbox.c.not_before)).where(*waiting)).scalar()
    if first is None:
        return None
    until = load_pause_end(connection, sink)
    return max(from_micros(first), until) if until else from_micros(first)


def list_dead_letters(
    connection: Connection, sink: str | None = None, limit: int = 100
) -> list[DeadLetter]:
    """List the dead letters, the newest first."""
    query = (
        select(outbox)
        .where(outbox.c.state == MessageState.REFUSED)
        .order_by(outbox.c.finished.desc(), outbox.c.id)
        .limit(limit)
    )
    if sink is not None:
        query = query.where(outbox.c.sink == sink)
    return [
        DeadLetter(
            id=row["id"],
            sink=row["sink"],
            incident=row["incident"],
            event=row["event"],
            title=_title(row["payload"]),
            attempts=row["attempts"],
            finished_at=from_micros_or_none(row["finished"]),
            error=row["error"],
        )
        for row in connection.execute(query).mappings()
    ]


def rearm_dead_letter(connection: Connection, id: str, now: datetime) -> bool:
    """Make a dead letter due again.

    Returns False when there is none, or when a newer message of its incident was sent since.
    """
    row = (
        connection.execute(
            select(outbox).where(outbox.c.id == id, outbox.c.state == MessageState.REFUSED)
        )
        .mappings()
        .first()
    )
    if row is None:
        return False
    same = (
        outbox.c.sink == row["sink"],
        outbox.c.incident == row["incident"],
        outbox.c.revision > row["revision"],
    )
    late = connection.execute(
        select(
            exists().where(
                *same,
                outbox.c.state.in_((MessageState.SENT, MessageState.SENDING, MessageState.UNKNOWN)),
            )
        )
    ).scalar()
    values = (
        {"state": MessageState.SUPERSEDED}
        if late
        else {
            "state": MessageState.PENDING,
            "finished": None,
            "not_before": as_micros(now),
            "attempts": 0,
        }
    )
    connection.execute(
        update(outbox).where(outbox.c.id == id).values(**values, created=as_micros(now))
    )
    return not late


def load_sink_status(connection: Connection) -> dict[str, SinkStatus]:
    """Load the state of every sink that ever had a message, by name."""
    counts: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    waiting = func.min(case((outbox.c.state.in_(UNDELIVERED), outbox.c.created)))
    groups = select(outbox.c.sink, outbox.c.state, func.count(), waiting).group_by(
        outbox.c.sink, outbox.c.state
    )
    for sink, state, count, first in connection.execute(
        groups.order_by(outbox.c.sink, outbox.c.state)
    ):
        counts.setdefault(sink, {})[state] = count
        if first is not None:
            oldest[sink] = min(oldest.get(sink, from_micros(first)), from_micros(first))
    rows = {str(row["name"]): dict(row) for row in connection.execute(select(sinks)).mappings()}
    return {
        name: _status(name, counts.get(name, {}), oldest.get(name), rows.get(name, {}))
        for name in sorted(counts.keys() | rows.keys())
    }


def _status(
    name: str, counts: Mapping[str, int], oldest: datetime | None, row: Mapping[str, object]
) -> SinkStatus:
    def load_time(column: str) -> datetime | None:
        value = row.get(column)
        return from_micros(value) if isinstance(value, int) and value else None

    failures = row.get("failures", 0)
    return SinkStatus(
        name=name,
        counts=counts,
        oldest=oldest,
        failures=failures if isinstance(failures, int) else 0,
        not_before=load_time("not_before"),
        last_sent=load_time("last_sent"),
        error=str(row.get("error", "")),
    )


def _supersede_older_rows(connection: Connection, sink: str, now: datetime) -> None:
    """Supersede undelivered rows that have a newer message of their incident.

    A turn (see `TURNS`) is superseded when it certainly has not arrived, and any that waited for
    long or whose sink is down.
    """
    is_down = count_failures(connection, sink) >= DOWN_AFTER
    newer = outbox.alias()
    has_newer_row = exists().where(
        newer.c.sink == outbox.c.sink,
        newer.c.incident == outbox.c.incident,
        newer.c.revision > outbox.c.revision,
    )
    is_replaceable = or_(
        outbox.c.event.not_in((*TURNS, Event.TEST.value)),
        and_(
            outbox.c.event.in_(TURNS),
            true()
            if is_down
            else or_(
                and_(outbox.c.state == MessageState.PENDING, outbox.c.attempts > 0),
                outbox.c.created < as_micros(now - LATE_AFTER),
            ),
        ),
    )
    state = case(
        (outbox.c.state == MessageState.UNKNOWN, MessageState.POSSIBLY_SENT.value),
        else_=MessageState.SUPERSEDED.value,
    )
    rows = update(outbox).where(
        outbox.c.sink == sink,
        outbox.c.state.in_(DUE),
        is_replaceable,
        has_newer_row,
    )
    connection.execute(rows.values(state=state, finished=as_micros(now)))


def _was_sent(connection: Connection, sink: str, incident: str, revision: int) -> bool:
    """Whether an earlier message of the incident arrived, or may have."""
    earlier = outbox.c.sink == sink, outbox.c.incident == incident, outbox.c.revision < revision
    arrived = outbox.c.state.in_((MessageState.SENT, MessageState.POSSIBLY_SENT))
    return bool(connection.execute(select(exists().where(*earlier, arrived))).scalar())


def _finish(connection: Connection, id: str, now: datetime, **values: object) -> None:
    connection.execute(
        update(outbox).where(outbox.c.id == id).values(finished=as_micros(now), **values)
    )


def _add_failure(connection: Connection, id: str, error: str) -> None:
    name = _ensure_sink_of_row(connection, id)
    connection.execute(
        update(sinks).where(sinks.c.name == name).values(failures=sinks.c.failures + 1, error=error)
    )


def _ensure_sink_of_row(connection: Connection, id: str) -> str:
    name = connection.execute(select(outbox.c.sink).where(outbox.c.id == id)).scalar_one()
    ensure_sink(connection, name)
    return str(name)


def ensure_sink(connection: Connection, name: str) -> None:
    """Note that a sink exists, if it is not noted yet."""
    if connection.execute(select(sinks.c.name).where(sinks.c.name == name)).scalar() is None:
        connection.execute(sinks.insert().values(name=name))


def _title(payload: str) -> str:
    try:
        return parse_notification(payload).title
    except ValidationError:
        return "(unreadable)"
