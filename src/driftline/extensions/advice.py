"""What to do first about an incident, in one short sentence: the second line of a message.

It follows from values: what is known to have changed before, the advice that the check declares,
else the family of the strongest alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from driftline.types.family import Family
from driftline.types.incident import UpstreamKind
from driftline.types.model import Decision
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import AlertFact, Notification
from driftline.types.phrasing import clean, quoted

NAME_LENGTH = 40
"""Characters of the name of a column."""
MANY = 4
"""Columns from which on a common cause is likelier than a job of each."""

BY_FAMILY: Mapping[str, str] = {
    Family.PERFORMANCE: (
        "Check that the newest labels are right; then look for what changed: the version of the "
        "model, its inputs, or the outcomes."
    ),
    Family.SERVICE: "Check that the model gets requests and that its log arrives.",
    Family.DRIFT: "Check what sends these requests, and the data behind them.",
    Family.QUALITY: "Check the job that fills the columns.",
}
"""The advice for alerts that are not about one column."""
BY_FAMILY_OF_OUTPUTS: Mapping[Family, str] = {
    Family.DRIFT: "Check which version of the model answers, and whether its inputs changed.",
    Family.QUALITY: "Check the service that runs the model, and how it logs predictions.",
}
"""The advice for alerts that are about predictions and scores only."""
BY_KIND: Mapping[str, str] = {
    MonitoringKind.READING: (
        "Check that the log is there and that driftline may read it; until then nobody watches "
        "the model."
    ),
    MonitoringKind.UNREADABLE: "Check the format of the log; these records are not counted.",
    MonitoringKind.UNUSABLE_TIMES: (
        "Check the column and the format of the time (schema.timestamp); "
        "these rows are in no window."
    ),
    MonitoringKind.REFERENCE_LOSSES: (
        "Check the format of the reference; windows are compared with the other records only."
    ),
    MonitoringKind.UNPAIRED: "Check that each response is logged with the id of its request.",
    MonitoringKind.LABELS: "Check that the labels are there and that driftline may read them.",
    MonitoringKind.UNUSABLE_LABELS: "Check that each label has an id, a time and a value.",
    MonitoringKind.WAITING_PREDICTIONS: "Check that labels arrive with the ids of predictions.",
    MonitoringKind.CHECK_FAILED: "Correct or remove this check; the other checks still run.",
    MonitoringKind.DELIVERY_FAILED: "Check the address and the credentials of the receiver.",
    MonitoringKind.UNSURE: (
        "Nothing is known to be wrong. Choose longer windows (windows.length), or wait until there "
        "are more rows."
    ),
}
"""The advice for trouble of the agent itself."""
EXTENT_BY_KIND: Mapping[str, str] = {
    MonitoringKind.READING: "no prediction is checked until the log can be read again",
    MonitoringKind.UNREADABLE: "the records that can't be decoded are not checked, all others are",
    MonitoringKind.UNUSABLE_TIMES: "the rows without a usable time are not checked, all others are",
    MonitoringKind.REFERENCE_LOSSES: "windows are compared with fewer records than they should be",
    MonitoringKind.UNPAIRED: "requests without a response are not checked",
    MonitoringKind.LABELS: "how good the predictions are is not measured until labels can be read",
    MonitoringKind.UNUSABLE_LABELS: "these predictions count as having no label",
    MonitoringKind.WAITING_PREDICTIONS: "how good these predictions are is not measured",
    MonitoringKind.CHECK_FAILED: "what this check looks for is not found; the other checks run",
    MonitoringKind.DELIVERY_FAILED: "people do not get the messages of this receiver",
    MonitoringKind.UNSURE: "nothing is known to be wrong",
}
"""What trouble of the agent itself means for the watch on the model."""
DECISIONS: Mapping[Decision, str] = {
    Decision.KEEP: "Keep the model as it is.",
    Decision.WATCH: "Keep watching: nothing else is needed yet.",
    Decision.RECALIBRATE: "If the labels are right, recalibrate the scores of the model.",
    Decision.RETRAIN: "If labels and inputs are right, retrain the model on new labels.",
    Decision.ROLL_BACK: "Roll back to the version before.",
    Decision.PROMOTE: "Promote the challenger.",
}
"""What a check recommends, as a step of what to do."""
DIGEST = "Look at the list of incidents: driftline incidents."


def default_advice(notification: Notification, outputs: frozenset[str] = frozenset()) -> str:
    """Return the advice for an incident whose check declares none, as plain text.

    `outputs` are the columns of predictions and scores: no job fills these, the model makes them.
    """
    firing = [alert for alert in notification.alerts if alert.state != "resolved"]
    if not firing:
        return DIGEST if notification.cause == "digest" else ""
    first = firing[0]
    if first.cause == Family.MONITORING:
        return BY_KIND.get(first.measurement, "Check the agent: driftline doctor.")
    if first.cause in (Family.DRIFT, Family.QUALITY):
        names = column_names(alert for alert in firing if alert.cause == first.cause)
        inputs = [name for name in names if name not in outputs]
        if names and not inputs:
            return BY_FAMILY_OF_OUTPUTS[Family(first.cause)]
        names = inputs
        if len(names) >= MANY:
            return "Many columns changed at once: check their common source and the newest release."
        if names:
            job = "job that fills" if len(names) == 1 else "jobs that fill"
            return f"Check the {job} {_join(names)}."
    return BY_FAMILY.get(first.cause, "Check what changed in the service and its data.")


def upstream_advice(notification: Notification) -> str:
    """Return the advice that a known change before the incident gives; empty without one."""
    for change in notification.upstream:
        if change.kind is UpstreamKind.NEW_VERSION:
            name = clean(change.name, NAME_LENGTH)
            return f"Compare version {name}, which is new, with the one before; go back if need be."
    return ""


def column_names(alerts: Iterable[AlertFact]) -> list[str]:
    """Return the columns of alerts, in their order."""
    found = (alert.labels.get("column", "") for alert in alerts)
    return [clean(name, NAME_LENGTH) for name in dict.fromkeys(found) if name]


def _join(names: list[str]) -> str:
    """The names, marked: `“a”`, `“a” and “b”`, `“a”, “b” and “c”`."""
    *most, last = map(quoted, names)
    return f"{', '.join(most)} and {last}" if most else last
