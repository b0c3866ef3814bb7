"""The alerts and incidents of one model: facts become changes, which are stored and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from sqlalchemy.engine import Connection

from driftline.agent.action_dispatch import ActionDispatcher, PlannedRun
from driftline.agent.callbacks import Callbacks
from driftline.agent.incident_cost import CostBasis, add_costs
from driftline.agent.receivers import Receivers
from driftline.alerting.acts import Act, accept_incident, apply_acts
from driftline.alerting.describe import LONGEST
from driftline.alerting.fact import Fact
from driftline.alerting.hold_back import hold_back
from driftline.alerting.incident import Change
from driftline.alerting.lifespans import Lifespans
from driftline.alerting.silencing import Silencing
from driftline.alerting.step import retire, step
from driftline.alerting.work import AlertingState, Step
from driftline.extensions.phrasebook import Phrasebook
from driftline.state import people, reports
from driftline.state.incident_store import (
    enqueue,
    load_acts,
    load_alerting_state,
    load_later_facts,
    load_silences,
    save_step,
)
from driftline.state.sink_backlog import Links
from driftline.state.store import Store
from driftline.types.alert import Alert
from driftline.types.family import Family
from driftline.types.incident import Reason
from driftline.types.notification import LIKELY_CAUSE, Event, Notification
from driftline.types.phrasing import clean
from driftline.types.times import as_micros

CHANGES = frozenset({Family.DRIFT, Family.QUALITY, Family.SERVICE, Family.PERFORMANCE})
"""The families of changes that an event may have caused."""


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """How the incidents of one model are held back, ended and sent."""

    receivers: Receivers
    lifespans: Lifespans = field(default_factory=Lifespans)
    """How long an incident can reopen."""
    silencing: Silencing = field(default_factory=Silencing)
    """What holds messages back, without the silences, which are in the store."""
    phrasebook: Phrasebook | None = None
    """How alerts read; as the installed plugins declare it when None."""
    links: Links = lambda connection, notification, now: {}
    """Returns the addresses of the incident and of the acts on it, by label."""
    facts: Callable[[Notification], Mapping[str, str]] = lambda notification: {}
    """Returns what the configuration says of the model and of the checks, by name."""
    cost_basis: CostBasis | None = None
    """Where the worth of a row is measured; None where nothing measures it."""


@dataclass(frozen=True, slots=True)
class PreparedStep:
    """A step of alerting that is not stored yet."""

    step: Step
    runs: Sequence[PlannedRun] = ()
    """The runs of actions that the step calls for."""
    outcomes: Mapping[int, str] = field(default_factory=dict)
    """By id of an act: empty when it was applied, else why it could not be."""


@dataclass(frozen=True, kw_only=True)
class ModelAlerts:
    """The alerts and incidents of one model."""

    model: str
    store: Store
    settings: AlertSettings
    actions: ActionDispatcher | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)
    lock: Lock = field(default_factory=Lock)
    """Held from reading the alerts to writing them: sinks report facts from other threads."""

    def report(self, facts: Sequence[Fact], now: datetime) -> list[Change]:
        """Process facts that belong to no window. Returns the changes of incidents."""
        with self.lock:
            prepared_step = self.prepare(facts, now)
            with self.store.write() as connection:
                self.write(connection, prepared_step, now)
        return self._publish(prepared_step.step)

    def prepare(self, facts: Sequence[Fact], now: datetime) -> PreparedStep:
        """Compute the changes that facts and the acts of people cause.

        The lock must be held, and no transaction may be open.
        """
        with self.store.read() as connection:
            result = step(
                self._load(connection),
                [*facts, *load_later_facts(connection, facts)],
                now,
                self.settings.lifespans,
            )
            result, outcomes = apply_acts(result, load_acts(connection, self.model), now)
            quiet = replace(self.settings.silencing, silences=load_silences(connection, now))
            result = hold_back(result, quiet, now)
        changes = tuple(self._enrich(change) for change in result.changes)
        runs = [] if self.actions is None else self.actions.plan_runs(self.store, changes, now)
        return PreparedStep(replace(result, changes=changes), runs, outcomes)

    def write(self, connection: Connection, prepared_step: PreparedStep, now: datetime) -> None:
        """Store a step: alerts, incidents, runs of actions, messages and outcomes of acts.

        The lock must be held since the step was prepared. The measurements of the windows that
        the step is about must be stored in the same transaction, before it.
        """
        result = prepared_step.step
        changes = add_costs(connection, self.settings.cost_basis, result.changes)
        result = replace(result, changes=tuple(changes))
        if self.actions is not None:
            changes = self.actions.record_runs(connection, result.changes, prepared_step.runs, now)
            result = replace(result, changes=tuple(changes))
        save_step(connection, result)
        for change in result.changes:
            notification = change.notification
            receivers = self.settings.receivers(notification)
            links = self.settings.links(connection, notification, now)
            enqueue(connection, change, receivers, now, links)
        for id, outcome in prepared_step.outcomes.items():
            people.mark_act_applied(connection, id, outcome, now)

    def is_held(self, change: Change, now: datetime) -> bool:
        """Return whether a silence or a mute time holds a report back now."""
        with self.store.read() as connection:
            silencing = replace(self.settings.silencing, silences=load_silences(connection, now))
        # A report says what is usual: no other incident speaks for or against it.
        inhibiting = [change.incident.id] * len(silencing.inhibitions)
        hold = silencing.find_hold(change.incident, (), change.reason, now, inhibiting=inhibiting)
        return hold is not None

    def send_report(self, connection: Connection, change: Change, now: datetime) -> None:
        """Store a report, and write its messages for the sinks of its routes to the outbox."""
        change = self._enrich(change)
        notification = change.notification
        reports.add_report(
            connection, self.model, notification.model_version, notification, as_micros(now)
        )
        enqueue(connection, change, self.settings.receivers(notification), now)

    def accept(self, connection: Connection, request: Act, now: datetime) -> list[Change]:
        """End an incident in the transaction in which its windows become the reference.

        The lock must be held. Returns the changes of incidents.
        """
        result = accept_incident(self._load(connection), request, now)
        self.write(connection, PreparedStep(result, outcomes={request.id: ""}), now)
        return list(result.changes)

    def retire(
        self,
        is_obsolete: Callable[[Alert], bool],
        now: datetime,
        reason: Reason = Reason.RETIRED,
    ) -> list[Change]:
        """Remove alerts, by default of what is no longer watched.

        Returns the changes of incidents.
        """
        with self.lock, self.store.write() as connection:
            result = retire(self._load(connection), is_obsolete, now, reason)
            self.write(connection, PreparedStep(result), now)
        return self._publish(result)

    def _load(self, connection: Connection) -> AlertingState:
        return load_alerting_state(connection, self.model, self.settings.phrasebook)

    def _publish(self, result: Step) -> list[Change]:
        self.callbacks.on_changes(result.changes)
        return list(result.changes)

    def _enrich(self, change: Change) -> Change:
        notification = change.notification
        facts = {**self.settings.facts(notification), **self.callbacks.enrich(notification)}
        cause = self._event_before(notification)
        if not facts and not cause:
            return change
        all_facts = {**facts, **notification.facts}
        if cause:
            known = all_facts.get(LIKELY_CAUSE)
            all_facts[LIKELY_CAUSE] = f"{known}; before it: {cause}" if known else cause
        notification = notification.model_copy(update={"facts": all_facts})
        return replace(change, notification=notification)

    def _event_before(self, notification: Notification) -> str:
        """The recorded event that most likely caused an incident; empty where there is none."""
        has_windows = notification.window is not None and notification.cause in CHANGES
        if notification.event is Event.RESOLVED or not has_windows:
            return ""
        from driftline.catalog.catalog import Catalog
        from driftline.catalog.likely_events import describe_event, rank_events

        assert notification.window is not None
        since, (start, end) = notification.since, notification.window
        catalog = Catalog(store=self.store, clock=lambda: end)
        events = catalog.records(self.model, "event")
        ranked = rank_events(events, since, since + (end - start), notification.model_version)
        return clean(describe_event(ranked[0]), LONGEST) if ranked else ""
