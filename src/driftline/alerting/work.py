"""The state of alerting, and a state at work: what is put is remembered, so that only that is
written.

Refuses to decide: the step, people's acts and what holds them back do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from driftline.alerting.fact import Fact
from driftline.alerting.incident import Change
from driftline.alerting.observe import Ignored
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.alert import Alert
from driftline.types.incident import Incident


@dataclass(frozen=True, slots=True)
class AlertingState:
    """All alerts that were ever other than quiet, and the open incidents."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """By key."""
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    """By id: the open ones, and those that may come back."""
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Incidents of each model and cause so far, open or not."""
    pages: tuple[datetime, ...] = ()
    """When people were paged, as far back as that is kept."""
    unreadable: tuple[str, ...] = field(default=(), compare=False)
    """What could not be loaded and why, one sentence each."""
    phrasebook: Phrasebook | None = field(default=None, compare=False)
    """How alerts read in titles; as the installed plugins say when None."""


@dataclass(frozen=True, slots=True)
class Note:
    """A fact that moved nothing, and why."""

    fact: Fact
    reason: Ignored


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did."""

    state: AlertingState
    changes: tuple[Change, ...] = ()
    """What to tell, in order."""
    alerts: Mapping[str, Alert | None] = field(default_factory=dict)
    """The alerts that differ from before; None for those that are gone."""
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    """The incidents that differ from before; those that can't come back any more have lost
    `reopens`.
    """
    notes: tuple[Note, ...] = ()
    now: datetime | None = None
    """The time the step was given."""
    paged: tuple[tuple[str, int], ...] = ()
    """Incidents and revisions that page people."""


@dataclass(slots=True)
class Work:
    """A state while it is moved: what is put is remembered as touched."""

    alerts: dict[str, Alert]
    incidents: dict[str, Incident]
    counts: dict[tuple[str, str], int]
    pages: list[datetime]
    phrasebook: Phrasebook | None = None
    changes: list[Change] = field(default_factory=list)
    paged: list[tuple[str, int]] = field(default_factory=list)
    _alerts: dict[str, Alert | None] = field(default_factory=dict)
    _incidents: dict[str, Incident] = field(default_factory=dict)

    @classmethod
    def of(cls, state: AlertingState) -> Work:
        """Begin with `state`."""
        return cls(
            alerts=dict(state.alerts),
            incidents=dict(state.incidents),
            counts=dict(state.counts),
            pages=list(state.pages),
            phrasebook=state.phrasebook,
        )

    @classmethod
    def on(cls, moved: Step) -> Work:
        """Go on after a step."""
        work = cls.of(moved.state)
        work.changes, work.paged = list(moved.changes), list(moved.paged)
        work._alerts, work._incidents = dict(moved.alerts), dict(moved.incidents)
        return work

    def members(self, incident: Incident) -> list[Alert]:
        """The alerts of an incident, by key."""
        return [self.alerts[key] for key in sorted(incident.keys) if key in self.alerts]

    @property
    def open(self) -> list[Incident]:
        """The open incidents, the oldest first."""
        return by_age(incident for incident in self.incidents.values() if incident.resolved is None)

    def put_alert(self, alert: Alert) -> None:
        """Write an alert, where it differs."""
        if self.alerts.get(alert.key) != alert:
            self.alerts[alert.key] = self._alerts[alert.key] = alert

    def drop_alerts(self, keys: Iterable[str]) -> None:
        """Forget alerts."""
        for key in keys:
            if self.alerts.pop(key, None) is not None:
                self._alerts[key] = None

    def put(self, incident: Incident) -> None:
        """Write an incident, where it differs; one that has ended for good leaves the state."""
        if self.incidents.get(incident.id) == incident:
            return
        self._incidents[incident.id] = incident
        if incident.resolved is not None and incident.reopens is None:
            self.incidents.pop(incident.id, None)
        else:
            self.incidents[incident.id] = incident

    def tell(self, change: Change) -> None:
        """Write a change and its incident."""
        self.changes.append(change)
        self.put(change.incident)

    def step(self, notes: tuple[Note, ...], now: datetime) -> Step:
        """What was done."""
        state = AlertingState(
            self.alerts,
            self.incidents,
            self.counts,
            tuple(self.pages),
            phrasebook=self.phrasebook,
        )
        return Step(
            state, tuple(self.changes), self._alerts, self._incidents, notes, now, tuple(self.paged)
        )


def by_age(incidents: Iterable[Incident]) -> list[Incident]:
    """The oldest first."""
    return sorted(incidents, key=lambda incident: (incident.opened, incident.id))
