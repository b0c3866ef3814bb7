"""An incident in words: its alerts as a message shows them, their order, and the one-line title.

All text that comes from data is cleaned and cut here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from driftline.alerting.fact import UNSURE
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.alert import Alert, AlertEntry, AlertState
from driftline.types.incident import Reason
from driftline.types.model import BoundSide, Judgement, Measurement, Severity, Verdict
from driftline.types.notification import AlertFact, Event
from driftline.types.phrasing import (
    clean,
    describe_movement,
    group_by_subject,
    lasting,
    old_and_new,
    span,
    subject,
    times,
    utc,
)
from driftline.types.records import JudgedMeasurement

LONGEST = 200
"""Characters of a name in a message."""


def fact_of(alert: Alert, *, named: bool = False) -> AlertFact:
    """An alert in words and numbers; `named` adds the model version to its labels."""
    firing = alert.fires
    number_entry = (
        (alert.newest_change if firing else alert.newest) or alert.newest_change or _nothing(alert)
    )
    verdict_entry = alert.newest_change or number_entry
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
        reason=clean(verdict_entry.judgement.reason, LONGEST),
        bound=verdict_entry.judgement.bound,
        since=alert.phase.since or number_entry.start,
        rows=number_entry.judged.rows,
        decision=verdict_entry.measurement.decision,
        **{name: _cleaned(getattr(number_entry.measurement, name)) for name in NUMBER_FIELDS},
    )


NUMBER_FIELDS = [
    name
    for name in Measurement.__dataclass_fields__
    if name in AlertFact.model_fields and name not in ("labels", "rows", "reason", "decision")
]
"""Fields that a message takes from the newest measurement as they are."""


def _cleaned(value: Any) -> Any:
    """A field of a measurement without control characters, within the limits of a message."""
    if isinstance(value, str):
        return clean(value, 40)
    if isinstance(value, Mapping):
        return {
            clean(name, 60): clean(part, LONGEST) if isinstance(part, str) else part
            for name, part in list(value.items())[:20]
        }
    return value


def _nothing(alert: Alert) -> AlertEntry:
    moment = alert.phase.last_start or alert.phase.since
    assert moment is not None
    judged = JudgedMeasurement(
        check=alert.check,
        measurement=Measurement(None, name=alert.measurement),
        judgement=Judgement(Verdict.OK),
    )
    return AlertEntry(start=moment, end=alert.phase.last_end or moment, judged=judged)


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
    limit, value = None if fact.bound is None else fact.bound.value, fact.value
    if value is None or limit is None:
        ratio = 0.0 if value is None else min(abs(value), 1.0)
    elif fact.bound is not None and fact.bound.side is BoundSide.BELOW:
        ratio = abs(limit / value) if value else 1e9
    else:
        ratio = abs(value / limit) if limit else 1e9 * abs(value)
    family = FOREMOST.index(fact.cause) if fact.cause in FOREMOST else len(FOREMOST)
    return (fact.state == AlertState.RESOLVED, -fact.severity.rank, family, -ratio)


BEGIN = {
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
NAMED = 3
"""Findings that a title names; the others are counted."""
NAME = 40
"""Characters of a model or column name in a title."""


def title(
    model: str,
    event: Event,
    reason: Reason,
    alerts: Sequence[AlertFact],
    since: datetime,
    resolved_at: datetime | None,
    phrasebook: Phrasebook,
) -> str:
    """The line for `alerts`, which come most telling first; `reason` is why people are told."""
    name = clean(model, NAME)
    if event is Event.RESOLVED:
        until = resolved_at or since
        long = f" ({lasting(since, until)})" if until > since else ""
        when = f"{span(since, until)}{long}" if until > since else f"since {utc(since)}"
        over = (
            "resolved"
            if reason in (Reason.ALL_RESOLVED, Reason.CALM)
            else f"closed, {reason.value}"
        )
        if len({alert.cause for alert in alerts}) > 1:
            return _fit(
                f"{name}: {over}: ",
                [
                    subject(group[0], NAME) or phrasebook.noun(group[0])
                    for group in group_by_subject(alerts, NAME)
                ],
                f" {when}",
            )
        return _fit(f"{name}: {over}: {_whole(alerts, phrasebook, past=True)} {when}", [], "")
    firing = [alert for alert in alerts if alert.state != "resolved"]
    severity = max(
        (alert.severity for alert in firing),
        key=lambda severity: severity.rank,
        default=Severity.INFO,
    )
    new = (
        f"now {severity.value}: "
        if reason in (Reason.MORE_SEVERE, Reason.LESS_SEVERE)
        else BEGIN.get(reason, "")
    )
    groups = group_by_subject(firing, NAME)
    if len(groups) == 1:
        return _fit(f"{name}: {new}{_single(groups[0], since, phrasebook)}", [], "")
    examples = [_example(group, phrasebook) for group in groups]
    if len({alert.cause for alert in firing}) == 1 and firing[0].cause in ("drift", "quality"):
        return _fit(
            f"{name}: {new}{_whole(firing, phrasebook, past=False)} since {utc(since)}: ",
            examples,
            "",
        )
    return _fit(f"{name}: {new}", examples, f" since {utc(since)}", "; ")


def _single(group: Sequence[AlertFact], since: datetime, phrasebook: Phrasebook) -> str:
    cause, about, when = group[0].cause, subject(group[0], NAME), f"since {utc(since)}"
    if cause == "drift" and about:
        how = next(
            (text for text in map(describe_movement, group) if text), ""
        ) or phrasebook.figure(group[0])
        return f"{about} drifts {when}: {how}"
    if group[0].state == UNSURE:
        return f"too little data for {clean(group[0].check, NAME)} {when}: {clean(group[0].reason, 90)}"
    if cause == "monitoring":
        return f"{_trouble(group[0], phrasebook)}, {when}"
    return f"{_finding(group[0], phrasebook)} {when}"


def _example(group: Sequence[AlertFact], phrasebook: Phrasebook) -> str:
    if group[0].cause == "monitoring":
        return _trouble(group[0], phrasebook)
    if group[0].cause != "drift":
        return _finding(group[0], phrasebook)
    about = subject(group[0], NAME)
    for alert in group:
        for word in ("mean", "median"):
            found = old_and_new(alert.detail, word)
            by = times(*found) if found else ""
            if by:
                return f"{about} {by}"
    how = next((text for text in map(describe_movement, group) if text), "") or phrasebook.figure(
        group[0]
    )
    return f"{about} {how}".strip()


def _finding(alert: AlertFact, phrasebook: Phrasebook) -> str:
    about = subject(alert, NAME)
    return f"{about} {phrasebook.figure(alert)}".strip()


def _trouble(alert: AlertFact, phrasebook: Phrasebook) -> str:
    about = " ".join(part for part in (clean(alert.check, NAME), subject(alert, NAME)) if part)
    about = f"too little data for {about}" if alert.state == UNSURE else about
    return f"{about}: {clean(alert.reason or phrasebook.noun(alert), 90)}"


def _whole(alerts: Sequence[AlertFact], phrasebook: Phrasebook, *, past: bool) -> str:
    """How many of what, in few words: `3 columns drift`, `Day Mins drifted`; all alerts are of one
    family.
    """
    cause = alerts[0].cause if alerts else ""
    subjects = list(
        dict.fromkeys(subject(group[0], NAME) for group in group_by_subject(alerts, NAME))
    )
    if len(subjects) == 1 and subjects[0]:
        who, several = subjects[0], False
    elif subjects and all(subjects):
        columns = all("column" in alert.labels for alert in alerts)
        who, several = f"{len(subjects)} {'columns' if columns else 'measurements'}", True
    else:
        names = list(dict.fromkeys(phrasebook.noun(alert) for alert in alerts))
        who, several = names[0] if len(names) == 1 else f"{len(names)} measurements", len(names) > 1
    if cause == "drift":
        return f"{who} drifted" if past else f"{who} drift{'' if several else 's'}"
    if cause == "quality":
        return (
            f"{who} had quality trouble"
            if past
            else f"{who} {'have' if several else 'has'} quality trouble"
        )
    if cause == "monitoring":
        what = (
            "too little data for" if alerts and alerts[0].measurement == UNSURE else "trouble with"
        )
        return f"{what} {clean(alerts[0].check, NAME) if alerts else 'the agent'}"
    return f"{cause} trouble ({who})".strip()


def _fit(head: str, examples: Sequence[str], tail: str, between: str = ", ") -> str:
    """`head`, at most three examples as far as there is room, the number of the others, and
    `tail`.
    """
    text, shown = head, 0
    for example in examples:
        left = len(examples) - shown - 1
        more = f"{between}{left} more" if left else ""
        joined = f"{text}{between if shown else ''}{example}"
        if shown == NAMED or (shown and len(joined) + len(more) + len(tail) > LENGTH):
            break
        text, shown = clean(joined, LENGTH - len(more) - len(tail)), shown + 1
    left = len(examples) - shown
    return clean(text + (f"{between}{left} more" if left else "") + tail, LENGTH)
