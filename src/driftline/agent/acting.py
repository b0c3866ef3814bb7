"""What incidents call for beyond words: runs of actions, recorded in the transaction that changes
the incident.

Refuses to send anything itself, and to ask a plugin anything while a transaction is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from driftline.alerting.actions_due import ActionPlan, calling, token
from driftline.alerting.fact import Fact, trouble
from driftline.alerting.incident import Change
from driftline.contracts.action import Action
from driftline.delivery.secrets import scrub
from driftline.extensions.guard import Guard
from driftline.extensions.phrasebook import Phrasebook, installed_phrasebook
from driftline.state import action_runs
from driftline.state.action_runs import Run, State
from driftline.state.store import Store
from driftline.types.action_request import Order, Request
from driftline.types.errors import DriftlineError, StateError
from driftline.types.notification import AlertFact, Event
from driftline.types.phrasing import clean, utc

FAILED = ("refused", State.BROKEN.value)
PATIENCE = 10.0
"""Seconds for making a request, which reaches nothing."""


@dataclass(frozen=True, slots=True)
class Called:
    """A run that a change calls for, before it is known whether there were too many of its
    action.
    """

    change: Change
    run: Run
    most: int


@dataclass(frozen=True)
class Acting:
    """The actions that are enabled, each with when it is called for."""

    actions: Sequence[tuple[ActionPlan, Action]]
    guard: Guard
    log: Any
    phrasebook: Phrasebook | None = None
    """How alerts read; as the installed plugins say when None."""

    def called(self, store: Store, changes: Sequence[Change], now: datetime) -> list[Called]:
        """The runs that `changes` call for and that there were none of yet, each with its
        request.
        """
        wanted = [
            (plan, action, change, alert)
            for change in changes
            for plan, action in self.actions
            if (alert := calling(plan, change)) is not None
        ]
        if not wanted:
            return []
        with store.read() as connection:
            known = {
                token
                for change in changes
                for token in action_runs.tokens(connection, change.incident.id)
            }
        fresh = (each for each in wanted if token(each[2].incident.id, each[0].name) not in known)
        return [Called(each[2], self._run(*each, now), each[0].max_per_day) for each in fresh]

    def recorded(
        self,
        connection: Connection,
        changes: Sequence[Change],
        called: Sequence[Called],
        now: datetime,
    ) -> list[Change]:
        """Write the runs down. Returns the changes with a word about them in their messages."""
        told: dict[tuple[str, int], dict[str, str]] = {}
        for each in called:
            incident = each.change.incident
            if each.run.token in action_runs.tokens(connection, incident.id):
                continue  # ordered by hand meanwhile
            run = action_runs.add(connection, each.run, each.change.notification, each.most)
            told.setdefault((incident.id, incident.revision), {})[f"action {run.action}"] = said(
                run
            )
            self._log(run)
        for change in changes:
            if change.event is Event.RESOLVED:
                action_runs.withdraw(connection, change.incident.id, now)
        return [
            _with(change, told.get((change.incident.id, change.incident.revision), {}))
            for change in changes
        ]

    def troubles(self, store: Store, model: str, now: datetime) -> list[Fact]:
        """Whether the newest run of each action for `model` failed: trouble of the agent's own, and
        its end.
        """
        with store.read() as connection:
            newest = action_runs.newest(connection, model)
        enabled = {plan.name for plan, _ in self.actions}
        return [_trouble(run, run.state in FAILED and run.action in enabled, now) for run in newest]

    def expire(self, store: Store, now: datetime) -> None:
        """Let go of the runs that nobody approved in time."""
        if any(plan.approval for plan, _ in self.actions):
            with store.read() as connection:
                over = action_runs.overdue(connection, now)
            if over:
                with store.write() as connection:
                    action_runs.expire(connection, now)
                self.log.warning("nobody approved in time", runs=over)

    def _run(
        self, plan: ActionPlan, action: Action, change: Change, alert: AlertFact, now: datetime
    ) -> Run:
        phrasebook = self.phrasebook or installed_phrasebook()
        incident, decision = change.incident, plan.decision or alert.decision or ""
        why = clean(f"{alert.cause}: {phrasebook.lines((alert,))[0].text}", 500)
        state = State.DRY if plan.dry_run else State.AWAITING if plan.approval else State.APPROVED
        expires = now + plan.approve_within if state is State.AWAITING else None
        order = Order(token(incident.id, plan.name), plan.name, decision, change.notification)
        request, error = asked(action, order, self.guard)
        run = Run(
            order.token,
            plan.name,
            incident.model,
            incident.id,
            decision,
            state.value,
            why,
            request,
            now,
            expires,
        )
        return (
            run
            if request is not None
            else replace(run, state=State.BROKEN.value, expires=None, reason=error)
        )

    def _log(self, run: Run) -> None:
        facts = {"action": run.action, "incident": run.incident, "run": run.token}
        if run.state == State.DRY:
            self.log.info(f"dry run, nothing is sent: {run.request}", **facts)
        elif run.state == State.BROKEN:
            self.log.error(f"an action could not be ordered: {run.reason}", **facts)
        else:
            self.log.info(f"action {run.state}: {run.why}", **facts)


def asked(action: Action, order: Order, guard: Guard) -> tuple[Request | None, str]:
    """What the action would send, without any secret in it; or None and why there is no such
    request.
    """
    try:
        request = guard.call(
            f"actions.{order.action}.request", action.request, order, timeout=PATIENCE
        )
    except DriftlineError as error:
        return None, clean(scrub(str(error), action), 400)
    if not isinstance(request, Request):
        return None, f"gave {type(request).__name__} instead of a request"
    seen = "\n".join((str(request), *request.headers))
    if scrub(seen, action) != seen:
        return None, "there is a secret in the request, which would be shown and kept"
    return request, ""


def said(run: Run) -> str:
    """A run in a line, as the incident's message tells of it."""
    if run.state == State.AWAITING and run.expires is not None:
        ask = f"driftline actions approve {run.token} --author YOU --reason WHY"
        return f"awaits approval until {utc(run.expires)}: {ask}"
    if run.state == State.APPROVED:
        return f"ordered: {run.token}"
    return (
        f"dry run, nothing is sent: {run.token}"
        if run.state == State.DRY
        else f"not run, {run.state}: {run.reason}"
    )


def request_of(store: Store, run: str) -> Request:
    """What was to be sent when the incident called for it: no later change of the configuration
    changes that.

    Raises LeadershipLost when another agent may be at work by now: not every action goes through the
    client that asks.
    """
    store.confirm()
    with store.read() as connection:
        found = action_runs.one(connection, run)
    if found is None or found.request is None:
        raise StateError(f"there is no request of {run}")
    return found.request


def _trouble(run: Run, failed: bool, now: datetime) -> Fact:
    why = f"action {run.action} for {run.incident}: {run.error or run.reason}" if failed else ""
    return trouble(run.model, run.action, "refused", why, (now, now))


def _with(change: Change, facts: dict[str, str]) -> Change:
    if not facts:
        return change
    whole = {**change.notification.facts, **facts}
    return replace(change, notification=change.notification.model_copy(update={"facts": whole}))
