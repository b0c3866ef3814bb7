"""Whether matchers mean an incident: some ask for the incident itself, the others for each alert
that fires in it.

Refuses to mean an incident of which a part is news: what is asked of alerts must hold of all that
fire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from driftline.alerting.alert import Alert
from driftline.alerting.incident import Incident
from driftline.types.matchers import Matchers

OF_INCIDENT = frozenset({"model", "severity", "id"})
"""All other names are of alerts: `family`, `check`, `measurement`, `segment`, `version`, `reason`
and labels like `column`.
"""


def means(matchers: Matchers, incident: Incident, alerts: Sequence[Alert]) -> bool:
    """Whether `incident` is meant as a whole."""
    return _fits(matchers, incident) and (
        not (asked := _asked(matchers)).wanted or all(_each(asked, alerts) or [False])
    )


def touches(matchers: Matchers, incident: Incident, alerts: Sequence[Alert]) -> bool:
    """Whether anything that fires in `incident` is meant."""
    return _fits(matchers, incident) and (
        not (asked := _asked(matchers)).wanted or any(_each(asked, alerts))
    )


def _asked(matchers: Matchers) -> Matchers:
    return matchers.without(OF_INCIDENT)


def _fits(matchers: Matchers, incident: Incident) -> bool:
    severity = incident.severity.value
    known = {"model": incident.model, "severity": severity, "id": incident.id}
    return matchers.only(OF_INCIDENT).fit(known)


def _each(asked: Matchers, alerts: Sequence[Alert]) -> list[bool]:
    # One that comes and goes is still open while nothing fires.
    firing = [alert for alert in alerts if alert.fires] or alerts
    return [asked.fit(_known(alert)) for alert in firing]


def _known(alert: Alert) -> Mapping[str, str]:
    changed = alert.changed
    return {
        **dict(alert.labels), "family": alert.cause, "check": alert.check, "measurement": alert.measurement,
        "segment": alert.segment, "version": alert.version, "reason": changed.reason if changed is not None else "",
    }  # fmt: skip
