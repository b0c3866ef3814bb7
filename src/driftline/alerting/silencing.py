"""What holds a message back: silences, mute times, inhibition, snoozes, acknowledgement.

Nothing is forgotten: an open incident that was held back is reported once nothing holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from driftline.types.alert import Alert
from driftline.types.incident import Hold, HoldKind, Incident, Reason
from driftline.types.matchers import Matchers
from driftline.types.monitoring_kind import MonitoringKind

OF_INCIDENT = frozenset({"model", "severity", "id"})
"""Matcher names of an incident.

All others are of alerts: `family`, `check`, `measurement`, `segment`, `version`, `reason`, `side`
(`above` or `below` the bound that was crossed) and labels like `column`.
"""


@dataclass(frozen=True, slots=True)
class Inhibition:
    """Incidents of a model that are held back while another one is open, or while none is."""

    condition: Matchers
    """Match at least one alert of the other incident."""
    held: Matchers
    """Match the incidents that are held back."""
    unless: bool = False
    """Whether they are held back unless an incident meets the condition."""


UNREAD = Inhibition(
    Matchers.parse(f"family=monitoring,check=source,measurement={MonitoringKind.READING}"),
    Matchers.parse("family=drift|quality"),
)
"""While the source can't be read, what remains of its rows says little about the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time without messages about what matches, begun by a person."""

    id: int
    matchers: Matchers
    start: datetime
    until: datetime
    author: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteTime:
    """A time that recurs, such as the night, without messages about what matches."""

    name: str
    cron: str
    """When it begins."""
    length: timedelta
    zone: ZoneInfo
    matchers: Matchers = field(default_factory=Matchers)

    def is_on(self, now: datetime) -> bool:
        """Whether `now` lies within the time that began last; its length is in local time.

        In a night whose clock repeats an hour, it begins and ends once.
        """
        # The search is by whole minutes of the local clock, which may stand back an hour.
        later = now.astimezone(self.zone) + timedelta(minutes=61)
        starts = CronSim(self.cron, later, reverse=True)
        start = next(start for start in starts if start.astimezone(UTC) <= now)
        return now < (start + self.length).replace(fold=0).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Silencing:
    """All that may hold a message back."""

    silences: Sequence[Silence] = ()
    mute_times: Sequence[MuteTime] = ()
    inhibitions: Sequence[Inhibition] = (UNREAD,)
    """Those of the configuration, else what the checks declare and `UNREAD`."""
    max_pages: int = 5
    """Critical openings that are sent within 24 hours."""

    def find_silence(
        self, incident: Incident, alerts: Sequence[Alert], now: datetime
    ) -> Silence | None:
        """The silence that holds `incident` now; the longest of several, None without any."""
        active = [
            silence
            for silence in self.silences
            if silence.start <= now < silence.until
            and matches_incident(silence.matchers, incident, alerts)
        ]
        return max(active, key=lambda silence: (silence.until, silence.id), default=None)

    def inhibiting_incidents(
        self, incidents: Iterable[tuple[Incident, Sequence[Alert]]]
    ) -> list[str]:
        """The id of the open incident behind each inhibition; empty where there is none.

        `incidents` are the open incidents of the model with their alerts. The result has the
        length and order of `inhibitions`.
        """
        candidates = list(incidents)
        return [
            next(
                (
                    incident.id
                    for incident, alerts in candidates
                    if matches_any_alert(matchers, incident, alerts)
                ),
                "",
            )
            for matchers in (inhibition.condition for inhibition in self.inhibitions)
        ]

    def find_hold(
        self,
        incident: Incident,
        alerts: Sequence[Alert],
        reason: Reason,
        now: datetime,
        *,
        inhibiting: Sequence[str],
    ) -> Hold | None:
        """What holds a message about `incident` back now; None where nothing does.

        `reason` is that of the message; `inhibiting` comes from `inhibiting_incidents`.
        """
        if incident.snoozed_until is not None and now < incident.snoozed_until:
            end = f"{incident.snoozed_until:%Y-%m-%d %H:%M} UTC"
            return Hold(HoldKind.SNOOZE, f"snoozed until {end}")
        silence = self.find_silence(incident, alerts, now)
        if silence is not None:
            end = f"{silence.until:%Y-%m-%d %H:%M} UTC"
            return Hold(HoldKind.SILENCE, f"silence {silence.id} until {end}")
        for mute_time in self.mute_times:
            if matches_incident(mute_time.matchers, incident, alerts) and mute_time.is_on(now):
                return Hold(HoldKind.MUTE_TIME, f"mute time {mute_time.name}")
        for inhibitor, inhibition in zip(inhibiting, self.inhibitions, strict=True):
            is_held = inhibitor == "" if inhibition.unless else inhibitor not in ("", incident.id)
            if is_held and matches_incident(inhibition.held, incident, alerts):
                text = (
                    f"no open incident matches {inhibition.condition}"
                    if inhibition.unless
                    else f"inhibited by {inhibitor}"
                )
                return Hold(HoldKind.INHIBITION, text)
        if incident.acknowledged_by and reason in (Reason.MORE_ALERTS, Reason.LESS_SEVERE):
            return Hold(HoldKind.ACKNOWLEDGED, f"acknowledged by {incident.acknowledged_by}")
        return None


def matches_incident(matchers: Matchers, incident: Incident, alerts: Sequence[Alert]) -> bool:
    """Whether matchers match an incident as a whole: itself, and each alert that fires in it."""
    alert_matchers = matchers.without(OF_INCIDENT)
    return _matches_fields(matchers, incident) and (
        not alert_matchers.pairs or all(_alert_matches(alert_matchers, alerts) or [False])
    )


def matches_any_alert(matchers: Matchers, incident: Incident, alerts: Sequence[Alert]) -> bool:
    """Whether matchers match an incident and at least one alert that fires in it."""
    alert_matchers = matchers.without(OF_INCIDENT)
    return _matches_fields(matchers, incident) and (
        not alert_matchers.pairs or any(_alert_matches(alert_matchers, alerts))
    )


def _matches_fields(matchers: Matchers, incident: Incident) -> bool:
    severity = incident.severity.value
    fields = {"model": incident.model, "severity": severity, "id": incident.id}
    return matchers.restricted_to(OF_INCIDENT).match(fields)


def _alert_matches(matchers: Matchers, alerts: Sequence[Alert]) -> list[bool]:
    # A flapping incident may be open while none of its alerts fires.
    firing = [alert for alert in alerts if alert.is_firing] or alerts
    return [matchers.match(_alert_fields(alert)) for alert in firing]


def _alert_fields(alert: Alert) -> Mapping[str, str]:
    """What matchers may ask of an alert, by name."""
    judgement = None if alert.newest_change is None else alert.newest_change.judgement
    bound = None if judgement is None else judgement.bound
    return {
        "side": "" if bound is None else bound.side.value,
        **dict(alert.labels),
        "family": alert.cause,
        "check": alert.check,
        "measurement": alert.measurement,
        "segment": alert.segment,
        "version": alert.version,
        "reason": "" if judgement is None else judgement.reason,
    }
