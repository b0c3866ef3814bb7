"""Stores the runs of actions: an action runs at most once for an incident.

Does not send: an approved run becomes a row of the outbox under its own token, and the outbox has
its outcome.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, select, update
from sqlalchemy.engine import Connection

from driftline.state import outbox as outbox_rows
from driftline.state.notification_json import dump_notification
from driftline.state.tables import action_runs, outbox
from driftline.types.action_request import Request
from driftline.types.message_state import UNDELIVERED, MessageState
from driftline.types.notification import Notification
from driftline.types.times import DAY, as_micros, from_micros, from_micros_or_none

ACTION_PREFIX = "action/"
"""Prefix of an action's name in the outbox: no sink can have such a name."""
EVENT = "action"
JSON_NAMES = {
    "trigger": "why",
    "created_at": "created",
    "expires_at": "expires",
    "decided_at": "decided",
    "finished_at": "finished",
}
"""The JSON names of those fields of a run that have another name there."""


class State(StrEnum):
    """The state of a run before it is in the outbox."""

    AWAITING = "awaiting approval"
    APPROVED = "approved"
    """By a person, or because no approval is needed: see the outbox."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Nobody approved it in time."""
    WITHDRAWN = "withdrawn"
    """The incident ended first."""
    HELD = "held back"
    """Its action had the allowed number of runs in a day."""
    DRY = "dry run"
    BROKEN = "broken"
    """There is no request to send."""


ACTIVE = (State.AWAITING.value, State.APPROVED.value)
"""States of a run that counts towards `max_per_day`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one action."""

    token: str
    action: str
    model: str
    incident: str
    decision: str
    state: str
    """A `State`; for a run in the outbox the `MessageState` of its row there."""
    trigger: str
    request: Request | None
    created_at: datetime
    expires_at: datetime | None = None
    decided_at: datetime | None = None
    author: str = ""
    reason: str = ""
    attempts: int = 0
    answer: str = ""
    error: str = ""
    finished_at: datetime | None = None

    def to_json_values(self) -> dict[str, Any]:
        """The run as JSON values; times in ISO 8601."""
        return {
            JSON_NAMES.get(name, name): (
                value.isoformat() if isinstance(value, datetime) else value
            )
            for name, value in asdict(self).items()
        }


def list_tokens(connection: Connection, incident: str) -> frozenset[str]:
    """The tokens of all runs of an incident."""
    return frozenset(
        connection.execute(
            select(action_runs.c.token).where(action_runs.c.incident == incident)
        ).scalars()
    )


def add_run(
    connection: Connection, run: Run, notification: Notification, limit: int | None = None
) -> Run:
    """Write a run, put it into the outbox when it is approved, and return it as written.

    It is held back when its action had `limit` approved or awaiting runs in the last 24 hours.
    """
    if (
        limit is not None
        and run.state in ACTIVE
        and _count_active_runs(connection, run.action, run.created_at) >= limit
    ):
        run = replace(
            run, state=State.HELD.value, reason=f"{limit} in 24 hours are the most (max_per_day)"
        )
    payload = dump_notification(notification.model_copy(update={"id": run.token}))
    values = {
        "token": run.token,
        "action": run.action,
        "model": run.model,
        "incident": run.incident,
        "decision": run.decision,
        "state": run.state,
        "why": run.trigger,
        "payload": payload,
        "created": as_micros(run.created_at),
        "author": run.author,
        "request": "" if run.request is None else json.dumps(asdict(run.request)),
        "reason": run.reason,
        "expires": None if run.expires_at is None else as_micros(run.expires_at),
        "decided": None if run.decided_at is None else as_micros(run.decided_at),
    }
    connection.execute(insert(action_runs).values(**values))
    if run.state == State.APPROVED:
        _add_to_outbox(connection, run.token, run.created_at)
    return run


def _count_active_runs(connection: Connection, action: str, now: datetime) -> int:
    c = action_runs.c
    query = select(func.count()).where(
        c.action == action, c.created > as_micros(now - DAY), c.state.in_(ACTIVE)
    )
    return int(connection.execute(query).scalar_one())


def _add_to_outbox(connection: Connection, token: str, now: datetime) -> None:
    row = (
        connection.execute(select(action_runs).where(action_runs.c.token == token)).mappings().one()
    )
    # Each run is an incident of its own here, so that it neither delays nor replaces messages.
    values = {
        "id": token,
        "sink": ACTION_PREFIX + row["action"],
        "incident": token,
        "revision": 1,
        "event": EVENT,
    }
    moments = {"created": as_micros(now), "not_before": as_micros(now)}
    connection.execute(
        insert(outbox).values(
            **values, **moments, payload=row["payload"], state=MessageState.PENDING
        )
    )


def mark_approved(
    connection: Connection, token: str, author: str, reason: str, now: datetime
) -> str:
    """Approve a run. Returns the obstacle, empty when it is approved."""
    return _decide(connection, token, state=State.APPROVED, author=author, reason=reason, now=now)


def mark_rejected(
    connection: Connection, token: str, author: str, reason: str, now: datetime
) -> str:
    """Reject a run, or close one that failed. Returns the obstacle, empty when it is rejected."""
    return _decide(connection, token, state=State.REJECTED, author=author, reason=reason, now=now)


def _decide(
    connection: Connection, token: str, *, state: State, author: str, reason: str, now: datetime
) -> str:
    expire_runs(connection, now)
    run = find_run(connection, token)
    if run is None:
        return "there is no such run"
    can_close = state is State.REJECTED and run.state in (
        MessageState.REFUSED,
        State.BROKEN,
        State.HELD,
    )
    if run.state != State.AWAITING and not can_close:
        return f"it awaits no approval: {run.state}"
    values = {"state": state.value, "author": author, "reason": reason, "decided": as_micros(now)}
    connection.execute(update(action_runs).where(action_runs.c.token == token).values(**values))
    if state is State.APPROVED:
        _add_to_outbox(connection, token, now)
    return ""


def order_again(connection: Connection, token: str, author: str, reason: str, now: datetime) -> str:
    """Order a run by hand that was not sent, under its old token.

    Returns the obstacle, empty when it is ordered.
    """
    run = find_run(connection, token)
    if run is None or run.state in (*UNDELIVERED, MessageState.SENT):
        return (
            "there is no such run"
            if run is None
            else f"it is {run.state} already: once for an incident is all"
        )
    if run.request is None:
        return run.reason
    values = {
        "state": State.APPROVED.value,
        "author": author,
        "reason": reason,
        "decided": as_micros(now),
    }
    connection.execute(update(action_runs).where(action_runs.c.token == token).values(**values))
    outbox_values = {
        "state": MessageState.PENDING,
        "finished": None,
        "attempts": 0,
        "created": as_micros(now),
        "not_before": as_micros(now),
    }
    if not connection.execute(
        update(outbox).where(outbox.c.id == token).values(**outbox_values)
    ).rowcount:
        _add_to_outbox(connection, token, now)
    return ""


def count_overdue_runs(connection: Connection, now: datetime) -> int:
    """Count the runs that nobody approved in time and that `expire_runs` would end."""
    c = action_runs.c
    query = select(func.count()).where(c.state == State.AWAITING.value, c.expires <= as_micros(now))
    return int(connection.execute(query).scalar_one())


def expire_runs(connection: Connection, now: datetime) -> int:
    """End the runs that nobody approved in time; return how many."""
    c = action_runs.c
    overdue = update(action_runs).where(
        c.state == State.AWAITING.value, c.expires <= as_micros(now)
    )
    return connection.execute(
        overdue.values(state=State.EXPIRED.value, reason="nobody approved it in time")
    ).rowcount


def withdraw_runs(connection: Connection, incident: str, now: datetime) -> None:
    """Withdraw the runs of an incident that is over, unless they may have been sent."""
    c = action_runs.c
    awaiting = update(action_runs).where(c.incident == incident, c.state == State.AWAITING.value)
    connection.execute(
        awaiting.values(state=State.WITHDRAWN.value, reason="the incident was over first")
    )
    tokens = select(c.token).where(c.incident == incident)
    unsent = update(outbox).where(outbox.c.id.in_(tokens), outbox.c.state == MessageState.PENDING)
    connection.execute(
        unsent.values(
            state=MessageState.SUPERSEDED,
            finished=as_micros(now),
            error="the incident was over first",
        )
    )


def abandon_runs(
    connection: Connection, actions: Collection[str], now: datetime, error: str
) -> None:
    """Mark runs of `actions` with an unknown outcome as refused, so that none is sent again."""
    lanes = [ACTION_PREFIX + name for name in actions]
    rows = connection.execute(
        select(outbox.c.id).where(outbox.c.sink.in_(lanes), outbox.c.state == MessageState.UNKNOWN)
    ).scalars()
    for token in rows.all():
        outbox_rows.mark_refused(connection, token, now, error)


def find_run(connection: Connection, token: str) -> Run | None:
    """Find a run by its token."""
    row = connection.execute(_select_runs().where(action_runs.c.token == token)).mappings().first()
    return None if row is None else _make_run(row)


def load_runs(connection: Connection, incident: str | None = None, limit: int = 100) -> list[Run]:
    """List the runs of one incident or of all, the newest first."""
    query = _select_runs().order_by(action_runs.c.created.desc(), action_runs.c.token).limit(limit)
    if incident is not None:
        query = query.where(action_runs.c.incident == incident)
    return [_make_run(row) for row in connection.execute(query).mappings()]


def load_newest_runs(connection: Connection, model: str) -> list[Run]:
    """Load the newest run of each action for `model`."""
    c = action_runs.c
    newest_times = (
        select(c.action, func.max(c.created).label("at"))
        .where(c.model == model)
        .group_by(c.action)
        .subquery()
    )
    query = (
        _select_runs()
        .join(newest_times, (c.action == newest_times.c.action) & (c.created == newest_times.c.at))
        .where(c.model == model)
    )
    return list(
        {
            run.action: run
            for run in map(_make_run, connection.execute(query.order_by(c.token)).mappings())
        }.values()
    )


def _select_runs() -> Select[Any]:
    o = outbox.c
    outbox_columns = (o.state.label("sent_state"), o.attempts, o.remote, o.error, o.finished)
    return select(action_runs, *outbox_columns).join(
        outbox, o.id == action_runs.c.token, isouter=True
    )


def _make_run(row: RowMapping) -> Run:
    in_outbox = row["state"] == State.APPROVED and row["sent_state"] is not None
    return Run(
        token=row["token"],
        action=row["action"],
        model=row["model"],
        incident=row["incident"],
        decision=row["decision"],
        state=row["sent_state"] if in_outbox else row["state"],
        trigger=row["why"],
        request=Request(**json.loads(row["request"])) if row["request"] else None,
        created_at=from_micros(row["created"]),
        expires_at=from_micros_or_none(row["expires"]),
        decided_at=from_micros_or_none(row["decided"]),
        author=row["author"],
        reason=row["reason"],
        attempts=row["attempts"] or 0,
        answer=row["remote"] or "",
        error=row["error"] or "",
        finished_at=from_micros_or_none(row["finished"]),
    )
