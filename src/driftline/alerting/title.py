"""The title of a message: one line of plain text that a lock screen shows.

It names the model, what is wrong, how much, and since when; at the end what was wrong, and for how
long. An update says what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from driftline.alerting.describe import UNSURE
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.family import Family
from driftline.types.incident import Reason
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import AlertFact, Event
from driftline.types.phrasing import (
    clean,
    day_and_time,
    find_movement,
    format_span_length,
    group_by_subject,
    quoted,
    subject,
)

PREFIXES = {
    Reason.MORE_ALERTS: "also ",
    Reason.MORE_SEVERE: "worse: ",
    Reason.LESS_SEVERE: "less severe: ",
    Reason.CAME_BACK: "again: ",
    Reason.DOUBLED: "twice as large: ",
    Reason.FLAPPING: "comes and goes: ",
    Reason.ACKNOWLEDGED: "acknowledged: ",
    Reason.SNOOZED: "snoozed: ",
    Reason.SILENCED: "silenced: ",
    Reason.RELEASED: "still: ",
}
"""What a title begins with, by the reason of the message."""
LENGTH = 140
"""Characters of a title: with the severity before it, it fits into the header of a chat message."""
MOST_EXAMPLES = 3
"""Findings that a title names; the others are counted."""
NAME_LENGTH = 40
"""Characters of a model or column name in a title."""
REASON_LENGTH = 90
SENTENCE_LENGTH = 125
"""Characters of a reason that is a sentence of its own."""
SENTENCES = frozenset(
    {MonitoringKind.READING, MonitoringKind.UNREADABLE, MonitoringKind.UNUSABLE_TIMES}
)
"""Kinds of trouble whose reason says what is wrong and where: a long one stands alone."""
TROUBLE: Mapping[str, str] = {
    MonitoringKind.READING: "driftline can't read the log",
    MonitoringKind.UNREADABLE: "driftline can't decode some records",
    MonitoringKind.UNUSABLE_TIMES: "rows have no usable time",
    MonitoringKind.REFERENCE_LOSSES: "the reference lacks some of its records",
    MonitoringKind.UNPAIRED: "requests lack their response",
    MonitoringKind.LABELS: "driftline can't read the labels",
    MonitoringKind.UNUSABLE_LABELS: "labels can't be used",
    MonitoringKind.WAITING_PREDICTIONS: "predictions get no labels",
    MonitoringKind.CHECK_FAILED: "a check fails",
    MonitoringKind.DELIVERY_FAILED: "messages are not delivered",
    MonitoringKind.UNSURE: "too little data to judge",
}
"""What is wrong with the agent itself, by kind."""
OVER: Mapping[str, str] = {
    MonitoringKind.READING: "driftline reads the log again",
    MonitoringKind.UNREADABLE: "driftline decodes the records again",
    MonitoringKind.UNUSABLE_TIMES: "rows have usable times again",
    MonitoringKind.REFERENCE_LOSSES: "the reference has its records again",
    MonitoringKind.UNPAIRED: "requests have their response again",
    MonitoringKind.LABELS: "driftline reads the labels again",
    MonitoringKind.UNUSABLE_LABELS: "labels can be used again",
    MonitoringKind.WAITING_PREDICTIONS: "predictions get labels again",
    MonitoringKind.CHECK_FAILED: "the check runs again",
    MonitoringKind.DELIVERY_FAILED: "messages are delivered again",
    MonitoringKind.UNSURE: "there is enough data again to judge",
}
"""The end of what was wrong with the agent itself, by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a title is about."""

    model: str
    alerts: Sequence[AlertFact]
    """All alerts of the incident, in the order of the message."""
    as_fired: Sequence[AlertFact] = ()
    """The same with the numbers of their most different windows, for the end."""
    additions: Sequence[AlertFact] = ()
    """Those that are new to the incident."""
    columns: Collection[str] = ()
    """The columns that were measured in the window; empty if they are not known."""
    since: datetime
    resolved_at: datetime | None = None


def write_title(model: str, headline: str) -> str:
    """The title of a message: the name of the model and the headline, at most `LENGTH` characters.

    The headline has at most `headline_length` characters.
    """
    return f"{clean(model, NAME_LENGTH)}: {headline}"


def headline_length(model: str) -> int:
    """Characters that a title has room for after the name of the model."""
    return LENGTH - len(write_title(model, ""))


def write_headline(story: Story, event: Event, reason: Reason, phrasebook: Phrasebook) -> str:
    """The title of a message without the name of the model, with room for that name."""
    if event is Event.RESOLVED:
        return _end_headline(story, reason, phrasebook)
    alerts = [alert for alert in story.alerts if alert.state != "resolved"]
    if reason is Reason.MORE_ALERTS and story.additions:
        alerts = list(story.additions)
    head = PREFIXES.get(reason, "")
    if reason is Reason.DECIDED:
        decisions = dict.fromkeys(
            alert.decision.value.replace("_", " ") for alert in alerts if alert.decision is not None
        )
        head += f"to do: {', '.join(decisions)}: "
    return _open_headline(head, alerts, story, phrasebook, reason)


def _open_headline(
    head: str, alerts: Sequence[AlertFact], story: Story, phrasebook: Phrasebook, reason: Reason
) -> str:
    """The headline of an incident that is open."""
    room = headline_length(story.model)
    since = min((alert.since for alert in alerts), default=story.since)
    # What is worse now was not as bad when it began.
    is_graded = reason in (Reason.MORE_SEVERE, Reason.LESS_SEVERE, Reason.DOUBLED)
    begin = day_and_time(since)
    when = f", began {begin}" if is_graded else f" since {begin}"
    groups = group_by_subject(alerts, NAME_LENGTH)
    if len(groups) == 1:
        [group] = groups
        return _fit(head, [_one_finding(group, phrasebook)], when, room)
    examples = [_example(group, phrasebook) for group in groups]
    causes = {alert.cause for alert in alerts}
    columns = [alert.labels.get("column", "") for alert in alerts]
    if all(columns) and causes == {Family.DRIFT.value}:
        return _fit(f"{head}{_count(columns, story)} changed{when}: ", examples, "", room)
    if all(columns) and causes == {Family.QUALITY.value}:
        return _fit(f"{head}bad data in {_count(columns, story)}{when}: ", examples, "", room)
    return _fit(head, examples, when, room, "; ")


def _one_finding(group: Sequence[AlertFact], phrasebook: Phrasebook) -> str:
    """The one subject of an incident, in a sentence."""
    if group[0].cause == Family.MONITORING:
        return _trouble(group[0], phrasebook)
    name = quoted(subject(group[0], NAME_LENGTH))
    finding = phrasebook.headline(group)
    return f"{name}: {finding}" if name else finding


def _example(group: Sequence[AlertFact], phrasebook: Phrasebook) -> str:
    """One of several subjects, in a few words."""
    if group[0].cause == Family.MONITORING:
        return _trouble(group[0], phrasebook)
    name = quoted(subject(group[0], NAME_LENGTH))
    if not name:
        return phrasebook.headline(group)
    movement = next((move for move in map(find_movement, group) if move), None)
    if group[0].cause != Family.DRIFT or movement is None:
        # Limits of several subjects leave no room for their names.
        short = group[0].model_copy(update={"bound": None})
        return f"{name} {phrasebook.figure(short)}".strip()
    return f"{name} {movement.short_text}"


def _count(columns: Sequence[str], story: Story) -> str:
    """How many columns, and whether these are all: `3 columns`, `all 12 columns`."""
    names = set(columns)
    if len(names) == 1:
        return "1 column"
    is_all = bool(story.columns) and names >= set(story.columns)
    if is_all and len(names) == 2:
        return "both columns"
    return f"{'all ' if is_all else ''}{len(names)} columns"


def _trouble(alert: AlertFact, phrasebook: Phrasebook) -> str:
    """Trouble of the agent itself, with its reason."""
    # What the rule adds after a semicolon stands in the message.
    text = alert.reason.partition("; ")[0] or phrasebook.noun(alert)
    if alert.measurement in SENTENCES and len(text) > REASON_LENGTH:
        return clean(text, SENTENCE_LENGTH)
    reason = clean(text, REASON_LENGTH)
    name = subject(alert, NAME_LENGTH) or clean(alert.check, NAME_LENGTH)
    trouble = TROUBLE.get(alert.measurement)
    if trouble is None:
        return f"{name}: {reason}"
    if alert.measurement == UNSURE:
        return f"{trouble} {name}: {reason}"
    return f"{trouble}: {reason}"


def _end_headline(story: Story, reason: Reason, phrasebook: Phrasebook) -> str:
    """The headline of an incident that is over."""
    room = headline_length(story.model)
    end = story.resolved_at or story.since
    length = format_span_length(story.since, end) if end > story.since else ""
    alerts = story.as_fired or story.alerts
    groups = group_by_subject(alerts, NAME_LENGTH)
    names = [quoted(subject(group[0], NAME_LENGTH)) for group in groups]
    if reason not in (Reason.ALL_RESOLVED, Reason.CALM):
        what = (
            [_one_finding(groups[0], phrasebook)]
            if len(groups) == 1
            else [name or phrasebook.noun(g[0]) for name, g in zip(names, groups, strict=True)]
        )
        return _fit(f"closed, {reason.text}: ", what, f" ({length})" if length else "", room)
    lasted = f" for {length}" if length else ""
    if alerts and alerts[0].cause == Family.MONITORING:
        return _fit("", [_over(alerts[0])], f" after {length}" if length else "", room)
    if len(groups) == 1:
        subject_name = f"{names[0]} is back" if names[0] else "back"
        past = phrasebook.past_finding(groups[0])
        return _fit(f"{subject_name} to normal: ", [past], lasted, room)
    after = f" after {length}" if length else ""
    columns = [alert.labels.get("column", "") for alert in alerts]
    if all(columns) and len(set(columns)) > 1:
        return _fit(f"{_count(columns, story)} are back to normal{after}: ", names, "", room)
    what = [name or phrasebook.past_finding(g) for name, g in zip(names, groups, strict=True)]
    return _fit(f"back to normal{after}: ", what, "", room)


def _over(alert: AlertFact) -> str:
    name = subject(alert, NAME_LENGTH) or clean(alert.check, NAME_LENGTH)
    text = OVER.get(alert.measurement, f"{name} works again")
    if alert.measurement == UNSURE:
        return f"{text} {name}"
    if alert.measurement == MonitoringKind.CHECK_FAILED:
        return f"{text}: {name}"
    return text


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
