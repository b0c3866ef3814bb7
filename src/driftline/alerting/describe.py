"""The alerts of an incident as a message shows them, and their order.

All text that comes from data is cleaned and cut here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from driftline.types.alert import Alert, AlertEntry, AlertState
from driftline.types.family import Family
from driftline.types.model import OK, BoundSide, Measurement, Severity
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import AlertFact
from driftline.types.phrasing import (
    clean,
)
from driftline.types.records import JudgedMeasurement

UNSURE = MonitoringKind.UNSURE.value
"""The measurement, and the state in a message, of an alert about too little data."""
REPORTED = "reported"
"""The state of a difference that is no alert."""
LONGEST = 200
"""Characters of a name in a message."""
LONGEST_REASON = 400
"""Characters of a reason in a message: what to do stands at its end."""
UNIT_LENGTH, DETAIL_NAME_LENGTH, MOST_DETAILS = 40, 60, 20
"""Characters of a unit and of the name of a detail, and the number of details in a message."""
OWN_FIELDS = frozenset({"labels", "rows", "reason", "decision"})
"""Fields of a message's alert that are not copied from its newest measurement."""
COPIED_FIELDS = [
    name
    for name in Measurement.__dataclass_fields__
    if name in AlertFact.model_fields and name not in OWN_FIELDS
]
"""Fields that a message copies from the newest measurement: all that both have."""


def describe_alert(
    alert: Alert, *, with_version: bool = False, as_fired: bool = False
) -> AlertFact:
    """An alert in words and numbers; `with_version` adds the model version to its labels.

    A resolved alert has the numbers of its newest window, with `as_fired` those of the window that
    differed most.
    """
    if as_fired:
        newest = alert.largest_change
    else:
        newest = alert.newest_change if alert.is_firing else alert.newest_entry
    entry = newest or alert.newest_change or _empty_entry(alert)
    change = alert.newest_change or entry
    scope = {"segment": alert.segment, "version": alert.version if with_version else ""}
    labels = {**dict(alert.labels), **{name: value for name, value in scope.items() if value}}
    if not alert.is_firing:
        state = AlertState.RESOLVED.value
    else:
        is_unsure = alert.cause == Family.MONITORING and alert.measurement == UNSURE
        state = UNSURE if is_unsure else AlertState.FIRING.value
    return AlertFact(
        check=clean(alert.check, LONGEST),
        measurement=clean(alert.measurement, LONGEST),
        labels={clean(name, LONGEST): clean(value, LONGEST) for name, value in labels.items()},
        state=state,
        cause=alert.cause,
        severity=alert.phase.severity or Severity.WARNING,
        reason=clean(change.judgement.reason, LONGEST_REASON),
        bound=change.judgement.bound,
        since=alert.phase.since or entry.start,
        rows=entry.judged.rows,
        decision=change.measurement.decision,
        **{name: _clean_field(getattr(entry.measurement, name)) for name in COPIED_FIELDS},
    )


def describe_difference(judged: JudgedMeasurement, since: datetime) -> AlertFact:
    """A difference from the reference that is no alert, in words and numbers; for reports."""
    measurement = judged.measurement
    return AlertFact(
        check=clean(judged.check, LONGEST),
        measurement=clean(measurement.name, LONGEST),
        labels={
            clean(name, LONGEST): clean(value, LONGEST)
            for name, value in measurement.labels.items()
        },
        state=REPORTED,
        cause=judged.cause,
        severity=Severity.INFO,
        since=since,
        rows=judged.rows,
        **{name: _clean_field(getattr(measurement, name)) for name in COPIED_FIELDS},
    )


def _clean_field(value: Any) -> Any:
    """A field of a measurement without control characters, within the limits of a message."""
    if isinstance(value, str):
        return clean(value, UNIT_LENGTH)
    if isinstance(value, Mapping):
        return {
            clean(name, DETAIL_NAME_LENGTH): clean(part, LONGEST) if isinstance(part, str) else part
            for name, part in list(value.items())[:MOST_DETAILS]
        }
    return value


def _empty_entry(alert: Alert) -> AlertEntry:
    """Stands for the windows of an alert that remembers none."""
    start = alert.phase.last_start or alert.phase.since
    assert start is not None
    judged = JudgedMeasurement(
        check=alert.check,
        measurement=Measurement(None, name=alert.measurement),
        judgement=OK,
    )
    return AlertEntry(start=start, end=alert.phase.last_end or start, judged=judged)


FAMILY_ORDER: tuple[str, ...] = (Family.QUALITY, Family.PERFORMANCE, Family.DRIFT)
"""Families in the order in which alerts of one severity are listed.

Broken data explain the others; then comes what a change costs.
"""


def main_cause(alerts: Sequence[Alert]) -> str:
    """The family of the alert that comes first in a message."""
    return min((describe_alert(alert) for alert in alerts), key=rank_key).cause


def rank_key(fact: AlertFact) -> tuple[int, int, int, float]:
    """A sort key: firing first, then by severity, family, and size relative to the bound."""
    limit, value = None if fact.bound is None else fact.bound.value, fact.value
    if value is None or limit is None:
        ratio = 0.0 if value is None else min(abs(value), 1.0)
    elif fact.bound is not None and fact.bound.side is BoundSide.BELOW:
        ratio = abs(limit / value) if value else 1e9
    else:
        ratio = abs(value / limit) if limit else 1e9 * abs(value)
    family = FAMILY_ORDER.index(fact.cause) if fact.cause in FAMILY_ORDER else len(FAMILY_ORDER)
    return (fact.state == AlertState.RESOLVED, -fact.severity.rank, family, -ratio)
