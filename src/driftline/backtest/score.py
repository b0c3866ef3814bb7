"""What a replay came to: its alarms, and how they compare with incidents that people know of.

Refuses to say that an alarm was wrong where nobody labelled what happened: without labels only
counts are given.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from statistics import median
from typing import Any

import yaml

from driftline.backtest.replay import ReplayedChange
from driftline.state.tables import moment
from driftline.types.errors import DriftlineError
from driftline.types.model import Severity
from driftline.types.notification import Event


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """An incident that people know of."""

    start: datetime
    end: datetime
    columns: frozenset[str] = frozenset()
    """What it showed in; anywhere when empty."""
    note: str = ""


@dataclass(slots=True)
class ReplayedAlarm:
    """An incident of the replay."""

    start: datetime
    """Of the window that opened it."""
    notified_at: datetime
    """When people would have been told: the end of that window, and the lateness."""
    cause: str
    title: str
    severity: Severity
    checks: set[str] = field(default_factory=set)
    column_times: list[tuple[datetime, str]] = field(default_factory=list)
    """When each column was first told of; empty for what is of no column."""
    resolved: datetime | None = None


def alarms_of(told: Iterable[ReplayedChange], lateness: timedelta) -> list[ReplayedAlarm]:
    """One for each incident, in the order in which they opened; those that were on before are none,
    unless they open again.
    """
    found: dict[str, ReplayedAlarm] = {}
    for each in told:
        change, at = each.change, each.change.at + lateness
        alarm = found.get(change.incident.id)
        if alarm is None:
            if change.event not in (Event.OPENED, Event.REOPENED):
                continue
            first = (
                moment(each.start),
                at,
                change.incident.cause,
                change.notification.title,
                change.incident.severity,
            )
            alarm = found[change.incident.id] = ReplayedAlarm(*first)
        if change.event is Event.RESOLVED:
            alarm.resolved = change.notification.resolved_at or change.at
            continue
        alarm.severity, alarm.resolved = change.incident.severity, None
        for fact in change.notification.alerts:
            if fact.state == "firing":
                alarm.checks.add(fact.check)
                column = fact.labels.get("column", "")
                if column not in {name for _, name in alarm.column_times}:
                    alarm.column_times.append((at, column))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Score:
    """How alarms compare with known incidents."""

    alarms: int
    false_alarms: int
    """Alarms that belong to no known incident."""
    delays: tuple[timedelta | None, ...]
    """Of each known incident, from its start until it was told; None when it was not."""

    @property
    def detected(self) -> int:
        """Known incidents that were told."""
        return sum(delay is not None for delay in self.delays)

    @property
    def median_delay(self) -> timedelta | None:
        """The median of those found."""
        known = [delay for delay in self.delays if delay is not None]
        return (
            timedelta(seconds=median(delay.total_seconds() for delay in known)) if known else None
        )


def score_alarms(
    alarms: Sequence[ReplayedAlarm],
    known: Sequence[KnownIncident],
    length: timedelta,
    lateness: timedelta,
) -> Score:
    """An alarm belongs to an incident when it told one of its columns of a window that shows some
    of it, or of the next one.
    """
    delays, matched = list[timedelta | None](), set[int]()
    for one in known:
        moments = []
        for place, alarm in enumerate(alarms):
            told = [
                at for at, column in alarm.column_times if not one.columns or column in one.columns
            ]
            hits = [at for at in told if _within(one, at, length, lateness)]
            if hits:
                matched.add(place)
                moments.append(min(hits))
        delays.append(min(moments) - one.start if moments else None)
    return Score(len(alarms), len(alarms) - len(matched), tuple(delays))


def _within(one: KnownIncident, at: datetime, length: timedelta, lateness: timedelta) -> bool:
    return one.start < at - lateness <= one.end + length


def score_constant_alarm(
    starts: Sequence[datetime],
    known: Sequence[KnownIncident],
    length: timedelta,
    lateness: timedelta,
) -> Score:
    """What an alarm in every window would score: all is found at once, and nearly all is false."""
    told = [start + length + lateness for start in starts]
    inside = sum(any(_within(one, at, length, lateness) for one in known) for at in told)
    delays = [
        min((at - one.start for at in told if _within(one, at, length, lateness)), default=None)
        for one in known
    ]
    return Score(len(told), len(told) - inside, tuple(delays))


def count_by_check(alarms: Sequence[ReplayedAlarm]) -> Mapping[str, Mapping[Severity, int]]:
    """How many alarms each check had a part in, by severity."""
    names = sorted({name for alarm in alarms for name in alarm.checks})
    return {
        name: {
            each: sum(name in alarm.checks and alarm.severity is each for alarm in alarms)
            for each in Severity
        }
        for name in names
    }


def parse_known_incidents(text: str, name: str) -> list[KnownIncident]:
    """Incidents from CSV with a header (start, end, columns, note), or a YAML or JSON list of the
    same; times are UTC.

    Several columns of one incident stand in one cell, with blanks between them. Raises
    DriftlineError, which names the place.
    """
    rows: list[Any]
    if name.endswith((".yaml", ".yml", ".json")):
        try:
            rows = yaml.safe_load(text) or []
        except yaml.YAMLError as error:
            raise DriftlineError(f"{name}: {' '.join(str(error).split())}") from None
    else:
        rows = list(csv.DictReader(StringIO(text)))
    if not isinstance(rows, list):
        raise DriftlineError(f"{name}: should be a list of incidents with start and end")
    return [_known(row, f"{name}, incident {place}") for place, row in enumerate(rows, 1)]


def _known(row: Any, where: str) -> KnownIncident:
    if not isinstance(row, Mapping) or not row.get("start") or not row.get("end"):
        raise DriftlineError(f"{where}: needs a start and an end, such as 2026-03-02T09:00")
    start, end = _moment(row["start"], where), _moment(row["end"], where)
    if end <= start:
        raise DriftlineError(f"{where}: ends at {end:%Y-%m-%d %H:%M}, before it starts")
    columns = row.get("columns") or ()
    names: Any = columns.split() if isinstance(columns, str) else columns
    if not isinstance(names, Sequence):
        raise DriftlineError(f"{where}: columns should be a list of names")
    return KnownIncident(
        start, end, frozenset(str(each) for each in names), str(row.get("note") or "")
    )


def _moment(value: Any, where: str) -> datetime:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise DriftlineError(f"{where}: {value!r} is no time such as 2026-03-02T09:00") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
