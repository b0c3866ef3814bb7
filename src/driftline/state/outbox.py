"""The outbox: what is to be said, to whom, and what became of it.

Refuses to send. A row is `pending`, then `sending` (committed before any byte leaves), then `sent`,
`refused`, or again `pending` when nothing happened at the receiver, or `unknown` when something may
have. `superseded` rows were never needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import and_, case, exists, func, or_, select, update
from sqlalchemy.engine import Connection

from driftline.state.notification_json import dump_notification
from driftline.state.tables import as_micros, from_micros, outbox, sinks
from driftline.types.notification import Event, Notification
from driftline.types.records import ClaimedMessage

UNDELIVERED = ("pending", "sending", "unknown")
ERROR_LENGTH = 500
TURNS = (Event.OPENED.value, Event.REOPENED.value, Event.RESOLVED.value)
DOWN = 3
"""Failures in a row after which turns that were never tried give way, too."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that was refused or given up."""

    id: str
    sink: str
    incident: str
    event: str
    title: str
    attempts: int
    finished_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """What is known of one sink."""

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
    """The newest, empty after a success."""

    @property
    def waiting(self) -> int:
        """Messages that the sink has not taken yet."""
        return sum(self.counts.get(state, 0) for state in UNDELIVERED)


def recover_unfinished(connection: Connection, now: datetime) -> int:
    """At start: what was `sending` when the agent died is `unknown` now, and due. Returns the
    number of rows.
    """
    rows = update(outbox).where(outbox.c.state == "sending")
    return connection.execute(rows.values(state="unknown", not_before=as_micros(now))).rowcount


def claim_next(connection: Connection, sink: str, now: datetime) -> ClaimedMessage | None:
    """The next row that is due, made `sending`; None when nothing may be sent now.

    Rows of one incident go in order: one is due only when no older one is undelivered. Commit
    before sending.
    """
    if now < (not_before(connection, sink) or now):
        return None
    _fold(connection, sink, now)
    older = outbox.alias()
    waits = exists().where(
        older.c.sink == outbox.c.sink, older.c.incident == outbox.c.incident, older.c.revision < outbox.c.revision,
        older.c.state.in_(UNDELIVERED),
    )  # fmt: skip
    due = (
        select(outbox)
        .where(
            outbox.c.sink == sink,
            outbox.c.state.in_(("pending", "unknown")),
            outbox.c.not_before <= as_micros(now),
            ~waits,
        )
        .order_by(outbox.c.created, outbox.c.incident, outbox.c.revision)
        .limit(1)
    )
    while (row := connection.execute(due).mappings().first()) is not None:
        try:
            notification = Notification.model_validate_json(row["payload"])
        except ValidationError as error:
            mark_refused(
                connection,
                row["id"],
                now,
                f"the stored message can't be read: {error.error_count()} mistakes",
            )
            continue
        told = notification.event is Event.TEST or _was_sent(
            connection, sink, row["incident"], row["revision"]
        )
        attempts = row["attempts"] + 1
        connection.execute(
            update(outbox)
            .where(outbox.c.id == row["id"])
            .values(state="sending", attempts=attempts)
        )
        whole = notification.model_copy(update={"sent_before": told})
        return ClaimedMessage(
            row["id"], whole, attempts, from_micros(row["created"]), row["state"] == "unknown"
        )
    return None


def mark_sent(connection: Connection, id: str, now: datetime, remote: str = "") -> None:
    """The receiver took it; its reference is `remote`."""
    _finish(connection, id, now, state="sent", remote=remote[:ERROR_LENGTH], error="")
    sink = select(outbox.c.sink).where(outbox.c.id == id).scalar_subquery()
    _ensure(connection, id)
    connection.execute(
        update(sinks)
        .where(sinks.c.name == sink)
        .values(failures=0, error="", not_before=0, last_sent=as_micros(now))
    )


def load_receiver_reference(connection: Connection, sink: str, notification: Notification) -> str:
    """What the receiver called the newest message of the incident that `sink` took before
    `notification`; else empty.
    """
    earlier = (
        outbox.c.sink == sink,
        outbox.c.incident == notification.incident,
        outbox.c.revision < notification.revision,
    )
    query = select(outbox.c.remote).where(*earlier, outbox.c.state == "sent", outbox.c.remote != "")
    return str(connection.execute(query.order_by(outbox.c.revision.desc()).limit(1)).scalar() or "")


def load_undelivered(connection: Connection, sink: str, limit: int = 1000) -> list[Notification]:
    """What `sink` has not taken yet, oldest first."""
    waiting = outbox.c.sink == sink, outbox.c.state.in_(UNDELIVERED)
    query = (
        select(outbox.c.payload)
        .where(*waiting)
        .order_by(outbox.c.created, outbox.c.revision)
        .limit(limit)
    )
    found = []
    for payload in connection.execute(query).scalars():
        with suppress(ValidationError):  # what can't be read is refused when its turn comes
            found.append(Notification.model_validate_json(payload))
    return found


def add_message(
    connection: Connection, notification: Notification, sink: str, now: datetime
) -> bool:
    """Write one more message for `sink`. False when it has one of this incident and revision
    already.
    """
    same = (
        outbox.c.sink == sink,
        outbox.c.incident == notification.incident,
        outbox.c.revision == notification.revision,
    )
    if connection.execute(select(exists().where(*same))).scalar():
        return False
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
        "state": "pending",
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
    count_failure: bool = True,
) -> None:
    """It failed this time: try again at `not_before`; `unknown` when the receiver may have acted
    all the same.

    `count_failure` is False when the receiver only asked for a pause: that says nothing of its health.
    """
    state = "unknown" if unknown else "pending"
    text = error[:ERROR_LENGTH]
    values = {"state": state, "not_before": as_micros(not_before), "error": text}
    connection.execute(update(outbox).where(outbox.c.id == id).values(**values))
    if count_failure:
        _add_failure(connection, id, text)


def mark_refused(connection: Connection, id: str, now: datetime, error: str) -> None:
    """It will never get through as it is: keep it as a dead letter."""
    _finish(connection, id, now, state="refused", error=error[:ERROR_LENGTH])
    name = _ensure(connection, id)
    connection.execute(update(sinks).where(sinks.c.name == name).values(error=error[:ERROR_LENGTH]))


def pause_sink(connection: Connection, sink: str, until: datetime) -> None:
    """No request to `sink` before `until`, nor before what was asked for earlier; kept across
    restarts.
    """
    _ensure_name(connection, sink)
    shorter = sinks.c.name == sink, sinks.c.not_before < as_micros(until)
    connection.execute(update(sinks).where(*shorter).values(not_before=as_micros(until)))


def not_before(connection: Connection, sink: str) -> datetime | None:
    """The time before which `sink` gets no request, if any."""
    value = connection.execute(select(sinks.c.not_before).where(sinks.c.name == sink)).scalar()
    return from_micros(value) if value else None


def count_failures(connection: Connection, sink: str) -> int:
    """Failures of `sink` in a row."""
    return int(
        connection.execute(select(sinks.c.failures).where(sinks.c.name == sink)).scalar() or 0
    )


def find_next_due(connection: Connection, sink: str) -> datetime | None:
    """When the next row of `sink` may be due; None when nothing waits."""
    waiting = outbox.c.sink == sink, outbox.c.state.in_(("pending", "unknown"))
    first = connection.execute(select(func.min(outbox.c.not_before)).where(*waiting)).scalar()
    if first is None:
        return None
    until = not_before(connection, sink)
    return max(from_micros(first), until) if until else from_micros(first)


def list_dead_letters(
    connection: Connection, sink: str | None = None, limit: int = 100
) -> list[DeadLetter]:
    """What was refused or given up, newest first."""
    query = (
        select(outbox)
        .where(outbox.c.state == "refused")
        .order_by(outbox.c.finished.desc(), outbox.c.id)
        .limit(limit)
    )
    if sink is not None:
        query = query.where(outbox.c.sink == sink)
    return [
        DeadLetter(
            row["id"], row["sink"], row["incident"], row["event"], _title(row["payload"]), row["attempts"],
            from_micros(row["finished"]) if row["finished"] else None, row["error"],
        )
        for row in connection.execute(query).mappings()
    ]  # fmt: skip


def rearm_dead_letter(connection: Connection, id: str, now: datetime) -> bool:
    """Send a dead letter again. False when there is none, or when a newer message of its incident
    was sent since.
    """
    row = (
        connection.execute(select(outbox).where(outbox.c.id == id, outbox.c.state == "refused"))
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
        select(exists().where(*same, outbox.c.state.in_(("sent", "sending", "unknown"))))
    ).scalar()
    values = (
        {"state": "superseded"}
        if late
        else {"state": "pending", "finished": None, "not_before": as_micros(now), "attempts": 0}
    )
    connection.execute(
        update(outbox).where(outbox.c.id == id).values(**values, created=as_micros(now))
    )
    return not late


def load_sink_status(connection: Connection) -> dict[str, SinkStatus]:
    """Every sink that ever had a message, by name."""
    counts: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    waiting = func.min(case((outbox.c.state.in_(UNDELIVERED), outbox.c.created)))
    grouped = select(outbox.c.sink, outbox.c.state, func.count(), waiting).group_by(
        outbox.c.sink, outbox.c.state
    )
    for sink, state, count, first in connection.execute(
        grouped.order_by(outbox.c.sink, outbox.c.state)
    ):
        counts.setdefault(sink, {})[state] = count
        if first is not None:
            oldest[sink] = min(oldest.get(sink, from_micros(first)), from_micros(first))
    known = {str(row["name"]): dict(row) for row in connection.execute(select(sinks)).mappings()}
    return {
        name: _status(name, counts.get(name, {}), oldest.get(name), known.get(name, {}))
        for name in sorted(counts.keys() | known.keys())
    }


def _status(
    name: str, counts: Mapping[str, int], oldest: datetime | None, row: Mapping[str, object]
) -> SinkStatus:
    def when(column: str) -> datetime | None:
        value = row.get(column)
        return from_micros(value) if isinstance(value, int) and value else None

    failures = row.get("failures", 0)
    return SinkStatus(
        name, counts, oldest, failures if isinstance(failures, int) else 0, when("not_before"), when("last_sent"),
        str(row.get("error", "")),
    )  # fmt: skip


def _fold(connection: Connection, sink: str, now: datetime) -> None:
    """Undelivered changes, and turns that surely did not get through, give way to the newest
    message of their incident.

    A turn is an opening, an end or a return.
    """
    down = count_failures(connection, sink) >= DOWN
    newer = outbox.alias()
    overtaken = exists().where(
        newer.c.sink == outbox.c.sink,
        newer.c.incident == outbox.c.incident,
        newer.c.revision > outbox.c.revision,
    )
    failed = (
        outbox.c.state == "pending"
        if down
        else and_(outbox.c.state == "pending", outbox.c.attempts > 0)
    )
    gives_way = or_(
        and_(
            outbox.c.event.not_in((*TURNS, Event.TEST.value)),
            outbox.c.state.in_(("pending", "unknown")),
        ),
        and_(outbox.c.event.in_(TURNS), failed),
    )
    rows = update(outbox).where(
        outbox.c.sink == sink, outbox.c.state.in_(("pending", "unknown")), gives_way, overtaken
    )
    connection.execute(rows.values(state="superseded", finished=as_micros(now)))


def _was_sent(connection: Connection, sink: str, incident: str, revision: int) -> bool:
    earlier = outbox.c.sink == sink, outbox.c.incident == incident, outbox.c.revision < revision
    return bool(
        connection.execute(select(exists().where(*earlier, outbox.c.state == "sent"))).scalar()
    )


def _finish(connection: Connection, id: str, now: datetime, **values: object) -> None:
    connection.execute(
        update(outbox).where(outbox.c.id == id).values(finished=as_micros(now), **values)
    )


def _add_failure(connection: Connection, id: str, error: str) -> None:
    name = _ensure(connection, id)
    connection.execute(
        update(sinks).where(sinks.c.name == name).values(failures=sinks.c.failures + 1, error=error)
    )


def _ensure(connection: Connection, id: str) -> str:
    name = connection.execute(select(outbox.c.sink).where(outbox.c.id == id)).scalar_one()
    _ensure_name(connection, name)
    return str(name)


def _ensure_name(connection: Connection, name: str) -> None:
    if connection.execute(select(sinks.c.name).where(sinks.c.name == name)).scalar() is None:
        connection.execute(sinks.insert().values(name=name))


def _title(payload: str) -> str:
    try:
        return Notification.model_validate_json(payload).title
    except ValidationError:
        return "(unreadable)"
