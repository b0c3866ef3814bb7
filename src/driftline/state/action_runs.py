"""Runs of actions: each once for an incident, with what called for it, who allowed it and what it
sends.

Refuses to send: an approved run is a row of the outbox, under its own token, and the outbox knows
what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, select, update
from sqlalchemy.engine import Connection

from driftline.state import outbox as letters
from driftline.state.notification_json import dump_notification
from driftline.state.tables import action_runs, micros, moment, moment_or_none, outbox
from driftline.types.action_request import Request
from driftline.types.notification import Notification

LANE = "action/"
"""Stands before an action's name in the outbox: no sink can be called so."""
EVENT = "action"
DAY = timedelta(days=1)
ACTIVE = ("awaiting approval", "approved")


class State(StrEnum):
    """Where a run stands before it is handed to the outbox."""

    AWAITING = "awaiting approval"
    APPROVED = "approved"
    """By a person, or because none is asked: see the outbox."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Nobody approved it in time."""
    WITHDRAWN = "withdrawn"
    """The incident was over first."""
    HELD = "held back"
    """There were as many in a day as there may be."""
    DRY = "dry run"
    BROKEN = "broken"
    """There is no request that could be sent."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one action."""

    token: str
    action: str
    model: str
    incident: str
    decision: str
    state: str
    """Of a run in the outbox what that says: pending, sending, unknown, sent, refused or
    superseded.
    """
    why: str
    request: Request | None
    created: datetime
    expires: datetime | None = None
    decided: datetime | None = None
    author: str = ""
    reason: str = ""
    attempts: int = 0
    answer: str = ""
    error: str = ""
    finished: datetime | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON has it; times in ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }


def tokens(connection: Connection, incident: str) -> frozenset[str]:
    """Of the runs that an incident has called for so far."""
    return frozenset(
        connection.execute(
            select(action_runs.c.token).where(action_runs.c.incident == incident)
        ).scalars()
    )


def add(connection: Connection, run: Run, told: Notification, most: int | None = None) -> Run:
    """Write a run, and hand it to the outbox when it is approved. Returns it as it was written.

    It is held back when in the last 24 hours there were `most` runs of its action, ordered or
    waiting for approval.
    """
    if (
        most is not None
        and run.state in ACTIVE
        and _active(connection, run.action, run.created) >= most
    ):
        run = replace(
            run, state=State.HELD.value, reason=f"{most} in 24 hours are the most (max_per_day)"
        )
    payload = dump_notification(told.model_copy(update={"id": run.token}))
    values = {
        "token": run.token, "action": run.action, "model": run.model, "incident": run.incident, "decision": run.decision,
        "state": run.state, "why": run.why, "payload": payload, "created": micros(run.created), "author": run.author,
        "request": "" if run.request is None else json.dumps(asdict(run.request)), "reason": run.reason,
        "expires": None if run.expires is None else micros(run.expires),
        "decided": None if run.decided is None else micros(run.decided),
    }  # fmt: skip
    connection.execute(insert(action_runs).values(**values))
    if run.state == State.APPROVED:
        _hand_over(connection, run.token, run.created)
    return run


def _active(connection: Connection, action: str, now: datetime) -> int:
    c = action_runs.c
    query = select(func.count()).where(
        c.action == action, c.created > micros(now - DAY), c.state.in_(ACTIVE)
    )
    return int(connection.execute(query).scalar_one())


def _hand_over(connection: Connection, token: str, now: datetime) -> None:
    row = (
        connection.execute(select(action_runs).where(action_runs.c.token == token)).mappings().one()
    )
    # A lane of its own for each run: no message of the incident waits for it, is folded into it, or
    # is told for it.
    values = {
        "id": token,
        "sink": LANE + row["action"],
        "incident": token,
        "revision": 1,
        "event": EVENT,
    }
    moments = {"created": micros(now), "not_before": micros(now)}
    connection.execute(
        insert(outbox).values(**values, **moments, payload=row["payload"], state="pending")
    )


def approve(connection: Connection, token: str, author: str, reason: str, now: datetime) -> str:
    """Let a run go. Returns why it can't be, or nothing when it can."""
    return _decide(connection, token, State.APPROVED, author, reason, now)


def reject(connection: Connection, token: str, author: str, reason: str, now: datetime) -> str:
    """Refuse a run, or be done with one that failed. Returns why that can't be, or nothing when it
    can.
    """
    return _decide(connection, token, State.REJECTED, author, reason, now)


def _decide(
    connection: Connection, token: str, state: State, author: str, reason: str, now: datetime
) -> str:
    expire(connection, now)
    run = one(connection, token)
    if run is None:
        return "there is no such run"
    over = state is State.REJECTED and run.state in ("refused", State.BROKEN, State.HELD)
    if run.state != State.AWAITING and not over:
        return f"it awaits no approval: {run.state}"
    values = {"state": state.value, "author": author, "reason": reason, "decided": micros(now)}
    connection.execute(update(action_runs).where(action_runs.c.token == token).values(**values))
    if state is State.APPROVED:
        _hand_over(connection, token, now)
    return ""


def order_again(connection: Connection, token: str, author: str, reason: str, now: datetime) -> str:
    """By hand: let a run go that was not sent, under its old token. Returns why it can't be, or
    nothing when it can.
    """
    run = one(connection, token)
    if run is None or run.state in ("pending", "sending", "unknown", "sent"):
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
        "decided": micros(now),
    }
    connection.execute(update(action_runs).where(action_runs.c.token == token).values(**values))
    again = {
        "state": "pending",
        "finished": None,
        "attempts": 0,
        "created": micros(now),
        "not_before": micros(now),
    }
    if not connection.execute(update(outbox).where(outbox.c.id == token).values(**again)).rowcount:
        _hand_over(connection, token, now)
    return ""


def overdue(connection: Connection, now: datetime) -> int:
    """How many runs nobody approved in time, that `expire` would let go of."""
    c = action_runs.c
    query = select(func.count()).where(c.state == State.AWAITING.value, c.expires <= micros(now))
    return int(connection.execute(query).scalar_one())


def expire(connection: Connection, now: datetime) -> int:
    """Runs that nobody approved in time. Returns how many."""
    c = action_runs.c
    over = update(action_runs).where(c.state == State.AWAITING.value, c.expires <= micros(now))
    return connection.execute(
        over.values(state=State.EXPIRED.value, reason="nobody approved it in time")
    ).rowcount


def withdraw(connection: Connection, incident: str, now: datetime) -> None:
    """An incident is over: what was to be done about it and surely has not been is not done any
    more.
    """
    c = action_runs.c
    waits = update(action_runs).where(c.incident == incident, c.state == State.AWAITING.value)
    connection.execute(
        waits.values(state=State.WITHDRAWN.value, reason="the incident was over first")
    )
    mine = select(c.token).where(c.incident == incident)
    pending = update(outbox).where(outbox.c.id.in_(mine), outbox.c.state == "pending")
    connection.execute(
        pending.values(
            state="superseded", finished=micros(now), error="the incident was over first"
        )
    )


def abandon(connection: Connection, actions: Collection[str], now: datetime, error: str) -> None:
    """At a start: runs of `actions` whose outcome nobody knows are never sent again."""
    lanes = [LANE + name for name in actions]
    rows = connection.execute(
        select(outbox.c.id).where(outbox.c.sink.in_(lanes), outbox.c.state == "unknown")
    ).scalars()
    for token in rows.all():
        letters.refuse(connection, token, now, error)


def one(connection: Connection, token: str) -> Run | None:
    """A run by its token."""
    row = connection.execute(_joined().where(action_runs.c.token == token)).mappings().first()
    return None if row is None else _run(row)


def listed(connection: Connection, incident: str | None = None, limit: int = 100) -> list[Run]:
    """The newest runs first; of one incident, or of all."""
    query = _joined().order_by(action_runs.c.created.desc(), action_runs.c.token).limit(limit)
    if incident is not None:
        query = query.where(action_runs.c.incident == incident)
    return [_run(row) for row in connection.execute(query).mappings()]


def newest(connection: Connection, model: str) -> list[Run]:
    """The newest run of each action for `model`."""
    c = action_runs.c
    last = (
        select(c.action, func.max(c.created).label("at"))
        .where(c.model == model)
        .group_by(c.action)
        .subquery()
    )
    query = (
        _joined()
        .join(last, (c.action == last.c.action) & (c.created == last.c.at))
        .where(c.model == model)
    )
    return list(
        {
            run.action: run
            for run in map(_run, connection.execute(query.order_by(c.token)).mappings())
        }.values()
    )


def _joined() -> Select[Any]:
    o = outbox.c
    extra = (o.state.label("sent_state"), o.attempts, o.remote, o.error, o.finished)
    return select(action_runs, *extra).join(outbox, o.id == action_runs.c.token, isouter=True)


def _run(row: RowMapping) -> Run:
    approved = row["state"] == State.APPROVED and row["sent_state"] is not None
    return Run(
        row["token"], row["action"], row["model"], row["incident"], row["decision"],
        row["sent_state"] if approved else row["state"], row["why"],
        Request(**json.loads(row["request"])) if row["request"] else None, moment(row["created"]),
        moment_or_none(row["expires"]), moment_or_none(row["decided"]), row["author"], row["reason"],
        row["attempts"] or 0, row["remote"] or "", row["error"] or "", moment_or_none(row["finished"]),
    )  # fmt: skip
