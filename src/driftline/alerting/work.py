"""The state of alerting, and a working copy that remembers what was changed.

Only what was changed is written to the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from driftline.alerting.fact import Fact
from driftline.alerting.incident import Change
from driftline.alerting.observe import IgnoreReason
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.alert import Alert
from driftline.types.incident import Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingState:
    """The alerts and incidents of one model.

    Series that were always quiet have no alert.
    """

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """By key."""
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    """By id: the open ones, and those that may come back."""
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Incidents of each model and cause so far, open or not."""
    pages: tuple[datetime, ...] = ()
    """When people were paged, oldest first, as far back as that is kept."""
    unreadable: tuple[str, ...] = field(default=(), compare=False)
    """What could not be loaded and why: one sentence each."""
    phrasebook: Phrasebook | None = field(default=None, compare=False)
    """How alerts read in titles; as the installed plugins say when None."""


@dataclass(frozen=True, slots=True)
class Note:
    """A fact that changed nothing, and why."""

    fact: Fact
    reason: IgnoreReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The result of a step."""

    state: AlertingState
    changes: tuple[Change, ...] = ()
    """Changes to report, in order."""
    alerts: Mapping[str, Alert | None] = field(default_factory=dict)
    """The alerts that differ from before; None for those that are gone."""
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    """The incidents that differ from before; without `reopens_until` they can't come back."""
    notes: tuple[Note, ...] = ()
    now: datetime | None = None
    """The time that was passed to the step."""
    new_pages: tuple[tuple[str, int], ...] = ()
    """Incidents and revisions that page people."""


@dataclass(slots=True, kw_only=True)
class Work:
    """A working copy of a state that remembers what was changed."""

    alerts: dict[str, Alert]
    incidents: dict[str, Incident]
    counts: dict[tuple[str, str], int]
    pages: list[datetime]
    phrasebook: Phrasebook | None = None
    changes: list[Change] = field(default_factory=list)
    new_pages: list[tuple[str, int]] = field(default_factory=list)
    _alerts: dict[str, Alert | None] = field(default_factory=dict)
    _incidents: dict[str, Incident] = field(default_factory=dict)

    @classmethod
    def from_state(cls, state: AlertingState) -> Work:
        """Begin with `state`."""
        return cls(
            alerts=dict(state.alerts),
            incidents=dict(state.incidents),
            counts=dict(state.counts),
            pages=list(state.pages),
            phrasebook=state.phrasebook,
        )

    @classmethod
    def continue_step(cls, previous: Step) -> Work:
        """Continue after a step."""
        work = cls.from_state(previous.state)
        work.changes, work.new_pages = list(previous.changes), list(previous.new_pages)
        work._alerts, work._incidents = dict(previous.alerts), dict(previous.incidents)
        return work

    def members(self, incident: Incident) -> list[Alert]:
        """The alerts of an incident, by key."""
        return [self.alerts[key] for key in sorted(incident.keys) if key in self.alerts]

    def newest(self, incident: Incident) -> Incident:
        """The incident as it is now: it may have ended after the change that names it."""
        in_state = self.incidents.get(incident.id)
        return in_state or self._incidents.get(incident.id, incident)

    @property
    def open(self) -> list[Incident]:
        """The open incidents, the oldest first."""
        return by_age(
            incident for incident in self.incidents.values() if incident.resolved_at is None
        )

    def put_alert(self, alert: Alert) -> None:
        """Put an alert, if it differs."""
        if self.alerts.get(alert.key) != alert:
            self.alerts[alert.key] = self._alerts[alert.key] = alert

    def drop_alerts(self, keys: Iterable[str]) -> None:
        """Forget alerts."""
        for key in keys:
            if self.alerts.pop(key, None) is not None:
                self._alerts[key] = None

    def put(self, incident: Incident) -> None:
        """Put an incident, if it differs; one that can't come back leaves the state."""
        if self.incidents.get(incident.id) == incident:
            return
        self._incidents[incident.id] = incident
        if incident.resolved_at is not None and incident.reopens_until is None:
            self.incidents.pop(incident.id, None)
        else:
            self.incidents[incident.id] = incident

    def record(self, change: Change) -> None:
        """Add a change and put its incident."""
        self.changes.append(change)
        self.put(change.incident)

    def step(self, notes: tuple[Note, ...], now: datetime) -> Step:
        """The result: the new state and what was changed."""
        state = AlertingState(
            alerts=self.alerts,
            incidents=self.incidents,
            counts=self.counts,
            pages=tuple(self.pages),
            phrasebook=self.phrasebook,
        )
        return Step(
            state=state,
            changes=tuple(self.changes),
            alerts=self._alerts,
            incidents=self._incidents,
            notes=notes,
            now=now,
            new_pages=tuple(self.new_pages),
        )


def by_age(incidents: Iterable[Incident]) -> list[Incident]:
    """Incidents by the time they opened, oldest first."""
    return sorted(incidents, key=lambda incident: (incident.opened_at, incident.id))
