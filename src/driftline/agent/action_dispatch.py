"""Creates the runs of actions that changes of incidents call for.

A run is stored in the transaction that changes the incident; its request is made before that
transaction. Does not send anything: the workers of the actions do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from driftline.alerting.actions_due import ActionPlan, find_trigger, run_token
from driftline.alerting.fact import Fact, monitoring_fact
from driftline.alerting.incident import Change
from driftline.config import ActionConfig, Config
from driftline.contracts.action import Action
from driftline.delivery.redaction import redact_secrets
from driftline.extensions.guard import Guard
from driftline.extensions.phrasebook import Phrasebook, installed_phrasebook
from driftline.state import action_runs
from driftline.state.action_runs import Run, State
from driftline.state.store import Store
from driftline.types.action_request import Order, Request
from driftline.types.errors import DriftlineError, StateError
from driftline.types.message_state import MessageState
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import AlertFact, Event
from driftline.types.phrasing import clean, utc

FAILURE_STATES = (MessageState.REFUSED, State.BROKEN)
REQUEST_TIMEOUT = 10.0
"""Seconds for making a request, which reaches nothing."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that a change calls for, before the limit of runs a day is applied."""

    change: Change
    run: Run
    max_per_day: int


@dataclass(frozen=True)
class ActionDispatcher:
    """The actions that are enabled, each with the plan of when it is called for."""

    actions: Sequence[tuple[ActionPlan, Action]]
    guard: Guard
    log: Any
    phrasebook: Phrasebook | None = None
    """How alerts read; as the installed plugins declare it when None."""

    def plan_runs(self, store: Store, changes: Sequence[Change], now: datetime) -> list[PlannedRun]:
        """Return the runs that `changes` call for and that do not exist yet, with their requests.

        Calls plugins, so no transaction may be open.
        """
        candidates = [
            (plan, action, change, alert)
            for change in changes
            for plan, action in self.actions
            if (alert := find_trigger(plan, change)) is not None
        ]
        if not candidates:
            return []
        with store.read() as connection:
            tokens = {
                run
                for change in changes
                for run in action_runs.list_tokens(connection, change.incident.id)
            }
        return [
            PlannedRun(change, self._make_run(plan, action, change, alert, now), plan.max_per_day)
            for plan, action, change, alert in candidates
            if run_token(change.incident.id, plan.name) not in tokens
        ]

    def record_runs(
        self,
        connection: Connection,
        changes: Sequence[Change],
        planned_runs: Sequence[PlannedRun],
        now: datetime,
    ) -> list[Change]:
        """Store the runs and return the changes with a line about each run in their messages."""
        lines_by_revision: dict[tuple[str, int], dict[str, str]] = {}
        for item in planned_runs:
            incident = item.change.incident
            if item.run.token in action_runs.list_tokens(connection, incident.id):
                continue  # ordered by hand meanwhile
            run = action_runs.add_run(
                connection, item.run, item.change.notification, item.max_per_day
            )
            facts = lines_by_revision.setdefault((incident.id, incident.revision), {})
            facts[f"action {run.action}"] = describe_run(run)
            self._log_run(run)
        for change in changes:
            if change.event is Event.RESOLVED:
                action_runs.withdraw_runs(connection, change.incident.id, now)
        return [
            _with_facts(
                change,
                lines_by_revision.get((change.incident.id, change.incident.revision), {}),
            )
            for change in changes
        ]

    def failure_facts(self, store: Store, model: str, now: datetime) -> list[Fact]:
        """Return for each action whether its newest run for `model` failed."""
        with store.read() as connection:
            newest = action_runs.load_newest_runs(connection, model)
        enabled = {plan.name for plan, _ in self.actions}
        return [
            _failure_fact(run, run.state in FAILURE_STATES and run.action in enabled, now)
            for run in newest
        ]

    def expire_unapproved(self, store: Store, now: datetime) -> None:
        """Expire the runs that nobody approved in time."""
        if any(plan.approval for plan, _ in self.actions):
            with store.read() as connection:
                overdue = action_runs.count_overdue_runs(connection, now)
            if overdue:
                with store.write() as connection:
                    action_runs.expire_runs(connection, now)
                self.log.warning("nobody approved in time", runs=overdue)

    def _make_run(
        self, plan: ActionPlan, action: Action, change: Change, alert: AlertFact, now: datetime
    ) -> Run:
        phrasebook = self.phrasebook or installed_phrasebook()
        incident, decision = change.incident, plan.decision or alert.decision or ""
        state = State.DRY if plan.dry_run else State.AWAITING if plan.approval else State.APPROVED
        order = Order(run_token(incident.id, plan.name), plan.name, decision, change.notification)
        request, error = make_request(action, order, self.guard)
        run = Run(
            token=order.token,
            action=plan.name,
            model=incident.model,
            incident=incident.id,
            decision=decision,
            state=state.value,
            trigger=clean(f"{alert.cause}: {phrasebook.lines((alert,))[0].text}", 500),
            request=request,
            created_at=now,
            expires_at=now + plan.approve_within if state is State.AWAITING else None,
        )
        if request is None:
            return replace(run, state=State.BROKEN.value, expires_at=None, reason=error)
        return run

    def _log_run(self, run: Run) -> None:
        facts = {"action": run.action, "incident": run.incident, "run": run.token}
        if run.state == State.DRY:
            self.log.info(f"dry run, nothing is sent: {run.request}", **facts)
        elif run.state == State.BROKEN:
            self.log.error(f"an action could not be ordered: {run.reason}", **facts)
        else:
            self.log.info(f"action {run.state}: {run.trigger}", **facts)


def action_plans(config: Config) -> list[tuple[ActionPlan, Action]]:
    """Return the actions that are enabled, each with the plan of when it is called for."""
    return [
        (_action_plan(name, action), action.plugin)
        for name, action in config.actions.items()
        if action.enabled
    ]


def make_request(action: Action, order: Order, guard: Guard) -> tuple[Request | None, str]:
    """Return the request that the action would send; None and the reason if there is none.

    A request that contains a secret is dropped, because requests are shown and stored.
    """
    try:
        request = guard.call(
            f"actions.{order.action}.request", action.request, order, timeout=REQUEST_TIMEOUT
        )
    except DriftlineError as error:
        return None, clean(redact_secrets(str(error), action), 400)
    if not isinstance(request, Request):
        return None, f"gave {type(request).__name__} instead of a request"
    text = "\n".join((str(request), *request.headers))
    if redact_secrets(text, action) != text:
        return None, "there is a secret in the request, which would be shown and kept"
    return request, ""


def describe_run(run: Run) -> str:
    """Return the line about a run in the message of its incident."""
    if run.state == State.AWAITING and run.expires_at is not None:
        command = f"driftline actions approve {run.token} --author YOU --reason WHY"
        return f"awaits approval until {utc(run.expires_at)}: {command}"
    if run.state == State.APPROVED:
        return f"ordered: {run.token}"
    if run.state == State.DRY:
        return f"dry run, nothing is sent: {run.token}"
    return f"not run, {run.state}: {run.reason}"


def load_request(store: Store, run: str) -> Request:
    """Return the stored request of the run with this token.

    It was made when the incident called for it, so later changes of the configuration don't show.
    Raises StateError without a request, and LeadershipLost when another agent may be at work by
    now: not every action sends through the HTTP client that asks for that.
    """
    store.confirm()
    with store.read() as connection:
        row = action_runs.find_run(connection, run)
    if row is None or row.request is None:
        raise StateError(f"there is no request of {run}")
    return row.request


def _failure_fact(run: Run, has_failed: bool, now: datetime) -> Fact:
    reason = (
        f"action {run.action} for {run.incident}: {run.error or run.reason}" if has_failed else ""
    )
    return monitoring_fact(
        run.model, run.action, MonitoringKind.DELIVERY_FAILED, reason, (now, now)
    )


def _with_facts(change: Change, facts: dict[str, str]) -> Change:
    if not facts:
        return change
    all_facts = {**change.notification.facts, **facts}
    return replace(change, notification=change.notification.model_copy(update={"facts": all_facts}))


def _action_plan(name: str, action: ActionConfig) -> ActionPlan:
    when = action.when
    return ActionPlan(
        name=name,
        models=frozenset(when.models),
        causes=frozenset(when.causes),
        checks=frozenset(when.checks),
        severity=when.severity,
        decision=when.decision or "",
        dry_run=action.dry_run,
        approval=action.approval,
        approve_within=action.approve_within,
        max_per_day=action.max_per_day,
    )
