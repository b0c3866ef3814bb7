"""An incident in words: its alerts as a message shows them, their order, and the title.

All text that comes from data is cleaned and cut here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from driftline.extensions.phrasebook import Phrasebook
from driftline.types.alert import Alert, AlertEntry, AlertState
from driftline.types.family import Family
from driftline.types.incident import Reason
from driftline.types.model import BoundSide, Judgement, Measurement, Severity, Verdict
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import AlertFact, Event
from driftline.types.phrasing import (
    clean,
    find_movement,
    format_span_length,
    group_by_subject,
    old_and_new,
    span,
    subject,
    times,
    utc,
)
from driftline.types.records import JudgedMeasurement

UNSURE = MonitoringKind.UNSURE.value
"""The measurement, and the state in a message, of an alert about too little data."""
LONGEST = 200
"""Characters of a name in a message."""
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


def describe_alert(alert: Alert, *, with_version: bool = False) -> AlertFact:
    """An alert in words and numbers; `with_version` adds the model version to its labels."""
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
        reason=clean(change.judgement.reason, LONGEST),
        bound=change.judgement.bound,
        since=alert.phase.since or entry.start,
        rows=entry.judged.rows,
        decision=change.measurement.decision,
        **{name: _clean_field(getattr(entry.measurement, name)) for name in COPIED_FIELDS},
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
        judgement=Judgement(verdict=Verdict.OK),
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


PREFIXES = {
    Reason.MORE_ALERTS: "now ",
    Reason.CAME_BACK: "again: ",
    Reason.FLAPPING: "comes and goes: ",
    Reason.ACKNOWLEDGED: "acknowledged: ",
    Reason.SNOOZED: "snoozed: ",
    Reason.SILENCED: "silenced: ",
    Reason.RELEASED: "still: ",
}
"""What a title begins with, by the reason of the message."""
LENGTH = 150
"""Characters of a title."""
MOST_EXAMPLES = 3
"""Findings that a title names; the others are counted."""
NAME_LENGTH = 40
"""Characters of a model or column name in a title."""
REASON_LENGTH = 90


def write_title(model: str, headline: str) -> str:
    """The title of a message: the name of the model and the headline, at most `LENGTH` characters.

    The headline has at most `headline_length` characters.
    """
    return f"{clean(model, NAME_LENGTH)}: {headline}"


def headline_length(model: str) -> int:
    """Characters that a title has room for after the name of the model."""
    return LENGTH - len(write_title(model, ""))


def write_headline(
    model: str,
    event: Event,
    reason: Reason,
    alerts: Sequence[AlertFact],
    *,
    since: datetime,
    resolved_at: datetime | None,
    phrasebook: Phrasebook,
) -> str:
    """The title of a message without the name of the model: one line of plain text.

    It says what changed, how much, and since when, and leaves room for the name of `model` within
    the `LENGTH` characters of a title. `alerts` are in the order of the message.
    """
    room = headline_length(model)
    if event is Event.RESOLVED:
        end = resolved_at or since
        when = f"{span(since, end)} ({format_span_length(since, end)})"
        when = when if end > since else f"since {utc(since)}"
        is_calm = reason in (Reason.ALL_RESOLVED, Reason.CALM)
        outcome = "resolved" if is_calm else f"closed, {reason.text}"
        head = f"{outcome}: "
        if len({alert.cause for alert in alerts}) == 1 or not alerts:
            return _fit(f"{head}{_summary(alerts, phrasebook, past=True)} {when}", [], "", room)
        groups = group_by_subject(alerts, NAME_LENGTH)
        nouns = [subject(group[0], NAME_LENGTH) or phrasebook.noun(group[0]) for group in groups]
        return _fit(head, nouns, f" {when}", room)
    firing = [alert for alert in alerts if alert.state != "resolved"]
    severity = max(
        (alert.severity for alert in firing),
        key=lambda severity: severity.rank,
        default=Severity.INFO,
    )
    head = PREFIXES.get(reason, "")
    if reason in (Reason.MORE_SEVERE, Reason.LESS_SEVERE):
        head = f"now {severity.value}: "
    groups = group_by_subject(firing, NAME_LENGTH)
    if len(groups) == 1:
        return _fit(f"{head}{_single(groups[0], since, phrasebook)}", [], "", room)
    examples = [_example(group, phrasebook) for group in groups]
    if len({alert.cause for alert in firing}) == 1 and firing[0].cause in (
        Family.DRIFT,
        Family.QUALITY,
    ):
        summary = _summary(firing, phrasebook, past=False)
        return _fit(f"{head}{summary} since {utc(since)}: ", examples, "", room)
    return _fit(head, examples, f" since {utc(since)}", room, "; ")


def _single(group: Sequence[AlertFact], since: datetime, phrasebook: Phrasebook) -> str:
    """The one subject of an incident, in a sentence."""
    alert, when = group[0], f"since {utc(since)}"
    name = subject(alert, NAME_LENGTH)
    if alert.cause == Family.DRIFT and name:
        return f"{name} drifts {when}: {_movement(group, phrasebook)}"
    if alert.state == UNSURE:
        reason = clean(alert.reason, REASON_LENGTH)
        return f"too little data for {clean(alert.check, NAME_LENGTH)} {when}: {reason}"
    if alert.cause == Family.MONITORING:
        return f"{_trouble(alert, phrasebook)}, {when}"
    return f"{_finding(alert, phrasebook)} {when}"


def _example(group: Sequence[AlertFact], phrasebook: Phrasebook) -> str:
    """One of several subjects, in a few words."""
    if group[0].cause == Family.MONITORING:
        return _trouble(group[0], phrasebook)
    if group[0].cause != Family.DRIFT:
        return _finding(group[0], phrasebook)
    name = subject(group[0], NAME_LENGTH)
    for alert in group:
        for word in ("mean", "median"):
            values = old_and_new(alert.detail, word)
            factor = times(*values) if values else ""
            if factor:
                return f"{name} {factor}"
    return f"{name} {_movement(group, phrasebook)}".strip()


def _movement(group: Sequence[AlertFact], phrasebook: Phrasebook) -> str:
    """How the values of a subject moved, else its first number."""
    movement = next((move for move in map(find_movement, group) if move), None)
    return phrasebook.figure(group[0]) if movement is None else movement.text


def _finding(alert: AlertFact, phrasebook: Phrasebook) -> str:
    return f"{subject(alert, NAME_LENGTH)} {phrasebook.figure(alert)}".strip()


def _trouble(alert: AlertFact, phrasebook: Phrasebook) -> str:
    """Trouble of the agent itself, with its reason."""
    parts = (clean(alert.check, NAME_LENGTH), subject(alert, NAME_LENGTH))
    name = " ".join(part for part in parts if part)
    name = f"too little data for {name}" if alert.state == UNSURE else name
    return f"{name}: {clean(alert.reason or phrasebook.noun(alert), REASON_LENGTH)}"


def _summary(alerts: Sequence[AlertFact], phrasebook: Phrasebook, *, past: bool) -> str:
    """How many subjects of one family, in few words: `3 columns drift`, `Day Mins drifted`."""
    cause = alerts[0].cause if alerts else ""
    groups = group_by_subject(alerts, NAME_LENGTH)
    subjects = list(dict.fromkeys(subject(group[0], NAME_LENGTH) for group in groups))
    if len(subjects) == 1 and subjects[0]:
        noun, is_plural = subjects[0], False
    elif subjects and all(subjects):
        columns = all("column" in alert.labels for alert in alerts)
        noun, is_plural = f"{len(subjects)} {'columns' if columns else 'measurements'}", True
    else:
        names = list(dict.fromkeys(phrasebook.noun(alert) for alert in alerts))
        is_plural = len(names) > 1
        noun = names[0] if len(names) == 1 else f"{len(names)} measurements"
    if cause == Family.DRIFT:
        return f"{noun} drifted" if past else f"{noun} drift{'' if is_plural else 's'}"
    if cause == Family.QUALITY:
        verb = "had" if past else "have" if is_plural else "has"
        return f"{noun} {verb} quality trouble"
    if cause == Family.MONITORING:
        check = clean(alerts[0].check, NAME_LENGTH) if alerts else "the agent"
        is_unsure = bool(alerts) and alerts[0].measurement == UNSURE
        return f"{'too little data for' if is_unsure else 'trouble with'} {check}"
    return f"{cause} trouble ({noun})".strip()


def _fit(head: str, examples: Sequence[str], tail: str, length: int, separator: str = ", ") -> str:
    """`head`, as many examples as there is room for, the number of the others, and `tail`.

    At most `length` characters.
    """
    text, count = head, 0
    for example in examples:
        others = len(examples) - count - 1
        more = f"{separator}{others} more" if others else ""
        longer = f"{text}{separator if count else ''}{example}"
        room = length - len(more) - len(tail)
        if count == MOST_EXAMPLES or (count and len(longer) > room):
            break
        text, count = clean(longer, room), count + 1
    others = len(examples) - count
    return clean(text + (f"{separator}{others} more" if others else "") + tail, length)
