"""An alert as a message tells it, and which is the most telling.

Refuses control characters and names without end: everything that comes from data is cleaned and
bounded here.
"""

from __future__ import annotations

from collections.abc import Sequence

from driftline.alerting.alert import Alert, AlertState, Entry
from driftline.alerting.fact import UNSURE
from driftline.types.model import Decision, Severity, Verdict
from driftline.types.notification import AlertFact
from driftline.types.phrasing import bound, clean

LONGEST = 200
"""Characters of a name in a message."""


def fact_of(alert: Alert, *, named: bool = False) -> AlertFact:
    """An alert in words and numbers; `named` adds the model version to its labels."""
    firing = alert.fires
    shown = (alert.changed if firing else alert.newest) or alert.changed or _nothing(alert)
    said = alert.changed or shown
    within = {"segment": alert.segment, "version": alert.version if named else ""}
    labels = {**dict(alert.labels), **{name: value for name, value in within.items() if value}}
    return AlertFact(
        check=clean(alert.check, LONGEST),
        measurement=clean(alert.measurement, LONGEST),
        labels={clean(name, LONGEST): clean(value, LONGEST) for name, value in labels.items()},
        state=(UNSURE if alert.measurement == UNSURE else AlertState.FIRING.value)
        if firing
        else AlertState.RESOLVED.value,
        cause=alert.cause,
        severity=alert.phase.severity or Severity.WARNING,
        value=shown.value,
        was=shown.was,
        interval=shown.interval,
        unit=clean(shown.unit, 40),
        reason=clean(said.reason, LONGEST),
        since=alert.phase.since or shown.start,
        rows=shown.rows,
        detail={
            clean(name, 60): clean(value, LONGEST) if isinstance(value, str) else value
            for name, value in list(shown.detail.items())[:20]
        },
        decision=Decision(said.decision) if said.decision else None,
    )


def _nothing(alert: Alert) -> Entry:
    moment = alert.phase.last_start or alert.phase.since
    assert moment is not None
    return Entry(moment, alert.phase.last_end or moment, Verdict.OK)


FOREMOST = ("quality", "performance", "drift")
"""What tells most of alerts that matter alike: broken data explain the rest, then comes what it
costs.
"""


def foremost(alerts: Sequence[Alert]) -> str:
    """The family of the alert that tells most."""
    return min((fact_of(alert) for alert in alerts), key=telling).cause


def telling(fact: AlertFact) -> tuple[int, int, int, float]:
    """A sort key, most telling first: firing, then most severe, then by family, then largest
    against its bound.
    """
    limit, value = bound(fact), fact.value
    if value is None or limit is None:
        ratio = 0.0 if value is None else min(abs(value), 1.0)
    elif "below" in fact.reason:
        ratio = abs(limit / value) if value else 1e9
    else:
        ratio = abs(value / limit) if limit else 1e9 * abs(value)
    family = FOREMOST.index(fact.cause) if fact.cause in FOREMOST else len(FOREMOST)
    return (fact.state == AlertState.RESOLVED, -fact.severity.rank, family, -ratio)
