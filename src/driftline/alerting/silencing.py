"""What holds a message back: silences, mute times, inhibition, snoozes, acknowledgement.

Nothing is forgotten: an open incident that was held back is notified once nothing holds it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from driftline.types.alert import Alert
from driftline.types.incident import Hold, HoldKind, Incident, Reason
from driftline.types.matchers import Matchers

OF_INCIDENT = frozenset({"model", "severity", "id"})
"""All other names are of alerts: `family`, `check`, `measurement`, `segment`, `version`, `reason`,
`side` (`above` or `below` the bound that was crossed) and labels like `column`.
"""
Inhibition = tuple[Matchers, Matchers]
"""While an incident of the model touches the first, those that match the second are held back."""
UNREAD = (
    Matchers.parse("family=monitoring,check=source,measurement=reading"),
    Matchers.parse("family=drift|quality"),
)
"""While the source can't be read, what remains of its rows says little about the model."""


@dataclass(frozen=True, slots=True)
class Silence:
    """For how long nobody is told of what, and who said so."""

    id: int
    matchers: Matchers
    start: datetime
    until: datetime
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class MuteTime:
    """A time that comes again, such as the night, in which nobody is told of what matches."""

    name: str
    cron: str
    """When it begins."""
    length: timedelta
    zone: ZoneInfo
    matchers: Matchers = field(default_factory=Matchers)

    def on(self, now: datetime) -> bool:
        """Whether it is on: it last began no longer ago than it lasts."""
        began: datetime = next(
            CronSim(self.cron, now.astimezone(self.zone) + timedelta(minutes=1), reverse=True)
        )
        return began <= now < began + self.length


@dataclass(frozen=True, slots=True)
class Quiet:
    """All that may hold a message back."""

    silences: Sequence[Silence] = ()
    mute_times: Sequence[MuteTime] = ()
    inhibitions: Sequence[Inhibition] = (UNREAD,)
    """Those of the configuration, else what the checks declare and `UNREAD`."""
    max_pages: int = 5
    """Critical openings told within 24 hours."""

    def silence_of(
        self, incident: Incident, alerts: Sequence[Alert], now: datetime
    ) -> Silence | None:
        """The silence that is on and holds `incident`, the longest of several."""
        on = [
            one
            for one in self.silences
            if one.start <= now < one.until and means(one.matchers, incident, alerts)
        ]
        return max(on, key=lambda one: (one.until, one.id), default=None)

    def causes(self, incidents: Iterable[tuple[Incident, Sequence[Alert]]]) -> list[str]:
        """For each inhibition the open incident of the model that brings it about; empty where none
        does.
        """
        known = list(incidents)
        return [
            next((one.id for one, alerts in known if touches(by, one, alerts)), "")
            for by, _ in self.inhibitions
        ]

    def holds(
        self,
        incident: Incident,
        alerts: Sequence[Alert],
        causes: Sequence[str],
        reason: Reason,
        now: datetime,
    ) -> Hold | None:
        """Why nobody is told of a change of `incident` now; None when people are. For `causes` see
        there.
        """
        if incident.snoozed is not None and now < incident.snoozed:
            return Hold(HoldKind.SNOOZE, f"snoozed until {incident.snoozed:%Y-%m-%d %H:%M} UTC")
        silence = self.silence_of(incident, alerts, now)
        if silence is not None:
            return Hold(
                HoldKind.SILENCE, f"silence {silence.id} until {silence.until:%Y-%m-%d %H:%M} UTC"
            )
        muted = next(
            (
                one.name
                for one in self.mute_times
                if means(one.matchers, incident, alerts) and one.on(now)
            ),
            None,
        )
        if muted is not None:
            return Hold(HoldKind.MUTE_TIME, f"mute time {muted}")
        for cause, (_, meant) in zip(causes, self.inhibitions, strict=True):
            if cause not in ("", incident.id) and means(meant, incident, alerts):
                return Hold(HoldKind.INHIBITION, f"inhibited by {cause}")
        if incident.acknowledged and reason in (Reason.MORE_ALERTS, Reason.LESS_SEVERE):
            return Hold(HoldKind.ACKNOWLEDGED, f"acknowledged by {incident.acknowledged}")
        return None


def means(matchers: Matchers, incident: Incident, alerts: Sequence[Alert]) -> bool:
    """Whether `incident` is meant as a whole."""
    return _fits(matchers, incident) and (
        not (asked := _asked(matchers)).pairs or all(_each(asked, alerts) or [False])
    )


def touches(matchers: Matchers, incident: Incident, alerts: Sequence[Alert]) -> bool:
    """Whether anything that fires in `incident` is meant."""
    return _fits(matchers, incident) and (
        not (asked := _asked(matchers)).pairs or any(_each(asked, alerts))
    )


def _asked(matchers: Matchers) -> Matchers:
    return matchers.without(OF_INCIDENT)


def _fits(matchers: Matchers, incident: Incident) -> bool:
    severity = incident.severity.value
    known = {"model": incident.model, "severity": severity, "id": incident.id}
    return matchers.restricted_to(OF_INCIDENT).match(known)


def _each(asked: Matchers, alerts: Sequence[Alert]) -> list[bool]:
    # One that comes and goes is still open while nothing fires.
    firing = [alert for alert in alerts if alert.fires] or alerts
    return [asked.match(_known(alert)) for alert in firing]


def _known(alert: Alert) -> Mapping[str, str]:
    judgement = None if alert.newest_change is None else alert.newest_change.judgement
    bound = None if judgement is None else judgement.bound
    return {
        "side": "" if bound is None else bound.side.value, **dict(alert.labels), "family": alert.cause, "check": alert.check, "measurement": alert.measurement,
        "segment": alert.segment, "version": alert.version, "reason": judgement.reason if judgement is not None else "",
    }  # fmt: skip
