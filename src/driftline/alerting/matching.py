"""Matchers: which incidents a silence, a mute time or an inhibition is about.

Refuses what can't be read, at once and with the mend, and an empty matcher where it would mean everything by accident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from driftline.alerting.alert import Alert, AlertState
from driftline.alerting.incident import Incident
from driftline.model import Severity

OF_INCIDENT = ("model", "severity", "family", "id")
OF_ALERT = ("check", "measurement", "segment", "version", "reason")
"""Beside these every label of a measurement, such as `column`, may be asked for."""


@dataclass(frozen=True, slots=True)
class Matchers:
    """What must hold of an incident, all of it: `model=churn,severity=info|warning,column=age*`."""

    wanted: tuple[tuple[str, str], ...] = ()
    """Name and pattern; `*` stands for any text, `|` for or."""

    @classmethod
    def parse(cls, text: str) -> Matchers:
        """Read `name=pattern`, separated by commas. Raises ValueError."""
        found: dict[str, str] = {}
        for part in (part.strip() for part in text.split(",") if part.strip()):
            name, equals, pattern = (piece.strip() for piece in part.partition("="))
            if not equals or not name or not pattern:
                raise ValueError(f"{part!r} should be name=pattern, such as model=churn or column=age*")
            if name in found:
                raise ValueError(f"{name} is given twice; write {name}={found[name]}|{pattern} for either")
            found[name] = pattern
        if "severity" in found:
            unknown = set(found["severity"].split("|")) - {severity.value for severity in Severity}
            if unknown and "*" not in found["severity"]:
                raise ValueError(f"severity is info, warning or critical, not {min(unknown)}")
        return cls(tuple(sorted(found.items())))

    def __str__(self) -> str:
        return ",".join(f"{name}={pattern}" for name, pattern in self.wanted)

    def holds(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Whether `incident` is meant: what is asked of alerts must hold of every one that fires, else there is news in it."""
        firing = [alert for alert in alerts if alert.phase.state is AlertState.FIRING]
        return self._of_incident(incident) and (not self._of_alert or (bool(firing) and all(map(self._meant, firing))))

    def touches(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Whether anything that fires in `incident` is meant."""
        firing = [alert for alert in alerts if alert.phase.state is AlertState.FIRING]
        return self._of_incident(incident) and (not self._of_alert or any(map(self._meant, firing)))

    @property
    def _of_alert(self) -> list[tuple[str, str]]:
        return [(name, pattern) for name, pattern in self.wanted if name not in OF_INCIDENT]

    def _of_incident(self, incident: Incident) -> bool:
        severity = incident.severity.value
        known = {"model": incident.model, "severity": severity, "family": incident.cause, "id": incident.id}
        return all(_like(known[name], pattern) for name, pattern in self.wanted if name in known)

    def _meant(self, alert: Alert) -> bool:
        known = _known(alert)
        return all(_like(known.get(name, ""), pattern) for name, pattern in self._of_alert)


def _known(alert: Alert) -> Mapping[str, str]:
    changed = alert.changed
    return {
        **dict(alert.labels), "check": alert.check, "measurement": alert.measurement, "segment": alert.segment,
        "version": alert.version, "reason": changed.reason if changed is not None else "",
    }  # fmt: skip


def _like(value: str, pattern: str) -> bool:
    return any(fnmatchcase(value, one.replace("[", "[[]")) for one in pattern.split("|"))
